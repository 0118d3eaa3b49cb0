/** What one Envoy says that it counted: read from its statistics in JSON. Pure. */
import { LATENCY_BUCKETS } from '@hawser/model/latency-histogram.ts';
import { UNKNOWN_SERVICE } from '@hawser/model/measured-traffic.ts';
import { TRAFFIC_FIELDS, TRAFFIC_SCOPE, TRAFFIC_STATS, TRAFFIC_TAG } from '@hawser/model/traffic-stats.ts';
import { type PlainCounts, readPlain } from '../plain/plain-counts.ts';

/** Sums since the process began: requests, failures, attempts, failed attempts, retries, then latencies by bucket. */
export type Counts = number[];

/** Places of the counts. */
export const COUNT = { requests: 0, failures: 1, attempts: 2, failedAttempts: 3, retries: 4, latency: 5 } as const;
/** How many counts there are. */
export const COUNTS = COUNT.latency + LATENCY_BUCKETS;

/** What one proxy counted. */
export interface ProxyCounts {
  /** Seconds that the process has been running. */
  readonly uptime: number;
  /** By `SERVICE|CLUSTER|VERSION`. */
  readonly series: ReadonlyMap<string, Counts>;
  /** Attempts in progress, by the same. */
  readonly inFlight: ReadonlyMap<string, number>;
}

/** All that one reading says. */
export interface ProxyReading extends ProxyCounts {
  /** Callers that did not come by the mesh's TLS. */
  readonly plain: PlainCounts;
}

/** Statistics of Envoy's admin interface (`/stats?format=json&histogram_buckets=cumulative`). */
interface Stat {
  readonly name?: string;
  readonly value?: number;
  readonly histograms?: readonly Histogram[];
}

interface Histogram {
  readonly name: string;
  readonly buckets: readonly { readonly cumulative: number }[];
}

/** Reads the text; throws when it is not such statistics. */
export function readCounts(text: string): ProxyReading {
  const { stats } = JSON.parse(text) as { readonly stats?: readonly Stat[] };
  if (!Array.isArray(stats)) throw new Error('the answer holds no statistics');
  const series = new Map<string, Counts>();
  const inFlight = new Map<string, number>();
  let uptime = Number.NaN;
  for (const { name = '', value = 0, histograms = [] } of stats as readonly Stat[]) {
    if (name === 'server.uptime') uptime = value;
    else addStat({ series, inFlight }, name, value);
    for (const { name: of, buckets } of histograms) addLatencies(series, of, buckets);
  }
  if (Number.isNaN(uptime)) throw new Error('the answer does not say how long the proxy has been running');
  return { uptime, series, inFlight, plain: readPlain(stats) };
}

const PREFIX = Object.fromEntries(
  Object.entries(TRAFFIC_STATS).map(([key, name]) => [key, `${TRAFFIC_SCOPE}.${name}.${TRAFFIC_TAG}.`]),
) as Readonly<Record<keyof typeof TRAFFIC_STATS, string>>;

interface Sums {
  readonly series: Map<string, Counts>;
  readonly inFlight: Map<string, number>;
}

function addStat({ series, inFlight }: Sums, name: string, value: number): void {
  if (name.startsWith(PREFIX.requests)) {
    const { key, rest } = split(name.slice(PREFIX.requests.length));
    const counts = countsOf(series, key);
    bump(counts, COUNT.requests, value);
    if (isFailure(rest)) bump(counts, COUNT.failures, value);
    bump(counts, COUNT.retries, value * Math.max(Number(rest[3] ?? 1) - 1 || 0, 0));
  } else if (name.startsWith(PREFIX.attempts)) {
    const { key, rest } = split(name.slice(PREFIX.attempts.length));
    const counts = countsOf(series, key);
    bump(counts, COUNT.attempts, value);
    if (isFailure(rest)) bump(counts, COUNT.failedAttempts, value);
  } else if (name.startsWith(PREFIX.active)) {
    const { key } = split(name.slice(PREFIX.active.length));
    // A gauge that was asked in between two threads may be below zero for a moment.
    inFlight.set(key, (inFlight.get(key) ?? 0) + Math.max(value, 0));
  }
}

function addLatencies(series: Map<string, Counts>, name: string, buckets: Histogram['buckets']): void {
  if (!name.startsWith(PREFIX.latency)) return;
  const counts = countsOf(series, split(name.slice(PREFIX.latency.length)).key);
  let below = 0;
  for (const [bucket, { cumulative }] of buckets.entries()) {
    bump(counts, COUNT.latency + Math.min(bucket, LATENCY_BUCKETS - 1), cumulative - below);
    below = cumulative;
  }
}

function countsOf(series: Map<string, Counts>, key: string): Counts {
  const known = series.get(key);
  if (known !== undefined) return known;
  const made = Array.from({ length: COUNTS }, () => 0);
  series.set(key, made);
  return made;
}

function bump(counts: Counts, place: number, by: number): void {
  counts[place] = (counts[place] ?? 0) + by;
}

/** Key of the destination, and what is behind it: response code, flags, gRPC status, number of attempts. */
function split(tag: string): { readonly key: string; readonly rest: readonly string[] } {
  const fields = tag.split('|').map((field) => (field === '-' ? '' : field));
  const [service = '', cluster = '', version = ''] = fields;
  const isKnown = /^[^/]+\/[^/]+$/.test(service);
  // What has no labels is of the version that Istio calls `latest`: unknown.
  const key = [isKnown ? service : UNKNOWN_SERVICE, cluster, version === 'latest' ? '' : version].join('|');
  return { key, rest: fields.slice(TRAFFIC_FIELDS.length) };
}

/** gRPC statuses that stand for a server's error, as OpenTelemetry's conventions have it. */
const GRPC_FAILURES: ReadonlySet<string> = new Set(['2', '4', '12', '13', '14', '15']);
/** Flags of answers that were cut: of the upstream, of a timeout, of a protocol error, of a local reset. */
const CUT: ReadonlySet<string> = new Set(['UC', 'UR', 'UT', 'UPE', 'SI', 'DT', 'UMSDR', 'LR', 'DC']);

function isFailure([code = '', flags = '', grpc = '']: readonly string[]): boolean {
  const status = Number(code);
  if (!(status > 0) || status >= 500 || GRPC_FAILURES.has(grpc)) return true;
  return flags.split(',').some((flag) => CUT.has(flag));
}
