/** Whether STRICT would cut anybody off, from what the agents counted. Unknown is never ready. Pure. */
import type { CalledPort, CalledWorkload, PlainCallersAccount, Readiness, StrictReadinessAnswer } from '@hawser/wire/strict-readiness.ts';

/** What became of the question in one cluster. */
export interface ClusterAccounts {
  readonly cluster: string;
  /** Of its agents. */
  readonly accounts: readonly PlainCallersAccount[];
  /** Why not everything is known; undefined when it is. */
  readonly problem?: string | undefined;
}

/** A sidecar is read every second; one that was not for this long is not watched. */
const LATE_MS = 15_000;

type Workload = StrictReadinessAnswer['workloads'][number];

/** The answer, in the order of the clusters. */
export function strictReadiness(all: readonly ClusterAccounts[], windowMs: number): StrictReadinessAnswer {
  const workloads = all.flatMap(({ cluster, accounts }) =>
    accounts.flatMap(({ workloads: known, now }) => known.map((one) => judged(one, { cluster, windowMs, now: Date.parse(now) }))),
  );
  const clusters = all.map((one) => judgedCluster(one, workloads));
  return { ready: clusters.every(({ state }) => state === 'ready'), windowMs, clusters, workloads, bare: all.flatMap(bareOf) };
}

function judgedCluster(
  { cluster, accounts, problem }: ClusterAccounts,
  workloads: readonly Workload[],
): StrictReadinessAnswer['clusters'][number] {
  const own = workloads.filter((one) => one.cluster === cluster);
  const omitted = accounts.reduce((sum, account) => sum + account.omitted, 0);
  const reason = problem ?? (omitted > 0 ? `${omitted} workloads are not in the answer: ask by namespace` : undefined);
  const worst = worstOf(own.map(({ state }) => state));
  const unseen = own.filter(({ state }) => state === 'unknown').length;
  // Who would be cut off is known, whatever else is not.
  if (worst === 'plain') return { cluster, state: 'plain', ...(reason === undefined ? {} : { reason }) };
  if (reason !== undefined) return { cluster, state: 'unknown', reason };
  return { cluster, state: worst, ...(worst === 'unknown' ? { reason: `${unseen} workloads were not watched for the whole window` } : {}) };
}

interface Within {
  readonly cluster: string;
  readonly windowMs: number;
  /** The agent's clock, ms. */
  readonly now: number;
}

function judged(workload: CalledWorkload, { cluster, windowMs, now }: Within): Workload {
  const reason = unwatched(workload, { windowMs, now });
  const otherwise: Readiness = reason === undefined ? 'ready' : 'unknown';
  const ports = workload.ports.map((port) => ({ ...port, state: isCalled(port) ? ('plain' as const) : otherwise }));
  const state = worstOf([otherwise, ...ports.map((port) => port.state)]);
  return { cluster, ...workload, ports, state, ...(reason === undefined ? {} : { reason }) };
}

function isCalled({ callers, omitted }: CalledPort): boolean {
  return callers.length > 0 || omitted > 0;
}

function unwatched({ since, readAt }: CalledWorkload, { windowMs, now }: Omit<Within, 'cluster'>): string | undefined {
  if (since === undefined || readAt === undefined) return 'its sidecar was not read yet';
  const late = now - Date.parse(readAt);
  if (!(late <= LATE_MS)) return `its sidecar was last read ${Math.round(late / 1_000)} s ago`;
  const watched = now - Date.parse(since);
  return watched >= windowMs ? undefined : `watched for ${Math.max(Math.floor(watched / 1_000), 0)} s of ${windowMs / 1_000} s`;
}

function worstOf(states: readonly Readiness[]): Readiness {
  if (states.includes('plain')) return 'plain';
  return states.includes('unknown') ? 'unknown' : 'ready';
}

/** Of several agents each knows its own sidecars alone. */
function bareOf({ cluster, accounts }: ClusterAccounts): StrictReadinessAnswer['bare'] {
  const kept = new Set(accounts.flatMap(({ workloads }) => workloads.map(({ address }) => address)));
  const bare = new Map(accounts.flatMap((account) => account.bare.map((one) => [one.address, one] as const)));
  return [...bare.values()].filter(({ address }) => !kept.has(address)).map((one) => ({ cluster, ...one }));
}
