/** Endpoints without a sidecar that come while others are there. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BareArrivals } from './bare-arrivals.ts';

function shards(...endpoints: readonly { address: string; bare?: true }[]): ReadonlyMap<string, EndpointShard> {
  const defaults = { targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'x', health: 'HEALTHY' as const };
  const shard = { cluster: 'a', namespace: 'shop', service: 's', exported: true, ports: [] };
  return new Map([['shop/s', { ...shard, endpoints: endpoints.map((one) => ({ ...defaults, ...one })) }]]);
}

const [OLD, NEW, WITH_SIDECAR] = [
  { address: '10.0.0.1', bare: true as const },
  { address: '10.0.0.2', bare: true as const },
  { address: '10.0.0.3' },
];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('who is new waits, who was there or has a sidecar does not', () => {
  let settled = 0;
  const arrivals = new BareArrivals({ gatewaysHaveAll: () => true, onSettled: () => (settled += 1) });
  expect(arrivals.look(shards(OLD), shards(OLD, NEW, WITH_SIDECAR))).toBe(true);
  expect([OLD, NEW, WITH_SIDECAR].map(({ address }) => arrivals.has(address))).toEqual([false, true, false]);
  expect(arrivals.look(shards(OLD), shards(OLD, NEW)), 'it is waited for once').toBe(false);
  vi.runAllTimers();
  expect([settled, arrivals.has(NEW.address)]).toEqual([1, false]);
});

test('who is new waits until every gateway has acknowledged, though not for one that never does', () => {
  let haveAll = false;
  const arrivals = new BareArrivals({ gatewaysHaveAll: () => haveAll, onSettled: () => undefined });
  arrivals.look(shards(OLD), shards(OLD, NEW));
  vi.advanceTimersByTime(3_000);
  expect(arrivals.has(NEW.address)).toBe(true);
  haveAll = true;
  vi.advanceTimersByTime(100);
  expect(arrivals.has(NEW.address)).toBe(false);
  haveAll = false;
  arrivals.look(shards(OLD), shards(OLD, NEW));
  vi.advanceTimersByTime(4_900);
  expect(arrivals.has(NEW.address)).toBe(true);
  vi.advanceTimersByTime(100);
  expect(arrivals.has(NEW.address)).toBe(false);
});

test('one that gets rid of its sidecar is new as well', () => {
  const arrivals = new BareArrivals({ gatewaysHaveAll: () => true, onSettled: () => undefined });
  expect(arrivals.look(shards(WITH_SIDECAR), shards({ ...WITH_SIDECAR, bare: true }))).toBe(true);
});

test('nobody is waited for after the end', () => {
  let settled = 0;
  const arrivals = new BareArrivals({ gatewaysHaveAll: () => true, onSettled: () => (settled += 1) });
  arrivals.look(shards(), shards(NEW));
  arrivals.stop();
  vi.runAllTimers();
  expect(settled).toBe(0);
});
