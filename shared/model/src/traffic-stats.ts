/** How an Envoy names what it counts of traffic, and where its agent reads it: known to bootstrap, listeners and agent alike. Pure. */
import { LATENCY_BUCKETS, latencyBound } from './latency-histogram.ts';

/** Scope of the names: they begin with it and a dot, and its bound of series is theirs alone. */
export const TRAFFIC_SCOPE = 'hawser';

/** Names within the scope. */
export const TRAFFIC_STATS = { requests: 'requests', attempts: 'attempts', active: 'active', latency: 'latency' } as const;

/** The one tag of each; its value has what `TRAFFIC_FIELDS` says, and more by statistic, with `|` in between. */
export const TRAFFIC_TAG = 'of';

/** What an Envoy notes of the destination, in this order; where its cluster is, agents know. */
export const TRAFFIC_FIELDS = ['service', 'cluster', 'version'] as const;

/** Path on a proxy's port for statistics. */
export const TRAFFIC_PATH = '/hawser/traffic';

/** The same on Envoy's admin interface: the statistics of this scope, and how long the process runs. */
export const TRAFFIC_ADMIN_PATH = `/stats?format=json&histogram_buckets=cumulative&filter=${encodeURIComponent(`^(${TRAFFIC_SCOPE}\\.|server\\.uptime$)`)}`;

/** Bounds of the latencies' buckets, in microseconds; the last one holds whatever lasts for up to a day. */
export const TRAFFIC_BOUNDS_US: readonly number[] = [
  ...Array.from({ length: LATENCY_BUCKETS - 1 }, (_, bucket) => Math.round(latencyBound(bucket) * 1_000)),
  86_400_000_000,
];
