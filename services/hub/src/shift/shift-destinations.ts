/** What is known of the destinations of a shift: endpoints by what clusters publish, capacity as declared, requests as measured. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { effectiveSubsets } from '@hawser/model/effective-policy.ts';
import { CLUSTERS_ANNOTATION } from '@hawser/model/kinds.ts';
import type { MeasuredTraffic, TrafficGroup, TrafficSums } from '@hawser/model/measured-traffic.ts';
import { type ShiftDestination, type SteppedShift, targetOf } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceKey, type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { ClusterView } from '../fleet/fleet-state.ts';
import { declaredCapacity } from '../overflow/declared-capacity.ts';
import { isPlacedOn, policiesOn } from '../placement/place.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import type { DestinationFacts, ObservedRequests } from './shift-evidence.ts';

type Labels = Readonly<Record<string, string>>;

/** The services of a shift. */
export function servicesOf({ services }: Pick<SteppedShift, 'services'>, namespace: string): readonly ServiceName[] {
  return services.map((service) => ({ namespace, service }));
}

/** By the service and the selector of the shift, then by subset; worked out once for each state. */
const known = new WeakMap<DesiredState, Map<string, Subsets>>();

type Subsets = ReadonlyMap<string, Labels>;

/** A shift whose destinations are looked at: its metadata say of which namespace it is, and which clusters it goes to. */
export interface PlacedShift extends Pick<Resource, 'metadata'> {
  readonly spec: SteppedShift;
}

/**
 * The labels of a subset of a service (`NAMESPACE/NAME`), as the DestinationRules in force have it in every cluster that the shift goes to;
 * undefined where those of some cluster do not have it, or have it otherwise: its callers would be answered 503, or go elsewhere.
 */
export function subsetLabels(
  desired: DesiredState | undefined,
  { shift, service, subset }: { readonly shift: Pick<Resource, 'metadata'>; readonly service: string; readonly subset: string },
): Labels | undefined {
  return desired === undefined ? undefined : subsetsIn(desired, shift, service).get(subset);
}

function subsetsIn(desired: DesiredState, shift: Pick<Resource, 'metadata'>, service: string): Subsets {
  const all = known.get(desired) ?? new Map<string, Subsets>();
  known.set(desired, all);
  const key = `${service} ${shift.metadata.annotations?.[CLUSTERS_ANNOTATION] ?? ''}`;
  const found = all.get(key) ?? agreedSubsets(desired, shift, parseServiceKey(service));
  all.set(key, found);
  return found;
}

function agreedSubsets({ resources, members }: DesiredState, shift: Pick<Resource, 'metadata'>, service: ServiceName): Subsets {
  const rules = resources.filter(({ kind }) => kind === 'DestinationRule');
  const [first, ...others] = members
    .filter((member) => isPlacedOn(shift, member))
    .map((member) => effectiveSubsets(policiesOn(rules, member), service));
  const isAgreed = ([name, labels]: [string, Labels]): boolean => others.every((other) => isDeepStrictEqual(other.get(name), labels));
  return new Map([...(first ?? [])].filter(isAgreed));
}

/** The facts of each destination, by its name; of several services the least. */
export function destinationFacts(
  { fleet, distribution }: Pick<FleetContext, 'fleet' | 'distribution'>,
  shift: PlacedShift,
): Readonly<Record<string, DestinationFacts>> {
  const isHeard = fleet.knownServices() !== undefined;
  const { desired } = distribution;
  const clusters = fleet.clusters();
  return Object.fromEntries(
    shift.spec.destinations.map((destination) => {
      const facts = servicesOf(shift.spec, shift.metadata.namespace ?? '').map((service) => ({
        endpoints: isHeard ? endpointsOf(destination, { shift, service, clusters, desired }) : undefined,
        capacity: desired === undefined ? undefined : capacityOf(destination, service, desired),
      }));
      return [destination.name, { endpoints: least(facts.map((one) => one.endpoints)), capacity: least(facts.map((one) => one.capacity)) }];
    }),
  );
}

function least(numbers: readonly (number | undefined)[]): number | undefined {
  const found = numbers.filter((one) => one !== undefined);
  return found.length === 0 ? undefined : Math.min(...found);
}

interface Around {
  readonly shift: PlacedShift;
  readonly service: ServiceName;
  readonly clusters: readonly ClusterView[];
  readonly desired: DesiredState | undefined;
}

