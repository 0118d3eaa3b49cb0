/** What the names in a rule mean, and which way doubt falls: what a rule grants it grants narrowly, what it refuses it refuses widely. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { AuthorizationPolicySpec } from '@hawser/model/istio/specs.ts';
import type { Fleet } from '../fleet.ts';
import type { Policy } from '../telemetry/extension-policies.ts';

/** Trust domains as the policies of one cluster see them. */
export interface TrustDomains {
  readonly own: string;
  /** Other names of the own one; Istio's `cluster.local` is one always. */
  readonly aliases: ReadonlySet<string>;
  /** Those that the own one does not believe any more: connections from before may be open. */
  readonly lapsed: readonly string[];
}

/** Where a rule is applied. */
export interface RuleContext {
  /** Namespace of the policy. */
  readonly namespace: string;
  /** Whether what matches is let in by it (ALLOW); what matches any other rule is refused, asked about or written down. */
  readonly grants: boolean;
  readonly domains: TrustDomains;
  /** Trust domains beside the own one whose namespaces and accounts the rule means; undefined: any. */
  readonly others: readonly string[] | undefined;
  readonly protocol: 'http' | 'tcp';
  /** The port that the application listens on; undefined where the connection's own is meant. */
  readonly port: number | undefined;
}

/** How the rules of a policy are to be read. */
export function ruleContext(
  { namespace, spec }: Policy<AuthorizationPolicySpec>,
  at: Pick<RuleContext, 'protocol' | 'port' | 'domains'>,
): RuleContext {
  return { ...at, namespace, grants: (spec.action ?? 'ALLOW') === 'ALLOW', others: [] };
}

/** Whether a test shall match in doubt. */
export type Doubt = 'matches' | 'fails';

/** Doubt about a value that a rule asks for, and about one that it excludes. */
export function doubtsOf({ grants }: RuleContext): { readonly wanted: Doubt; readonly excluded: Doubt } {
  return grants ? { wanted: 'fails', excluded: 'matches' } : { wanted: 'matches', excluded: 'fails' };
}

/** Istio's name of whichever trust domain the mesh has. */
export const ISTIO_DOMAIN = 'cluster.local';

/** Trust domains of a cluster's policies. A name that another domain bears is that domain's, whoever claims it as an alias. */
export function trustDomainsOf({ self, known, believed, lapsed }: Fleet): TrustDomains {
  const borne = new Set([...known.values(), ...believed].map(({ trustDomain }) => trustDomain));
  const aliases = new Set([ISTIO_DOMAIN, ...(self.aliases ?? []).filter((alias) => !borne.has(alias))]);
  return { own: self.trustDomain, aliases, lapsed };
}

/** What a test of a value is made of, in RBAC's words for principals or for permissions. */
export interface Words {
  any(tests: readonly JsonObject[]): JsonObject;
  all(tests: readonly JsonObject[]): JsonObject;
  not(test: JsonObject): JsonObject;
}

/** Envoy's `Principal`. */
export const PRINCIPALS: Words = {
  any: (ids) => ({ or_ids: { ids: [...ids] } }),
  all: (ids) => (ids.length === 0 ? { any: true } : { and_ids: { ids: [...ids] } }),
  not: (id) => ({ not_id: id }),
};

/** Envoy's `Permission`. */
export const PERMISSIONS: Words = {
  any: (rules) => ({ or_rules: { rules: [...rules] } }),
  all: (rules) => (rules.length === 0 ? { any: true } : { and_rules: { rules: [...rules] } }),
  not: (rule) => ({ not_rule: rule }),
};

type Values = readonly string[] | undefined;

/** One field and its `not` form: any of the wanted values, and none of the excluded ones. */
export function fieldTests(
  { words, context }: { readonly words: Words; readonly context: RuleContext },
  [wanted, excluded]: readonly [Values, Values],
  test: (value: string, doubt: Doubt) => JsonObject,
): JsonObject[] {
  const doubts = doubtsOf(context);
  return [
    ...(wanted === undefined || wanted.length === 0 ? [] : [words.any(wanted.map((value) => test(value, doubts.wanted)))]),
    ...(excluded === undefined || excluded.length === 0
      ? []
      : [words.not(words.any(excluded.map((value) => test(value, doubts.excluded))))]),
  ];
}

/** Text as RE2 takes it literally. */
export function literal(text: string): string {
  return text
    .replace(/[.+*?^${}()|[\]\\/-]/g, '\\$&')
    .replaceAll('\\/', '/')
    .replaceAll('\\-', '-');
}

/** A test of text by RE2, of the whole of it. */
export function regex(pattern: string): JsonObject {
  return { safe_regex: { regex: pattern } };
}

/** Istio's text match: a star alone is anything that is not empty; before or behind the text it stands for the rest. */
export function textMatch(value: string): JsonObject {
  if (value === '*') return regex('.+');
  if (value.startsWith('*')) return { suffix: value.slice(1) };
  return value.endsWith('*') ? { prefix: value.slice(0, -1) } : { exact: value };
}

/** The same as an RE2 pattern. */
export function textPattern(value: string): string {
  if (value === '*') return '.+';
  if (value.startsWith('*')) return `.*${literal(value.slice(1))}`;
  return value.endsWith('*') ? `${literal(value.slice(0, -1))}.*` : literal(value);
}

/** RE2 pattern of every text that Istio's text match does not mean: RE2 itself cannot say "not". */
export function otherThan(value: string): string {
  const isSuffix = value.startsWith('*');
  const isPrefix = !isSuffix && value.endsWith('*');
  const letters = [...value.slice(isSuffix ? 1 : 0, isPrefix ? -1 : undefined)];
  if (isSuffix) return letters.reduce((rest, letter) => `(?:|.*${anyBut(letter)}|${rest}${literal(letter)})`, NEVER);
  return letters.reduceRight((rest, letter) => `(?:|${anyBut(letter)}.*|${literal(letter)}${rest})`, isPrefix ? NEVER : '.+');
}

/** RE2 pattern that no text has. */
const NEVER = '[^\\s\\S]';

function anyBut(letter: string): string {
  return `[^${/[\]\\^-]/.test(letter) ? `\\${letter}` : letter}]`;
}

/** A range of addresses as Envoy has it. */
export function cidr(block: string): JsonObject {
  const [address = '', length] = block.split('/');
  return { address_prefix: address, prefix_len: Number(length ?? (address.includes(':') ? 128 : 32)) };
}
