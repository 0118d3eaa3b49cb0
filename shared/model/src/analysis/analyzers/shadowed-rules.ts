/** Rules that never get a request, because earlier ones take them all: in one VirtualService, and in several of one host. */
import type { VirtualServiceSpec } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import { hostText, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';
import { type EffectiveMatch, takesAll, takesMore } from './match-cover.ts';

type VirtualService = Subject<VirtualServiceSpec>;

/** Every rule is compared with every earlier one: beyond this many they are not. */
const MOST_RULES = 400;

interface RuleMatches {
  readonly field: string;
  readonly matches: readonly EffectiveMatch[];
  /** Without a match the rule itself takes everything. */
  readonly isBare: boolean;
}

/** HW0201, HW0202. */
export function shadowedRules(subject: VirtualService): Finding[] {
  const rules = rulesOf(subject);
  return [...rules.flatMap((rule, index) => shadowFindings(subject, rule, rules.slice(0, index))), ...lateConnections(subject)];
}

function shadowFindings(subject: VirtualService, rule: RuleMatches, earlier: readonly RuleMatches[]): Finding[] {
  const hidden = rule.matches.map((match) => earlier.find((one) => one.matches.some((wide) => takesMore(wide, match))));
  const [first] = hidden;
  if (first !== undefined && hidden.every((one) => one !== undefined)) {
    const all = first.matches.some(takesAll);
    const why = all ? `${first.field} takes every request` : `${first.field} takes all that it would`;
    return [finding(all ? 'HW0201' : 'HW0202', { at: subject, field: rule.field }, `gets no request: ${why}`)];
  }
  return hidden.flatMap((one, index) =>
    one === undefined
      ? []
      : [
          finding(
            'HW0202',
            { at: subject, field: `${rule.field}.match[${index}]` },
            `gets no request: ${one.field} takes all that it would`,
          ),
        ],
  );
}

function lateConnections(subject: VirtualService): Finding[] {
  const rules = subject.spec.tcp ?? [];
  const first = rules.findIndex(({ match }) => match === undefined || match.length === 0);
  if (first === -1) return [];
  return rules.flatMap((_, index) =>
    index > first
      ? [finding('HW0201', { at: subject, field: `spec.tcp[${index}]` }, `gets no connection: spec.tcp[${first}] takes every one`)]
      : [],
  );
}

/** HW0203, HW0204: told at the younger one. */
export function mergedVirtualServices(subject: VirtualService, world: World): Finding[] {
  const found = new Map<string, Finding>();
  for (const [index, host] of (subject.spec.hosts ?? []).entries()) {
    const key = keyOf(host, subject.namespace);
    for (const other of world.forHost<VirtualServiceSpec>('VirtualService', key)) {
      if (other.key === subject.key || byAge(other, subject) > 0 || found.has(other.key) || !meet(other, subject)) continue;
      found.set(other.key, mergeFinding(subject, other, { index, host: hostText(key) }));
    }
  }
  return [...found.values()];
}

function mergeFinding(subject: VirtualService, older: VirtualService, { index, host }: { index: number; host: string }): Finding {
  const before = rulesOf(older).flatMap(({ matches }) => matches);
  const rules = rulesOf(subject);
  const hidden = rules.filter(({ matches }) => matches.every((match) => before.some((wide) => hides(wide, match))));
  const place = { at: subject, field: `spec.hosts[${index}]` };
  if (hidden.length === 0)
    return finding(
      'HW0204',
      place,
      `${older.key} is for ${host} too; it is older, so its rules come first, but for one that takes everything`,
    );
  const which =
    hidden.length === rules.length ? 'none of these rules gets a request' : `${hidden.map(({ field }) => field).join(', ')} get no request`;
  return finding('HW0203', place, `${older.key} is for ${host} too; it is older and wins: ${which}`);
}

/** A rule for everything comes after the narrower ones of all other VirtualServices. */
function hides(wide: EffectiveMatch, narrow: EffectiveMatch): boolean {
  return takesMore(wide, narrow) && (!takesAll(wide) || takesAll(narrow));
}

function meet(a: VirtualService, b: VirtualService): boolean {
  const [left, right] = [gatewaysOf(a), gatewaysOf(b)];
  const [from, to] = [a.spec.exportTo ?? ['*'], b.spec.exportTo ?? ['*']];
  const isSeenTogether =
    from.includes('*') || to.includes('*') || a.namespace === b.namespace || from.some((target) => to.includes(target));
  return isSeenTogether && left.some((gateway) => right.includes(gateway));
}

function rulesOf(subject: VirtualService): readonly RuleMatches[] {
  const gateways = gatewaysOf(subject);
  return (subject.spec.http ?? []).slice(0, MOST_RULES).map(({ match = [] }, index) => ({
    field: `spec.http[${index}]`,
    isBare: match.length === 0,
    matches: (match.length === 0 ? [{}] : match).map((one) => ({ match: one, gateways: effective(one.gateways, gateways, subject) })),
  }));
}

function effective(own: readonly string[] | undefined, all: readonly string[], subject: Subject): readonly string[] {
  return own === undefined || own.length === 0 ? all : own.map((name) => fullName(name, subject));
}

/** `mesh` where none is named. */
function gatewaysOf(subject: VirtualService): readonly string[] {
  const { gateways = [] } = subject.spec;
  return gateways.length === 0 ? ['mesh'] : gateways.map((name) => fullName(name, subject));
}

function fullName(name: string, { namespace }: Pick<Subject, 'namespace'>): string {
  return name === 'mesh' || name.includes('/') ? name : `${namespace}/${name}`;
}
