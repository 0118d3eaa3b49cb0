import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countLatencies,
  LATENCY_BUCKETS,
  latencyBound,
  latencyBucket,
  latencyQuantile,
  mergeLatencies,
  NO_LATENCIES,
} from './latency-histogram.ts';
import { addTraffic, isCovered, meansTraffic, NO_TRAFFIC, type TrafficKey } from './measured-traffic.ts';

const KEY: TrafficKey = {
  source: 'us-east',
  service: 'shop/cart',
  destination: { cluster: 'us-west', region: 'us-west', zone: 'a', version: 'v2' },
};

function histogramOf(latencies: readonly number[]): number[] {
  const counts = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const ms of latencies) counts[latencyBucket(ms)] = (counts[latencyBucket(ms)] ?? 0) + 1;
  return counts;
}

const someLatencies = fc.array(fc.double({ min: 0, max: 200_000, noNaN: true }), { maxLength: 50 });

describe('latencies', () => {
  it('puts each latency into the bucket that ends at or above it, and no earlier one does', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 200_000, noNaN: true }), (ms) => {
        const bucket = latencyBucket(ms);
        expect(latencyBound(bucket) * (1 + 1e-9)).toBeGreaterThanOrEqual(ms);
        if (bucket > 0) expect(latencyBound(bucket - 1)).toBeLessThan(ms * (1 + 1e-9));
      }),
    );
  });

  it('puts a bound into the bucket that ends there', () => {
    for (let bucket = 0; bucket < LATENCY_BUCKETS - 1; bucket += 1) expect(latencyBucket(latencyBound(bucket))).toBe(bucket);
    expect(latencyBucket(1e9)).toBe(LATENCY_BUCKETS - 1);
  });

  it('is the same whether latencies are counted together or merged', () => {
    fc.assert(
      fc.property(someLatencies, someLatencies, (a, b) => {
        expect(mergeLatencies(histogramOf(a), histogramOf(b))).toEqual(histogramOf([...a, ...b]));
      }),
    );
    expect(mergeLatencies([1], NO_LATENCIES)).toEqual([1]);
    expect(mergeLatencies([1], [0, 2])).toEqual([1, 2]);
  });

  it('finds quantiles within the width of a bucket', () => {
    const latencies = Array.from({ length: 1_000 }, (_, index) => index + 1);
    for (const quantile of [0.5, 0.9, 0.99]) {
      const found = latencyQuantile(histogramOf(latencies), quantile) ?? 0;
      expect(Math.abs(found / (quantile * 1_000) - 1)).toBeLessThan(0.1);
    }
    expect(latencyQuantile([], 0.5)).toBeUndefined();
    expect(latencyQuantile([0, 0], 0.5)).toBeUndefined();
    expect(latencyQuantile(histogramOf([1e9]), 1)).toBe(latencyBound(LATENCY_BUCKETS - 2));
    expect(countLatencies(histogramOf(latencies))).toBe(1_000);
  });
});

describe('traffic', () => {
  it('adds every count', () => {
    const one = { requests: 1, failures: 2, attempts: 3, failedAttempts: 4, retries: 5, latency: [1] };
    expect(addTraffic(one, one)).toEqual({ requests: 2, failures: 4, attempts: 6, failedAttempts: 8, retries: 10, latency: [2] });
    expect(addTraffic(one, NO_TRAFFIC)).toEqual(one);
  });

  it('tells what is unknown from zero', () => {
    const heard = { cluster: 'us-east', seconds: 10, newestAt: 10_000, unreadProxies: 0 };
    expect(isCovered({ seconds: 10, sources: [heard] })).toBe(true);
    expect(isCovered({ seconds: 10, sources: [heard, { cluster: 'us-west', seconds: 9, newestAt: 9_000, unreadProxies: 0 }] })).toBe(false);
    expect(isCovered({ seconds: 10, sources: [heard, { cluster: 'us-west', seconds: 9, newestAt: 9_000, unreadProxies: 0 }] }, 0.9)).toBe(
      true,
    );
    expect(isCovered({ seconds: 10, sources: [] })).toBe(false);
  });

  it('asks for what a filter names alone', () => {
    expect(meansTraffic({}, KEY)).toBe(true);
    expect(meansTraffic({ service: 'shop/cart', source: 'us-east', destination: { version: 'v2' } }, KEY)).toBe(true);
    expect(meansTraffic({ service: 'shop/basket' }, KEY)).toBe(false);
    expect(meansTraffic({ source: 'us-west' }, KEY)).toBe(false);
    expect(meansTraffic({ destination: { region: 'us-west', zone: 'b' } }, KEY)).toBe(false);
  });
});
