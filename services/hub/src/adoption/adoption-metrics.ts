/** Metrics of the policy that clusters have of their own, by the replica that leads. */
import { gauges, type Registry, type Sample } from '@hawser/runtime/metrics.ts';
import type { FoundState } from '@hawser/wire/found-policies.ts';
import type { FoundRow } from './adoption-plan.ts';

/** How many objects there are of a cluster, by what became of them. */
export type FoundCount = Sample<'cluster' | 'state'>;

const STATES: readonly FoundState[] = ['Adopted', 'ReadOnly', 'Conflict', 'Refused'];

/** Of one cluster; each state, so that one that ends is 0 and not unknown. */
export function foundCounts(cluster: string, found: readonly Pick<FoundRow, 'state'>[]): readonly FoundCount[] {
  return STATES.map((state) => [{ cluster, state }, found.filter((row) => row.state === state).length]);
}

/** Registers them. */
export function registerAdoptionMetrics(registry: Registry, loop: { readonly counts: readonly FoundCount[] }): void {
  gauges(registry, 'hub_cluster_policies', () => loop.counts);
}
