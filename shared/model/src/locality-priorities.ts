/** Which clusters answer for a service, in which order: shared by agents (EDS) and the hub (`who-serves`). Pure. */
import type { Diversion } from './diversion.ts';
import { divertedLevels } from './diverted-levels.ts';
import type { FailoverPolicySpec } from './failover-policy.ts';
import { failoverFrom, type LocalitySetting, matchesLocality, priorityLabels, sharesFrom } from './locality-setting.ts';
import type { TrafficShiftSpec } from './traffic-shift.ts';

/** Where a cluster is. */
export interface ClusterPlace {
  readonly cluster: string;
  readonly region: string;
  readonly zone?: string | undefined;
}

/** A cluster that serves, or those of its endpoints that are equally far from the caller. */
export interface ServingPlace extends ClusterPlace {
  readonly endpoints: number;
  /** Whether the caller reaches it through the gateway of its cluster. */
  readonly throughGateway?: boolean | undefined;
  /** By the labels of `failoverPriority`; 0 is nearest. */
  readonly distance?: number | undefined;
}

/** What decides the order of clusters for one service. */
export interface LocalityInput {
  /** The cluster whose clients ask. */
  readonly from: ClusterPlace;
  /** Clusters that have at least one endpoint of the service, with their number. */
  readonly serving: readonly ServingPlace[];
  readonly failover?: FailoverPolicySpec | undefined;
  readonly shift?: TrafficShiftSpec | undefined;
  /** Of the DestinationRule in force; a FailoverPolicy goes before its order, a TrafficShift before its shares. */
  readonly setting?: LocalitySetting | undefined;
  /** What is taken from places (`diversionsOf`). */
  readonly diversions?: readonly Diversion[] | undefined;
}

/** One cluster's place in the order. Without `weight` it takes no planned share, but stands in when the weighted ones fail. */
export interface LocalityPriority {
  readonly cluster: string;
  readonly region: string;
  /** As it was given. */
  readonly distance?: number;
  /** 0 is first; contiguous over the whole answer (Envoy rejects gaps). */
  readonly priority: number;
  /** Integer ≥ 1, relative within one priority. */
  readonly weight: number;
}

/** Weights are scaled so that a region of 1 % split over many clusters keeps its share. */
const WEIGHT_SCALE = 10_000;

/**
 * Orders the serving clusters: own cluster, own zone, own region, regions by the policy's order, then any other in one level.
 * Planned shares (a shift's, else those of `distribute`) come together at priority 0, and the rest below in that same order;
 * `distribute` alone leaves the rest out, as Istio does: with an order for failover beside it, the rest stands in. Diversions
 * (`divertedLevels`) are taken from that.
 */
export function localityPriorities(input: LocalityInput): readonly LocalityPriority[] {
  const plan = planOf(input);
  const planned = input.serving.filter((place) => plan.partOf(place) !== undefined).sort(byCluster);
  const rest = plan.isExclusive ? [] : input.serving.filter((place) => plan.partOf(place) === undefined);
  const standing = tiers(input, rest).map((level) => [...level].sort(byCluster).map((place) => ({ place, weight: place.endpoints })));
  const levels = [plannedLevel(planned, plan), ...standing].filter((level) => level.length > 0);
  return divertedLevels(levels, input.diversions ?? []).flatMap((level, priority) =>
    [...level]
      .sort((a, b) => byCluster(a.place, b.place))
      .map(({ place, weight }) => ({
        cluster: place.cluster,
        region: place.region,
        ...(place.distance === undefined ? {} : { distance: place.distance }),
        priority,
        weight,
      })),
  );
}

interface Part {
  readonly name: string;
  readonly share: number;
}

interface Plan {
  /** The part of the plan that a place belongs to, if any. */
  readonly partOf: (place: ClusterPlace) => Part | undefined;
  /** Whether places outside of the plan never serve. */
  readonly isExclusive: boolean;
}

function planOf({ from, shift, setting, failover }: LocalityInput): Plan {
  const { regions, clusters } = shift ?? {};
  if (regions !== undefined || clusters !== undefined) {
    const partOf = ({ region, cluster }: ClusterPlace): Part =>
      regions === undefined ? { name: cluster, share: clusters?.[cluster] ?? 0 } : { name: region, share: regions[region] ?? 0 };
    return { partOf: (place) => positive(partOf(place)), isExclusive: false };
  }
  const shares = sharesFrom(setting, from);
  if (shares === undefined) return { partOf: () => undefined, isExclusive: false };
  const partOf = (place: ClusterPlace): Part | undefined => {
    const found = shares.find(([pattern]) => matchesLocality(pattern, place));
    return found === undefined ? undefined : positive({ name: found[0], share: found[1] });
  };
  const hasOrder = failover !== undefined || setting?.failover !== undefined || priorityLabels(setting) !== undefined;
  return { partOf, isExclusive: !hasOrder };
}

function positive(part: Part): Part | undefined {
  return part.share > 0 ? part : undefined;
}

function tiers(input: LocalityInput, places: readonly ServingPlace[]): ServingPlace[][] {
  const tierOf = tierBy(input);
  const byTier = Map.groupBy(places, tierOf);
  return [...byTier.entries()].sort(([a], [b]) => a - b).map(([, level]) => level);
}

function tierBy({ from, failover, setting }: LocalityInput): (place: ServingPlace) => number {
  if (failover !== undefined) return (place) => tierOf(place, from, failover.order);
  if (setting?.enabled === false) return () => 0;
  if (priorityLabels(setting) !== undefined) return (place) => place.distance ?? 0;
  const order = failoverFrom(setting, from.region) ?? [];
  return (place) => tierOf(place, from, order);
}

function tierOf(place: ClusterPlace, from: ClusterPlace, order: readonly string[]): number {
  if (place.cluster === from.cluster) return 0;
  if (place.region === from.region) return isSameZone(place, from) ? 1 : 2;
  const index = order.indexOf(place.region);
  return index < 0 ? 3 + order.length : 3 + index;
}

function isSameZone(a: ClusterPlace, b: ClusterPlace): boolean {
  return a.zone !== undefined && a.zone !== '' && a.zone === b.zone;
}

/** Each part's share, divided over its places by their endpoints; what is rounded at one is made up for at the next. */
function plannedLevel(planned: readonly ServingPlace[], { partOf }: Plan): { place: ServingPlace; weight: number }[] {
  const totals = new Map<string | undefined, number>();
  for (const place of planned) totals.set(partOf(place)?.name, (totals.get(partOf(place)?.name) ?? 0) + place.endpoints);
  const before = new Map<string | undefined, number>();
  return planned.map((place) => {
    const { name, share = 0 } = partOf(place) ?? {};
    const [from, total] = [before.get(name) ?? 0, totals.get(name) ?? 1];
    const upTo = (endpoints: number): number => Math.round((share * WEIGHT_SCALE * endpoints) / total);
    before.set(name, from + place.endpoints);
    return { place, weight: Math.max(1, upTo(from + place.endpoints) - upTo(from)) };
  });
}

function byCluster(a: ServingPlace, b: ServingPlace): number {
  if (a.cluster !== b.cluster) return a.cluster < b.cluster ? -1 : 1;
  return (a.distance ?? 0) - (b.distance ?? 0);
}
