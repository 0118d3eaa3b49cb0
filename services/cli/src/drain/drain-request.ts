/** PURE: a Drain from what was said on the command line. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { scopeText } from '@hawser/model/drain-scope.ts';
import type { MoveTargets } from '@hawser/model/move-target.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { ViewFlags } from '../views/status-command.ts';

/** Flags of `start` and `plan`. */
export interface DrainFlags extends ViewFlags {
  readonly cluster?: string;
  readonly zone?: string;
  readonly gateway?: string;
  readonly service?: readonly string[];
  readonly namespace?: readonly string[];
  readonly emergency?: boolean;
  readonly reason?: string;
  readonly ticket?: string;
  readonly expiresIn?: string;
  readonly onExpire?: DrainSpec['onExpire'];
  readonly steps?: string;
  readonly hold?: string;
  readonly restoreSteps?: string;
  readonly restoreApprovals?: string;
  readonly wave?: readonly string[];
  readonly to?: readonly string[];
  readonly override?: readonly string[];
  readonly force?: boolean;
}

/** The scope that was named. Throws when it is not exactly one. */
export function scopeFrom(region: string | undefined, { cluster, zone, gateway }: DrainFlags): DrainSpec['scope'] {
  const given = Object.entries({ region, cluster, zone, gateway }).filter(([, value]) => value !== undefined);
  if (given.length === 1) return Object.fromEntries(given) as DrainSpec['scope'];
  throw new AppError('usage', 'say what is drained: a REGION, or one of --cluster NAME, --zone REGION/ZONE, --gateway CLUSTER');
}

/** The spec. */
export function specFrom(region: string | undefined, flags: DrainFlags): DrainSpec {
  const { service: names, namespace: namespaces, emergency, reason, ticket, expiresIn, onExpire, hold } = flags;
  const overrides = [...(flags.override ?? []), ...(flags.force === true ? ['headroom', 'observation'] : [])];
  const spec: Record<string, unknown> = {
    scope: scopeFrom(region, flags),
    services: names === undefined && namespaces === undefined ? undefined : { names, namespaces },
    urgency: emergency === true ? 'emergency' : undefined,
    ...{ reason, ticket, expiresIn, onExpire },
    steps:
      stepsFrom('--steps', flags.steps, hold) ??
      (hold === undefined || emergency === true ? undefined : stepsFrom('--steps', '10,25,50,100', hold)),
    waves: wavesFrom(flags.wave),
    destinations: flags.to === undefined ? undefined : flags.to.map(targetFrom),
    overrideSafetyRules: overrides.length === 0 ? undefined : [...new Set(overrides)],
    restore: restoreFrom(flags),
  };
  // What was not said is not in it.
  return JSON.parse(JSON.stringify(spec)) as DrainSpec;
}

/** A name for it that is not taken. */
export function nameFor(scope: DrainSpec['scope'], taken: ReadonlySet<string>): string {
  const [word, place] = scopeText(scope).replace('the gateway of', 'gateway').split(' ');
  const base = (word === 'region' ? `${place}` : `${word}-${place}`).replaceAll('/', '-');
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(name)) return name;
  }
}

function restoreFrom({ restoreSteps, restoreApprovals, hold }: DrainFlags): DrainSpec['restore'] {
  const steps = stepsFrom('--restore-steps', restoreSteps ?? (hold === undefined ? undefined : '10,50,100'), hold);
  if (steps === undefined && restoreApprovals === undefined) return undefined;
  if (restoreApprovals !== undefined && !/^\d+$/.test(restoreApprovals))
    throw new AppError('usage', `--restore-approvals ${restoreApprovals}: expected a number`);
  return { ...(steps === undefined ? {} : { steps }), ...(restoreApprovals === undefined ? {} : { approval: Number(restoreApprovals) }) };
}

/** Each after the one before; such as `bookinfo/productpage,edge/*`. */
function wavesFrom(waves: DrainFlags['wave']): DrainSpec['waves'] {
  return waves?.map((text, index) => {
    const parts = text.split(',').map((part) => /^([a-z0-9-]+)\/([a-z0-9-]+|\*)$/.exec(part.trim()) ?? []);
    if (parts.some(([whole]) => whole === undefined))
      throw new AppError(
        'usage',
        `--wave ${text}: expected NAMESPACE/SERVICE, or NAMESPACE/* for all of its services, with commas between`,
      );
    const namespaces = parts.flatMap(([, namespace = '', service]) => (service === '*' ? [namespace] : []));
    const names = parts.flatMap(([whole = '', , service]) => (service === '*' ? [] : [whole]));
    const selector = { ...(namespaces.length === 0 ? {} : { namespaces }), ...(names.length === 0 ? {} : { names }) };
    return { name: waveName(index), selector, ...(index === 0 ? {} : { after: [waveName(index - 1)] }) };
  });
}

const waveName = (index: number): string => `wave-${index + 1}`;

/** Such as `10,25:5m,100`: percentages, some with a hold of their own. */
function stepsFrom(flag: string, text: string | undefined, hold: string | undefined): DrainSpec['steps'] {
  return text?.split(',').map((part) => {
    const [percent = '', own] = part.trim().split(':');
    if (!/^\d+(\.\d+)?$/.test(percent)) throw new AppError('usage', `${flag} ${text}: expected percentages such as 10,25:5m,100`);
    const held = own ?? hold;
    return { percent: Number(percent), ...(held === undefined ? {} : { hold: held }) };
  });
}

/** Such as `us-west=3` or `cluster:us-west-1`. */
function targetFrom(text: string): MoveTargets[number] {
  const [, kind, place, weight] = /^(cluster:|region:)?([a-z0-9-]+)(?:=(\d+))?$/.exec(text) ?? [];
  if (place === undefined) throw new AppError('usage', `--to ${text}: expected REGION, cluster:NAME, or either with =WEIGHT`);
  return { ...(kind === 'cluster:' ? { cluster: place } : { region: place }), ...(weight === undefined ? {} : { weight: Number(weight) }) };
}
