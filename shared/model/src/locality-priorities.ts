/** Which clusters answer for a service, in which order: shared by agents (EDS) and the hub (`who-serves`). Pure. */
import type { FailoverPolicySpec, TrafficShiftSpec } from './kind-specs.ts';

/** Where a cluster is. */
export interface ClusterPlace {
  readonly cluster: string;
  readonly region: string;
}

/** What decides the order of clusters for one service. */
export interface LocalityInput {
  /** The cluster whose clients ask. */
  readonly from: ClusterPlace;
  /** Clusters that have at least one endpoint of the service, with their number. */
  readonly serving: readonly (ClusterPlace & { readonly endpoints: number })[];
  readonly failover?: FailoverPolicySpec | undefined;
  readonly shift?: TrafficShiftSpec | undefined;
}

/** One cluster's place in the order. Without `weight` it takes no planned share, but stands in when the weighted ones fail. */
export interface LocalityPriority {
  readonly cluster: string;
  readonly region: string;
  /** 0 is first; contiguous over the whole answer (Envoy rejects gaps). */
  readonly priority: number;
  /** Integer ≥ 1, relative within one priority. */
  readonly weight: number;
}

/** Weights are scaled so that a region of 1 % split over many clusters keeps its share. */
const WEIGHT_SCALE = 10_000;

/**
 * Orders the serving clusters: own cluster, own region, regions by the policy's order, then any other in one level.
 * A shift puts its weighted regions together at priority 0, and the rest below in that same order.
 */
export function localityPriorities(input: LocalityInput): readonly LocalityPriority[] {
  const shares = input.shift?.regions ?? {};
  const shifted = input.serving.filter((place) => (shares[place.region] ?? 0) > 0);
  const rest = input.serving.filter((place) => !shifted.includes(place));
  const levels = [shifted, ...tiers(input, rest)].filter((level) => level.length > 0);
  return levels.flatMap((level, priority) =>
    [...level]
      .sort((a, b) => (a.cluster < b.cluster ? -1 : 1))
      .map((place) => ({
        cluster: place.cluster,
        region: place.region,
        priority,
        weight: level === shifted ? shiftedWeight(place, shifted, shares) : place.endpoints,
      })),
  );
}

type Serving = LocalityInput['serving'][number];

function tiers(input: LocalityInput, places: readonly Serving[]): Serving[][] {
  const order = input.failover?.order ?? [];
  const byTier = new Map<number, Serving[]>();
  for (const place of places) {
    const tier = tierOf(place, input.from, order);
    byTier.set(tier, [...(byTier.get(tier) ?? []), place]);
  }
  return [...byTier.entries()].sort(([a], [b]) => a - b).map(([, level]) => level);
}

function tierOf(place: ClusterPlace, from: ClusterPlace, order: readonly string[]): number {
  if (place.cluster === from.cluster) return 0;
  if (place.region === from.region) return 1;
  const index = order.indexOf(place.region);
  return index < 0 ? 2 + order.length : 2 + index;
}

/** A region's share, divided over its clusters by their endpoints. */
function shiftedWeight(place: Serving, shifted: readonly Serving[], shares: Readonly<Record<string, number>>): number {
  const region = shifted.filter((other) => other.region === place.region);
  const endpoints = region.reduce((sum, other) => sum + other.endpoints, 0);
  return Math.max(1, Math.round(((shares[place.region] ?? 0) * WEIGHT_SCALE * place.endpoints) / endpoints));
}
