/** What places bear of the services of a FailoverPolicy, as measured. Pure. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import { isCovered, type MeasuredTraffic, type TrafficGroup } from '@hawser/model/measured-traffic.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import type { ClusterView } from '../fleet/fleet-state.ts';
import type { MeasuredLoads, MeasuredPlace } from './overflow-state.ts';

/** Whole seconds that a judgement needs, and looks at. */
const LEAST_MS = 2_000;
const WINDOW_MS = 5_000;
/** Part of the seconds that must be known. */
const COVERED = 0.9;
/** Part of the answers of a place that may be failures. */
const TOLERATED = 0.01;

/** What is asked. */
export interface LoadsQuestion {
  readonly namespace: string;
  readonly spec: FailoverPolicySpec;
  /** Unix ms. */
  readonly since: number;
  readonly clusters: readonly ClusterView[];
  /** Those among them where the policy is in force: its capacity is what their callers may use, and they alone obey what is spilled. */
  readonly callers: ReadonlySet<string>;
  /** Clusters that are not waited for. */
  readonly away: readonly string[];
}

/** What places bear of the callers that obey the policy; undefined while the counts of those of a cluster that is there are not known of enough seconds. */
export function measuredLoads(traffic: MeasuredTraffic, asked: LoadsQuestion): MeasuredLoads | undefined {
  const to = traffic.knownUntil();
  const from = Math.max(Math.ceil(asked.since / 1_000) * 1_000, to - WINDOW_MS);
  if (to - from < LEAST_MS) return undefined;
  const services = new Map<string, readonly MeasuredPlace[]>();
  let isWhole = true;
  for (const service of servicesOf(asked)) {
    const query = { service: serviceKey({ namespace: asked.namespace, service }), from, to };
    const sums = traffic.window(query);
    const callers = sums.sources.filter(({ cluster }) => asked.callers.has(cluster));
    const sources = callers.filter(({ cluster }) => !asked.away.includes(cluster));
    if (!isCovered({ ...sums, sources }, COVERED)) return undefined;
    isWhole &&= isCovered({ ...sums, sources: callers }, COVERED);
    const groups = traffic.groups(query, ['source', 'cluster', 'region']).filter(({ source }) => asked.callers.has(source));
    services.set(service, placesOf(groups, { service, asked, seconds: (to - from) / 1_000 }));
  }
  return { services, isWhole };
}

function servicesOf({ namespace, spec, clusters }: LoadsQuestion): readonly string[] {
  if (spec.services !== undefined) return spec.services;
  const all = clusters.flatMap(({ shards }) => [...shards.values()].filter((shard) => shard.namespace === namespace));
  return [...new Set(all.map(({ service }) => service))].sort();
}

interface About {
  readonly service: string;
  readonly asked: LoadsQuestion;
  readonly seconds: number;
}

/** A region whose capacity is declared is one place; every other cluster that serves is one of its own. */
function placesOf(groups: readonly TrafficGroup[], { service, asked, seconds }: About): readonly MeasuredPlace[] {
  const { namespace, spec, clusters } = asked;
  const key = serviceKey({ namespace, service });
  const serving = clusters.filter(({ shards }) => (shards.get(key)?.total ?? 0) > 0);
  const placeOf = ({ region, name }: { region: string; name: string }): string =>
    spec.capacity?.regions?.[region] === undefined ? `cluster ${name}` : `region ${region}`;
  const places = new Map(serving.map(({ member }) => [placeOf(member), { attempts: 0, failed: 0 }]));
  for (const { destination, sums } of groups) {
    const place = placeOf({ region: destination.region, name: destination.cluster });
    const known = places.get(place);
    if (known === undefined) continue;
    places.set(place, { attempts: known.attempts + sums.attempts, failed: known.failed + sums.failedAttempts });
  }
  return [...places].map(([place, { attempts, failed }]) => ({
    ...{ place, perSecond: attempts / seconds, isFailing: failed > TOLERATED * attempts },
  }));
}
