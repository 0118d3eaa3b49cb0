/** What a drain would do to the load of its destinations, by what is measured and by the order that agents compile. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { stagesOf } from '@hawser/model/drain-waves.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { serviceAnswers } from '../fleet/service-view.ts';
import { declaredCapacity } from '../overflow/declared-capacity.ts';
import { type LearnedCapacity, learnedKey } from '../overflow/learned-capacity.ts';
import { resourcesInForce } from '../placement/spec-in-force.ts';
import { type StagePercents, stagedForm } from './drain-stages.ts';
import { servicesMoved } from './drain-world.ts';
import { type Headroom, headroomOf, type ServiceLoad } from './headroom.ts';

/** What a forecast is made from. */
export interface ForecastParts {
  readonly context: FleetContext;
  readonly traffic: MeasuredTraffic | undefined;
  /** Where a policy asks for it, what clusters were seen to answer well is what they can take. */
  readonly learned?: LearnedCapacity | undefined;
  /** Requests/s that a cluster was seen to bear of a service, by `borneKey`; none where nothing was seen. */
  readonly borne: Readonly<Record<string, number>>;
  /** Part of the capacity that is to stay free, 0 to 1, where that is another than usual. */
  readonly free?: number;
}

/** A drain at percentages that are not in force yet. */
export interface Forecast {
  readonly drain: Resource;
  readonly percents: StagePercents;
  /** What it takes the place of, where that is another than itself: its form in force does not count. */
  readonly insteadOf?: { readonly kind: string; readonly name: string };
}

/** Load is looked at over this time, milliseconds: longer than the pulse of most clients, shorter than the time of a day. */
const LOAD_MS = 30_000;
/** Whole seconds of it that must be known of the callers of every cluster: of fewer a pause of theirs would seem to be no load. */
const LEAST_SECONDS = 5;
/** What was borne is taken for this part of what can be: load is never quite even. */
const BORNE = 0.7;

/** Name of what a cluster bore of a service. */
export function borneKey(service: string, cluster: string): string {
  return `${service} ${cluster}`;
}

/** Every destination that would get more than now. */
export function drainForecast({ drain, percents, insteadOf }: Forecast, parts: ForecastParts): readonly Headroom[] {
  const { context, traffic } = parts;
  const resources = context.distribution.desired?.resources ?? [];
  const policies = resourcesInForce(resources);
  const { kind: own, name: ownName } = insteadOf ?? { kind: 'Drain', name: drain.metadata.name };
  const isThis = ({ kind, metadata }: Resource): boolean => kind === own && metadata.name === ownName;
  const changed = [...policies.filter((policy) => !isThis(policy)), { ...drain, spec: formOf(drain, percents) }];
  const services = servicesMoved(context, drain.spec as DrainSpec);
  const demand = demandOf(traffic, services);
  return headroomOf(
    services.flatMap((service): ServiceLoad[] => {
      const name = serviceName(service);
      const [before, after] = [serviceAnswers(context, name, { policies }), serviceAnswers(context, name, { policies: changed })];
      if (before === undefined || after === undefined) return [];
      return [
        {
          service,
          demand: demand?.get(service) ?? (demand === undefined ? undefined : NONE),
          before: before.answers,
          after: after.answers,
          capacityOf: capacityOf({ name, policies, parts }),
        },
      ];
    }),
    parts.free,
  );
}

/** The form of a drain at percentages, as agents obey it. */
export function formOf({ spec }: Resource, percents: StagePercents): DrainSpec {
  const { scope, services, destinations, panicMode, reason, waves } = spec as DrainSpec;
  return {
    ...{ scope, ...stagedForm(percents, stagesOf(waves)) },
    ...(services === undefined ? {} : { services }),
    ...(destinations === undefined ? {} : { destinations }),
    ...(panicMode === undefined ? {} : { panicMode }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Requests/s that clusters bear of a service now, of those in the scope of a drain; what is not measured is left out. */
export function loadBorne(
  traffic: MeasuredTraffic | undefined,
  services: readonly string[],
  clusters: ReadonlySet<string>,
): Record<string, number> {
  const loads = (traffic?.load(LOAD_MS, services) ?? []).filter(({ cluster }) => clusters.has(cluster));
  return Object.fromEntries(loads.map(({ service, cluster, perSecond }) => [borneKey(service, cluster), perSecond]));
}

const NONE: ReadonlyMap<string, number> = new Map();

/** Requests/s by service and caller's cluster; undefined while a cluster has not accounted for enough of the time, or none is known. */
function demandOf(
  traffic: MeasuredTraffic | undefined,
  services: readonly string[],
): ReadonlyMap<string, ReadonlyMap<string, number>> | undefined {
  if (traffic === undefined) return undefined;
  const to = traffic.knownUntil();
  const groups = traffic.groups({ services, from: to - LOAD_MS, to }, ['source', 'service']);
  const { sources } = traffic.window({ services, from: to - LOAD_MS, to });
  if (sources.length === 0 || sources.some(({ seconds }) => seconds < LEAST_SECONDS)) return undefined;
  const demand = new Map<string, Map<string, number>>();
  for (const { source, service, sums } of groups) {
    const seconds = sums.sources.find(({ cluster }) => cluster === source)?.seconds ?? sums.seconds;
    const own = demand.get(service) ?? new Map<string, number>();
    demand.set(service, own.set(source, sums.attempts / Math.max(1, seconds)));
  }
  return demand;
}

interface CapacityOf {
  readonly name: ServiceName;
  readonly policies: readonly Resource[];
  readonly parts: ForecastParts;
}

/** What is declared in the FailoverPolicy in force there, of a region in equal parts among its clusters that serve; else the most that it was seen to bear. */
function capacityOf({ name, policies, parts }: CapacityOf): (cluster: string) => number | undefined {
  const key = `${name.namespace}/${name.service}`;
  const serving = parts.context.fleet.clusters().filter(({ shards }) => (shards.get(key)?.healthy ?? 0) > 0);
  return (cluster) => {
    const member = parts.context.fleet.cluster(cluster)?.member;
    const capacity = member === undefined ? undefined : declaredCapacity(policies, member, name);
    const region = member?.region ?? '';
    const inRegion = serving.filter((one) => one.member.region === region).length;
    const regional = capacity?.regions?.[region];
    const declared = capacity?.clusters?.[cluster] ?? (regional === undefined ? undefined : regional / Math.max(1, inRegion));
    const learned = capacity?.learned === true ? parts.learned?.get(learnedKey(key, cluster)) : undefined;
    const borne = parts.borne[borneKey(key, cluster)];
    const seen = Math.max(learned ?? 0, (borne ?? 0) / BORNE);
    return declared ?? (seen > 0 ? seen : undefined);
  };
}

function serviceName(key: string): ServiceName {
  const [namespace = '', service = ''] = key.split('/');
  return { namespace, service };
}
