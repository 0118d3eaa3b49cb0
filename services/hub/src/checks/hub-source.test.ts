import type { HubMetric } from '@hawser/model/check.ts';
import { latencyBucket } from '@hawser/model/latency-histogram.ts';
import {
  addTraffic,
  type MeasuredTraffic,
  meansTraffic,
  NO_TRAFFIC,
  type TrafficQuery,
  type TrafficSample,
  type TrafficSums,
} from '@hawser/model/measured-traffic.ts';
import { describe, expect, test } from 'vitest';
import { type CheckSubject, measureTraffic } from './hub-source.ts';

const NOW = 1_800_000_000_000;
const NO_PLACE = { cluster: '', region: '', zone: '', version: '' };

/** One second of traffic: `ms` is the latency of every request. */
function second(
  ago: number,
  changes: {
    source?: string;
    service?: string;
    cluster?: string;
    version?: string;
    requests?: number;
    failures?: number;
    ms?: number;
    inFlight?: number;
  },
): TrafficSample {
  const {
    source = 'east',
    service = 'shop/cart',
    cluster = 'east',
    version = '',
    requests = 100,
    failures = 0,
    ms = 10,
    inFlight = 0,
  } = changes;
  const latency = Array.from({ length: latencyBucket(ms) + 1 }, (_, bucket) => (bucket === latencyBucket(ms) ? requests : 0));
  const destination = { ...NO_PLACE, cluster, region: `${cluster}-region`, version };
  const counts = { requests, failures, attempts: requests, failedAttempts: failures, retries: 0, latency };
  return { at: NOW - ago * 1000, source, service, destination, inFlight, ...counts };
}

/** What samples and coverage make, as the hub's own keeper of traffic answers it. */
function traffic(samples: readonly TrafficSample[], covered: Readonly<Record<string, number>> = { east: 1 }): MeasuredTraffic {
  const window = ({ from, to, ...filter }: TrafficQuery): TrafficSums => {
    const meant = samples.filter((sample) => sample.at >= from && sample.at < to && meansTraffic(filter, sample));
    const asked = Object.entries(covered).filter(([cluster]) => filter.source === undefined || filter.source === cluster);
    const seconds = (to - from) / 1000;
    return {
      ...meant.reduce(addTraffic, NO_TRAFFIC),
      inFlight: meant.filter(({ at }) => at === to - 1000).reduce((sum, { inFlight }) => sum + inFlight, 0),
      seconds,
      sources: asked.map(([cluster, share]) => ({ cluster, seconds: seconds * share, newestAt: to, unreadProxies: 0 })),
    };
  };
  return { window, groups: () => [], shares: () => [], load: () => [], services: () => [], newestAt: () => NOW, knownUntil: () => NOW };
}

const CART: CheckSubject = { namespace: 'shop', services: ['shop/cart'] };
const measure = (metric: HubMetric, from: MeasuredTraffic, source: object = {}, subject = CART) =>
  measureTraffic(from, { metric, ...source }, { windowMs: 10_000, subject });

const two = traffic([
  second(1, { version: 'v1', requests: 60, inFlight: 3 }),
  second(2, { version: 'v2', requests: 20, failures: 5, ms: 400, cluster: 'west', inFlight: 9 }),
  second(3, { version: 'v2', service: 'shop/pay', requests: 20, failures: 20 }),
  second(11, { requests: 5_000, failures: 5_000 }),
]);

describe('traffic of the window', () => {
  test.each<[HubMetric, object, number]>([
    ['requestsPerSecond', {}, 8],
    ['errorRatio', {}, 5 / 80],
    ['errorRatio', { destination: { version: 'v2' } }, 0.25],
    ['errorRatio', { destination: { region: 'west-region' } }, 0.25],
    ['errorRatio', { destination: { cluster: 'east' } }, 0],
    ['errorRatio', { service: 'pay' }, 1],
    ['errorRatio', { service: 'shop/pay' }, 1],
    ['share', { destination: { version: 'v2' } }, 0.25],
    ['share', { destination: { version: 'v9' } }, 0],
    ['inFlight', {}, 3],
    ['requestsPerSecond', { destination: { version: 'v9' } }, 0],
  ])('%s of %j is %d', (metric, source, value) => {
    expect(measure(metric, two, source)).toMatchObject({ value });
  });

  test('of several services is all of it', () => {
    expect(measure('errorRatio', two, {}, { namespace: 'shop', services: ['shop/cart', 'shop/pay'] })).toMatchObject({ value: 0.25 });
    expect(measure('errorRatio', two, {}, { namespace: '', services: 'all' })).toMatchObject({ value: 0.25 });
  });

  test('has quantiles', () => {
    const value = (metric: HubMetric): number => (measure(metric, two) as { value: number }).value;
    expect(value('latencyP50')).toBeLessThan(20);
    expect(value('latencyP90')).toBeGreaterThan(200);
    expect(value('latencyP99')).toBeLessThan(600);
  });
});

describe('what is not known', () => {
  test.each<[HubMetric, object]>([
    ['errorRatio', { destination: { version: 'v9' } }],
    ['latencyP99', { destination: { version: 'v9' } }],
    ['share', { service: 'nobody', destination: { version: 'v2' } }],
  ])('%s of no requests is no data', (metric, source) => {
    expect(measure(metric, two, source)).toEqual({ noData: 'there were no requests' });
  });

  const gaps = traffic([second(1, { requests: 10, failures: 5 })], { east: 1, west: 0.5 });
  test.each<HubMetric>(['requestsPerSecond', 'inFlight', 'share'])('%s without all callers is no data', (metric) => {
    expect(measure(metric, gaps, { destination: {} })).toEqual({ noData: expect.stringContaining('west 5 of 10 s') });
  });

  test('a ratio without all callers says so, and those who spoke count when nobody else is asked about', () => {
    expect(measure('errorRatio', gaps)).toEqual({ value: 0.5, partial: expect.stringContaining('west 5 of 10 s') });
    expect(measure('errorRatio', gaps, { source: 'east' })).toEqual({ value: 0.5, partial: undefined });
    expect(measure('requestsPerSecond', gaps, { source: 'east' })).toEqual({ value: 1 });
  });

  test('nobody has measured anything', () => {
    for (const metric of ['requestsPerSecond', 'errorRatio'] as const)
      expect(measure(metric, traffic([], {}))).toEqual({ noData: 'no cluster has measured anything yet' });
  });
});
