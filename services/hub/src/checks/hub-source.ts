/** Numbers out of the traffic that proxies measured. Pure. */
import type { CheckSpec, HubMetric } from '@hawser/model/check.ts';
import type { Measurement } from '@hawser/model/check-verdict.ts';
import { latencyQuantile } from '@hawser/model/latency-histogram.ts';
import {
  addTraffic,
  isCovered,
  type MeasuredTraffic,
  type TrafficCounts,
  type TrafficQuery,
  type TrafficSums,
} from '@hawser/model/measured-traffic.ts';

type HubSource = Extract<CheckSpec['source'], { hub: unknown }>['hub'];

/** What a check is about that does not say it. */
export interface CheckSubject {
  /** Namespace of services that are named without one; '' for resources of none. */
  readonly namespace: string;
  /** `NAMESPACE/NAME`. */
  readonly services: 'all' | readonly string[];
}

/** Part of a span that every cluster's callers must have accounted for: an agent that starts anew misses a few seconds. */
const COVERED = 0.9;
const QUANTILES: Partial<Record<HubMetric, number>> = { latencyP50: 0.5, latencyP90: 0.9, latencyP99: 0.99 };

/** The metric over the window that ends where traffic is known until. What is not known is no data. */
export function measureTraffic(
  traffic: MeasuredTraffic,
  source: HubSource,
  { windowMs, subject }: { readonly windowMs: number; readonly subject: CheckSubject },
): Measurement {
  const to = traffic.knownUntil();
  const span = { from: to - windowMs, to };
  const services = servicesOf(source, subject);
  const sums = summed(traffic, services, { ...span, ...filterOf(source) });
  const silent = isCovered(sums, COVERED) ? undefined : silence(sums);
  const { metric } = source;
  if (metric === 'requestsPerSecond') return known(sums.requests / Math.max(1, sums.seconds), silent);
  if (metric === 'inFlight') return known(sums.inFlight, silent);
  if (metric === 'share') {
    const { destination: _, ...anywhere } = filterOf(source);
    const all = summed(traffic, services, { ...span, ...anywhere });
    return all.requests === 0
      ? { noData: NOTHING }
      : known(sums.requests / all.requests, isCovered(all, COVERED) ? undefined : silence(all));
  }
  if (sums.requests === 0) return { noData: silent ?? NOTHING };
  if (metric === 'errorRatio') return { value: sums.failures / sums.requests, partial: silent };
  const value = latencyQuantile(sums.latency, QUANTILES[metric] ?? 1);
  return value === undefined ? { noData: 'no latencies were measured' } : { value, partial: silent };
}

const NOTHING = 'there were no requests';

function known(value: number, silent: string | undefined): Measurement {
  return silent === undefined ? { value } : { noData: silent };
}

function servicesOf({ service }: HubSource, { namespace, services }: CheckSubject): readonly (string | undefined)[] {
  if (service !== undefined) return [service.includes('/') ? service : `${namespace}/${service}`];
  return services === 'all' ? [undefined] : services;
}

function filterOf({ source, destination }: HubSource): Pick<TrafficQuery, 'source' | 'destination'> {
  return { ...(source === undefined ? {} : { source }), ...(destination === undefined ? {} : { destination }) };
}

/** Whoever is asked about is the same for each service. */
function summed(traffic: MeasuredTraffic, services: readonly (string | undefined)[], query: TrafficQuery): TrafficSums {
  const each = services.map((service) => traffic.window(service === undefined ? query : { ...query, service }));
  const [first = traffic.window(query), ...rest] = each;
  const inFlight = each.length === 0 ? first.inFlight : each.reduce((sum, one) => sum + one.inFlight, 0);
  return { ...first, ...rest.reduce<TrafficCounts>(addTraffic, first), inFlight };
}

function silence({ sources, seconds }: TrafficSums): string {
  if (sources.length === 0) return 'no cluster has measured anything yet';
  const gaps = sources.filter((source) => source.seconds < seconds * COVERED);
  const said = gaps.slice(0, 3).map((source) => `${source.cluster} ${source.seconds} of ${seconds} s`);
  return `not all callers have said what they measured: ${said.join(', ')}${gaps.length > 3 ? ` and ${gaps.length - 3} more` : ''}`;
}
