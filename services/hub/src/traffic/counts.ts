/** Counts as numbers in a row: how traffic is told on the bus and kept in memory. Pure. */
import { LATENCY_BUCKETS } from '@hawser/model/latency-histogram.ts';
import type { TrafficCounts } from '@hawser/model/measured-traffic.ts';

/** Requests, failures, attempts, failed attempts, retries, then latencies by bucket; zeros at the end may be left out. */
export type Counts = readonly number[];

const LATENCY = 5;
/** How many there are at most. */
export const COUNTS = LATENCY + LATENCY_BUCKETS;

/** Them by name. */
export function namedCounts(counts: ArrayLike<number>): TrafficCounts {
  const at = (place: number): number => counts[place] ?? 0;
  const latency = Array.from({ length: Math.max(Math.min(counts.length, COUNTS) - LATENCY, 0) }, (_, bucket) => at(LATENCY + bucket));
  return {
    ...{ requests: at(0), failures: at(1), attempts: at(2), failedAttempts: at(3), retries: at(4) },
    latency: latency.slice(0, latency.findLastIndex((count) => count > 0) + 1),
  };
}

/** The row of them, as long as need be. */
export function countsOf({ requests, failures, attempts, failedAttempts, retries, latency }: TrafficCounts): Counts {
  return [requests, failures, attempts, failedAttempts, retries, ...latency];
}

/** What was counted between two sums; undefined when nothing was. A sum that fell is no progress. */
export function progress(before: Counts, now: Counts): Counts | undefined {
  const delta = now.slice(0, COUNTS).map((count, place) => Math.max(count - (before[place] ?? 0), 0));
  return delta.some((count) => count > 0) ? delta : undefined;
}

/** The greater of each: sums never fall. */
export function highest(before: Counts, now: Counts): Counts {
  return Array.from({ length: Math.min(Math.max(before.length, now.length), COUNTS) }, (_, place) =>
    Math.max(before[place] ?? 0, now[place] ?? 0),
  );
}

/** A span of time, ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Deals counts evenly to the seconds of a span, or to shorter steps by number since 1970; whole numbers, whose sum is exact. */
export function spread(counts: Counts, { from, to }: Span, each: (step: number, counts: Counts) => void, stepMs = 1_000): void {
  const last = Math.floor((to - 1) / stepMs);
  let given: Counts = [];
  for (let step = Math.min(Math.floor(from / stepMs), last); step <= last; step += 1) {
    const share = step === last ? 1 : ((step + 1) * stepMs - from) / (to - from);
    const upTo = counts.map((count) => Math.round(count * share));
    each(
      step,
      upTo.map((count, place) => count - (given[place] ?? 0)),
    );
    given = upTo;
  }
}
