/** What share of the requests is seen to go to what is drained. Unknown is not zero. */
import type { DrainScope } from '@hawser/model/drain.ts';
import type { MeasuredTraffic, TrafficGroup } from '@hawser/model/measured-traffic.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Residual } from './drain-evidence.ts';
import { membersIn } from './drain-world.ts';

/** What is looked at. */
export interface ResidualQuestion {
  readonly scope: DrainScope;
  /** `NAMESPACE/NAME` that are asked about. */
  readonly services: readonly string[];
  /** Since when the form in force is so, milliseconds ago; undefined: before there was any. */
  readonly sinceMs: number | undefined;
  /** Clusters that are not connected: nobody waits for their word. */
  readonly away: ReadonlySet<string>;
}

const LONGEST_MS = 10_000;
const SHORTEST_MS = 2_000;
const SECOND_MS = 1_000;

/** The share in the last whole seconds that lie after the form came into force. */
export function residualOf(
  context: FleetContext,
  traffic: MeasuredTraffic | undefined,
  { scope, services, sinceMs, away }: ResidualQuestion,
): Residual {
  if (traffic === undefined) return { kind: 'unobserved', why: 'this hub does not measure traffic' };
  const to = traffic.knownUntil();
  const begun = sinceMs === undefined ? 0 : Math.ceil((context.now() - sinceMs) / SECOND_MS) * SECOND_MS;
  const from = Math.max(begun, to - LONGEST_MS);
  if (to - from < SHORTEST_MS) return { kind: 'unobserved', why: 'the seconds since then are not whole yet' };
  const { sources } = traffic.window({ services, from, to });
  const awaited = sources.filter(({ cluster }) => !away.has(cluster));
  if (awaited.length === 0) return { kind: 'unobserved', why: 'no cluster is connected whose callers could tell' };
  const silent = awaited.filter(({ seconds }) => seconds * SECOND_MS < to - from);
  if (silent.length > 0)
    return { kind: 'unobserved', why: `not all is known of the callers in ${silent.map(({ cluster }) => cluster).join(', ')}` };
  const isMoved = movedOf(context, scope);
  const groups = traffic.groups({ services, from, to }, ['source', 'service', 'cluster']).filter(({ source }) => isMoved(source));
  const attempts = (some: readonly TrafficGroup[]): number => some.reduce((sum, { sums }) => sum + sums.attempts, 0);
  const all = attempts(groups);
  const drained = new Set(membersIn(context, { scope }).map(({ name }) => name));
  const there = groups.filter(({ destination: { cluster } }) => drained.has(cluster));
  return all === 0 ? { kind: 'idle' } : { kind: 'observed', percent: (attempts(there) / all) * 100 };
}

/** Whose calls it moves: of a gateway's drain those of callers in other networks alone, whatever the cluster's own ones do. */
function movedOf(context: FleetContext, scope: DrainScope): (source: string) => boolean {
  if (scope.gateway === undefined) return () => true;
  const networks = new Map((context.distribution.desired?.members ?? []).map(({ name, network }) => [name, network]));
  const own = networks.get(scope.gateway);
  return (source) => source !== scope.gateway && networks.get(source) !== own;
}
