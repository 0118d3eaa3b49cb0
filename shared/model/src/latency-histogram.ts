/**
 * Latencies in fixed logarithmic buckets, so that histograms of any proxies, seconds and clusters add up. The buckets are those of
 * OpenTelemetry's exponential histogram of scale 1 (base √2), from 0.5 ms to 65 s. Pure.
 */

/** Counts by bucket, shorter than `LATENCY_BUCKETS` where the last ones are zero; bucket i ends at `latencyBound(i)`. */
export type LatencyHistogram = readonly number[];

/** Buckets of a histogram; the last one has no upper end. */
export const LATENCY_BUCKETS = 36;

/** Upper end of the first bucket, in milliseconds. */
const FIRST_MS = 0.5;

/** No latencies at all. */
export const NO_LATENCIES: LatencyHistogram = [];

/** Upper end of a bucket in milliseconds, which belongs to it; infinite for the last. */
export function latencyBound(bucket: number): number {
  return bucket >= LATENCY_BUCKETS - 1 ? Number.POSITIVE_INFINITY : FIRST_MS * 2 ** (bucket / 2);
}

/** The bucket of a latency in milliseconds. */
export function latencyBucket(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  // The subtraction keeps what rounding puts just above a bound in the bucket that ends there.
  return Math.min(Math.ceil(2 * Math.log2(ms / FIRST_MS) - 1e-9), LATENCY_BUCKETS - 1);
}

/** All latencies of both. */
export function mergeLatencies(a: LatencyHistogram, b: LatencyHistogram): LatencyHistogram {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return Array.from({ length: Math.max(a.length, b.length) }, (_, bucket) => (a[bucket] ?? 0) + (b[bucket] ?? 0));
}

/** How many latencies there are. */
export function countLatencies(histogram: LatencyHistogram): number {
  return histogram.reduce((sum, count) => sum + count, 0);
}

/**
 * The latency in milliseconds that a share `quantile` (0 to 1) of them do not exceed, interpolated within its bucket; undefined when
 * there are none. At most 41 % off, usually below 10 %.
 */
export function latencyQuantile(histogram: LatencyHistogram, quantile: number): number | undefined {
  const total = countLatencies(histogram);
  if (total === 0) return undefined;
  const wanted = Math.min(Math.max(quantile, 0), 1) * total;
  let below = 0;
  for (const [bucket, count] of histogram.entries()) {
    if (count > 0 && below + count >= wanted) return within(bucket, (wanted - below) / count);
    below += count;
  }
  return lowerEnd(LATENCY_BUCKETS - 1);
}

function within(bucket: number, share: number): number {
  const from = lowerEnd(bucket);
  const to = latencyBound(bucket);
  return Number.isFinite(to) ? from + (to - from) * share : from;
}

function lowerEnd(bucket: number): number {
  return bucket === 0 ? 0 : latencyBound(bucket - 1);
}