/** Endpoints that are meant to take traffic; of a subset, label sets of such. Undefined where too many labels are in use to be kept. */
function endpointsOf(destination: ShiftDestination, { shift, service, clusters, desired }: Around): number | undefined {
  const { sort, target } = targetOf(destination);
  const key = serviceKey(service);
  if (sort !== 'subset') {
    const meant = clusters.filter(({ member }) => (sort === 'region' ? member.region : member.name) === target);
    return meant.reduce((sum, { shards }) => sum + capable(shards.get(key)), 0);
  }
  const labels = subsetLabels(desired, { shift, service: key, subset: target });
  if (labels === undefined) return undefined;
  const shards = clusters.flatMap(({ shards: of }) => of.get(key) ?? []);
  if (shards.some((shard) => shard.labels === undefined)) return undefined;
  const matching = shards.flatMap((shard) => shard.labels ?? []).filter((set) => matches(labels, set));
  return matching.length;
}

function capable(shard: { readonly total: number; readonly draining: number } | undefined): number {
  return shard === undefined ? 0 : shard.total - shard.draining;
}

function matches(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/**
 * As the FailoverPolicy in force there declares it; of a version nobody does. Of a region all of its clusters have to: what one of them
 * says of its own counts for itself. Where they differ, the least.
 */
function capacityOf(destination: ShiftDestination, service: ServiceName, desired: DesiredState): number | undefined {
  const { sort, target } = targetOf(destination);
  if (sort === 'subset') return undefined;
  const declared = desired.members
    .filter((member) => (sort === 'region' ? member.region : member.name) === target)
    .map((member) => declaredCapacity(desired.resources, member, service)?.[sort === 'region' ? 'regions' : 'clusters']?.[target]);
  return declared.includes(undefined) ? undefined : least(declared);
}

/** Part of a span that every connected cluster's callers must have accounted for. */
const COVERED = 0.9;

/**
 * Requests to the services since a time (Unix milliseconds), no longer ago than the window; undefined where that is not known. Where
 * something before is not known, as after a hub was away, the newest part that is known is what counts.
 */
export function observedSince(
  traffic: MeasuredTraffic,
  span: { readonly since: number; readonly windowMs: number; readonly away: readonly string[] },
  of: { readonly shift: PlacedShift; readonly desired: DesiredState | undefined },
): ObservedRequests | undefined {
  const to = traffic.knownUntil();
  const longest = to - Math.max(Math.ceil(span.since / 1000) * 1000, to - span.windowMs);
  for (let length = longest; length >= 1_000; length = Math.floor(length / 2_000) * 1_000) {
    const observed = observedIn(traffic, { from: to - length, to, away: span.away }, of);
    if (observed !== undefined) return observed;
  }
  return undefined;
}

function observedIn(
  traffic: MeasuredTraffic,
  { from, to, away }: { readonly from: number; readonly to: number; readonly away: readonly string[] },
  { shift, desired }: Parameters<typeof observedSince>[2],
): ObservedRequests | undefined {
  let total = 0;
  const byDestination: Record<string, number> = {};
  for (const service of servicesOf(shift.spec, shift.metadata.namespace ?? '')) {
    const query = { service: serviceKey(service), from, to };
    const sums = traffic.window(query);
    if (!isHeard(sums, away)) return undefined;
    total += sums.requests;
    for (const group of traffic.groups(query, ['cluster', 'region', 'version'])) {
      const went = { ...group, service: query.service };
      const meant = shift.spec.destinations.find((destination) => wentTo(destination, went, { shift, desired }));
      if (meant !== undefined) byDestination[meant.name] = (byDestination[meant.name] ?? 0) + group.sums.requests;
    }
  }
  return { total, byDestination };
}

function isHeard({ sources, seconds }: TrafficSums, away: readonly string[]): boolean {
  const asked = sources.filter(({ cluster }) => !away.includes(cluster));
  return asked.length > 0 && asked.every((source) => source.seconds >= seconds * COVERED);
}

/** Whether requests went to a destination of a shift. A version is told by the label `version` alone. */
export function wentTo(
  shiftTo: ShiftDestination,
  {
    service,
    destination,
  }: Pick<TrafficGroup, 'service'> & { readonly destination: Pick<TrafficGroup['destination'], 'cluster' | 'region' | 'version'> },
  { shift, desired }: { readonly shift: Pick<Resource, 'metadata'>; readonly desired: DesiredState | undefined },
): boolean {
  const { sort, target } = targetOf(shiftTo);
  if (sort !== 'subset') return destination[sort] === target;
  const labels = subsetLabels(desired, { shift, service, subset: target });
  return labels?.['version'] !== undefined && labels['version'] === destination.version;
}

const LOAD_WINDOW_MS = 10_000;

/** Requests to the services, per second; undefined where that is not known. */
export function loadOf(traffic: MeasuredTraffic, spec: SteppedShift, namespace: string): number | undefined {
  const to = traffic.knownUntil();
  let load = 0;
  for (const service of servicesOf(spec, namespace)) {
    const sums = traffic.window({ service: serviceKey(service), from: to - LOAD_WINDOW_MS, to });
    if (!isHeard(sums, []) || sums.seconds === 0) return undefined;
    load += sums.requests / sums.seconds;
  }
  return load;
}
