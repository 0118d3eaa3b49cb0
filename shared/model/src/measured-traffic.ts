/**
 * Measured traffic: what the proxies of the callers counted, second by second, and what parts of the hub ask about it. A *client
 * request* is what an application sent, an *attempt* is what its proxy sent for it: a request that was retried once is one request,
 * two attempts, one retry. Unknown is not zero: whoever reads a sum looks at its coverage (`isCovered`). Pure.
 */
import { type LatencyHistogram, mergeLatencies, NO_LATENCIES } from './latency-histogram.ts';

/** Where attempts went to. All of it is '' for requests that no endpoint was found for. */
export interface TrafficDestination {
  /** Hawser cluster; '' for endpoints that no cluster has (hosts of ServiceEntries). */
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
  /** Label `version` of the workload; '' when it has none. */
  readonly version: string;
}

/** What tells one series from another. */
export interface TrafficKey {
  /** Cluster of the callers. */
  readonly source: string;
  /** `NAMESPACE/SERVICE`; `UNKNOWN_SERVICE` for requests that led to none. */
  readonly service: string;
  readonly destination: TrafficDestination;
}

/** Requests that no route led to a service. */
export const UNKNOWN_SERVICE = 'unknown/unknown';
/** Service, or version, that series are counted under once there are too many of them; their sums stay exact. */
export const OVERFLOW = '(other)';

/** What is counted. Requests belong to the destination of their last attempt. */
export interface TrafficCounts {
  /** Client requests that ended. */
  readonly requests: number;
  /** Those of them that failed as the client saw it: 5xx, a gRPC status that stands for one, a reset or a timeout. */
  readonly failures: number;
  /** Attempts that ended. */
  readonly attempts: number;
  /** Those of them that failed: 5xx, such a gRPC status, a reset, a timeout, a refused connection. */
  readonly failedAttempts: number;
  /** Attempts beyond the first of the client requests that ended. */
  readonly retries: number;
  /** Client requests' time from the first byte in to the last one out. */
  readonly latency: LatencyHistogram;
}

/** One second of one series. */
export interface TrafficSample extends TrafficKey, TrafficCounts {
  /** Begin of the second, ms of the hub's clock, divisible by 1000. */
  readonly at: number;
  /** Attempts in progress at its end. */
  readonly inFlight: number;
}

/** Which traffic; what is left out is not asked for. */
export interface TrafficFilter {
  readonly service?: string;
  readonly source?: string;
  readonly destination?: Partial<TrafficDestination>;
}

/** Which traffic, and when: from `from` (inclusive) to `to` (exclusive), ms of the hub's clock; whole seconds are counted. */
export interface TrafficQuery extends TrafficFilter {
  /** These services alone, `NAMESPACE/SERVICE`; nothing else is looked through. */
  readonly services?: readonly string[];
  readonly from: number;
  readonly to: number;
}

/** How much of a span is known of one cluster's callers. */
export interface SourceCoverage {
  readonly cluster: string;
  /** Seconds of the span that its agents have accounted for. */
  readonly seconds: number;
  /** End of the newest second that they accounted for, in the span or not; undefined: never heard of. */
  readonly newestAt: number | undefined;
  /** Proxies whose counts could not be read when its agents last spoke: their share is not in the sums. */
  readonly unreadProxies: number;
}

/** Traffic added up, and how much of it is known. */
export interface TrafficSums extends TrafficCounts {
  /** At the end of the newest second that is known. */
  readonly inFlight: number;
  /** Seconds of the span. */
  readonly seconds: number;
  /** Every cluster whose callers were asked about: members of the federation, whether they said something or not. */
  readonly sources: readonly SourceCoverage[];
}

/** Traffic by some of its dimensions; those that were not asked for are ''. */
export interface TrafficGroup extends TrafficKey {
  readonly sums: TrafficSums;
}

/** What groups are made by. */
export type TrafficDimension = 'source' | 'service' | 'cluster' | 'region' | 'zone' | 'version';

/** A source's share of attempts, between 0 and 1, that went to a destination; of client requests also. */
export interface TrafficShare {
  readonly source: string;
  readonly destination: TrafficDestination;
  readonly attempts: number;
  readonly requests: number;
  /** Of the attempts that `source` made of the service. */
  readonly share: number;
  /** Of the requests that `source` made of the service, by their last attempts. */
  readonly requestShare: number;
}

/** What a cluster bears of a service, from all sources. */
export interface TrafficLoad {
  readonly cluster: string;
  readonly service: string;
  /** Attempts that arrive, per second. */
  readonly perSecond: number;
  readonly inFlight: number;
}

/** What parts of the hub ask about traffic; every replica of the hub answers. */
export interface MeasuredTraffic {
  /** Everything that the query means, added up. */
  window(query: TrafficQuery): TrafficSums;
  /** The same, apart by dimensions; what was not called is not in it. */
  groups(query: TrafficQuery, by: readonly TrafficDimension[]): readonly TrafficGroup[];
  /** Who called what in the last `windowMs` that are whole, by source, destination cluster and version. */
  shares(service: string, windowMs: number): readonly TrafficShare[];
  /** What clusters bore of services in the last `windowMs` that are whole. */
  load(windowMs: number, services: readonly string[]): readonly TrafficLoad[];
  /** Services that something is known of. */
  services(): readonly string[];
  /** End of the newest second that the cluster's agents have accounted for; undefined: nothing is known of it. */
  newestAt(cluster: string): number | undefined;
  /** Ends of spans that are whole: what happened before is known, but for clusters that are silent. Ms of the hub's clock. */
  knownUntil(): number;
}

/** Nothing counted. */
export const NO_TRAFFIC: TrafficCounts = {
  ...{ requests: 0, failures: 0, attempts: 0, failedAttempts: 0, retries: 0 },
  latency: NO_LATENCIES,
};

/** Both together. */
export function addTraffic(a: TrafficCounts, b: TrafficCounts): TrafficCounts {
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    attempts: a.attempts + b.attempts,
    failedAttempts: a.failedAttempts + b.failedAttempts,
    retries: a.retries + b.retries,
    latency: mergeLatencies(a.latency, b.latency),
  };
}

/**
 * Whether a sum may be relied on: every cluster that was asked about has accounted for at least `share` (0 to 1) of the span, and
 * there is one. Zero requests of a covered span are zero; of any other they are unknown.
 */
export function isCovered(sums: Pick<TrafficSums, 'seconds' | 'sources'>, share = 1): boolean {
  return sums.sources.length > 0 && sums.sources.every(({ seconds }) => seconds >= sums.seconds * share);
}

/** Whether a series is meant. */
export function meansTraffic({ service, source, destination = {} }: TrafficFilter, key: TrafficKey): boolean {
  if (service !== undefined && service !== key.service) return false;
  if (source !== undefined && source !== key.source) return false;
  return DESTINATION_FIELDS.every((field) => destination[field] === undefined || destination[field] === key.destination[field]);
}

/** The fields of a destination, in their usual order. */
export const DESTINATION_FIELDS = ['cluster', 'region', 'zone', 'version'] as const;
