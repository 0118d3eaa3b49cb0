import { latencyBucket } from '@hawser/model/latency-histogram.ts';
import { OVERFLOW, UNKNOWN_SERVICE } from '@hawser/model/measured-traffic.ts';
import { describe, expect, it } from 'vitest';
import { COUNT, COUNTS, type ProxyCounts, readCounts } from './proxy-counts.ts';
import { TrafficLedger } from './traffic-ledger.ts';

/** As an Envoy has it, and as it is counted. */
const KEY = 'shop/cart|us-west-1|v2';
const PLACED = 'shop/cart|us-west-1|us-west|a|v2';
const PLACES = { placeOf: () => ({ region: 'us-west', zone: 'a' }) };
const FRESH = { instance: 'one', began: 0 };

/** As an Envoy of 1.40 writes them. */
function stats(values: Readonly<Record<string, number>>, latencies: readonly number[] = []): string {
  const histograms = [
    { name: `hawser.latency.of.${KEY}`, buckets: latencies.map((cumulative) => ({ upper_bound: 0, interval: 0, cumulative })) },
  ];
  const all = Object.entries(values).map(([name, value]) => ({ name, value }));
  return JSON.stringify({ stats: [...all, { histograms }] });
}

function counted(uptime: number, requests: number, key = KEY): ProxyCounts {
  const counts = Array.from({ length: COUNTS }, () => 0);
  counts[COUNT.requests] = requests;
  return { uptime, series: new Map([[key, counts]]), inFlight: new Map() };
}

function requests(ledger: TrafficLedger, key = PLACED): number {
  return ledger.totals.get(key)?.[COUNT.requests] ?? 0;
}

describe('what an Envoy counted', () => {
  it('tells client requests, attempts, failures and retries apart', () => {
    const text = stats({
      'server.uptime': 7,
      [`hawser.requests.of.${KEY}|200|-||1`]: 90,
      [`hawser.requests.of.${KEY}|200|-||3`]: 5,
      [`hawser.requests.of.${KEY}|503|URX||2`]: 2,
      [`hawser.requests.of.${KEY}|404|-||1`]: 1,
      [`hawser.attempts.of.${KEY}|200|-|`]: 95,
      [`hawser.attempts.of.${KEY}|0|UF|`]: 9,
      [`hawser.active.of.${KEY}`]: 4,
    });
    const { uptime, series, inFlight } = readCounts(text);
    expect(uptime).toBe(7);
    expect(series.get(KEY)?.slice(0, COUNT.latency)).toEqual([98, 2, 104, 9, 12]);
    expect(inFlight.get(KEY)).toBe(4);
  });

  it.each([
    ['200|-|', 0],
    ['499|-|', 0],
    ['200|-|0', 0],
    ['200|-|5', 0],
    ['500|-|', 1],
    ['0|DC|', 1],
    ['200|UC|', 1],
    ['200|-|14', 1],
    ['504|UT|', 1],
  ])('takes %s for a failure: %i', (result, failures) => {
    const { series } = readCounts(stats({ 'server.uptime': 1, [`hawser.requests.of.${KEY}|${result}|1`]: 1 }));
    expect(series.get(KEY)?.[COUNT.failures]).toBe(failures);
  });

  it('puts latencies into buckets, and what names no service under one of its own', () => {
    const { series } = readCounts(stats({ 'server.uptime': 1, 'hawser.requests.of./|||404|NR||0': 3 }, [2, 2, 5]));
    expect(series.get(KEY)?.slice(COUNT.latency, COUNT.latency + 4)).toEqual([2, 0, 3, 0]);
    expect(series.get(`${UNKNOWN_SERVICE}||`)?.slice(0, COUNT.latency)).toEqual([3, 0, 0, 0, 0]);
    expect(latencyBucket(0.9)).toBe(2);
  });

  it('refuses what is no such answer', () => {
    expect(() => readCounts('{}')).toThrow('no statistics');
    expect(() => readCounts('{"stats":[]}')).toThrow('how long');
  });
});

describe('a ledger', () => {
  it('counts what is new of each reading, over a restart of the proxy too', () => {
    const ledger = new TrafficLedger(FRESH, undefined, PLACES);
    ledger.take('p', counted(5, 10), 'count');
    ledger.take('p', counted(6, 15), 'count');
    expect(requests(ledger)).toBe(15);
    ledger.take('p', counted(1, 16), 'count');
    expect(requests(ledger)).toBe(31);
    ledger.take('p', counted(2, 3), 'count');
    expect(requests(ledger)).toBe(34);
  });

  it('leaves out what a proxy counted before it came, if others may have counted it', () => {
    const ledger = new TrafficLedger(FRESH, undefined, PLACES);
    ledger.take('p', counted(500, 1_000), 'skip');
    ledger.take('p', counted(501, 1_001), 'skip');
    expect(requests(ledger)).toBe(1);
    ledger.forget('p');
    ledger.take('p', counted(600, 2_000), 'skip');
    expect(requests(ledger)).toBe(1);
  });

  it('goes on where it was when the agent starts again', () => {
    const ledger = new TrafficLedger(FRESH, undefined, PLACES);
    ledger.take('p', counted(5, 10), 'count');
    const saved = JSON.parse(JSON.stringify(ledger.saved())) as ReturnType<TrafficLedger['saved']>;
    const next = new TrafficLedger({ instance: 'two', began: 1 }, saved, PLACES);
    expect(next).toMatchObject(FRESH);
    next.take('p', counted(65, 70), 'skip');
    expect(requests(next)).toBe(70);
  });

  it('folds versions, then everything, when there are too many series, and loses no request', () => {
    const ledger = new TrafficLedger(FRESH, undefined, { most: 4, ...PLACES });
    for (let version = 0; version < 10; version += 1) ledger.take(`p${version}`, counted(1, 1, `shop/cart|a|v${version}`), 'count');
    for (let service = 0; service < 10; service += 1) ledger.take(`s${service}`, counted(1, 1, `shop/s${service}|a|v1`), 'count');
    expect(requests(ledger, `shop/cart|a|us-west|a|${OVERFLOW}`)).toBe(6);
    expect(requests(ledger, `${OVERFLOW}||||`)).toBe(10);
    expect([...ledger.totals.keys()].reduce((sum, key) => sum + requests(ledger, key), 0)).toBe(20);
  });

  it('counts a request where its cluster was then, though it moves', () => {
    let region = 'us-west';
    const ledger = new TrafficLedger(FRESH, undefined, { placeOf: () => ({ region, zone: 'a' }) });
    ledger.take('p', counted(1, 3), 'count');
    region = 'us-north';
    ledger.take('p', counted(2, 4), 'count');
    expect(requests(ledger)).toBe(3);
    expect(requests(ledger, 'shop/cart|us-west-1|us-north|a|v2')).toBe(1);
  });

  it('says what changed since it was asked last', () => {
    const ledger = new TrafficLedger(FRESH, undefined, PLACES);
    ledger.take('p', counted(1, 1), 'count');
    expect([...ledger.takeChanged()]).toEqual([PLACED]);
    const { version } = ledger;
    ledger.take('p', counted(2, 1), 'count');
    expect([...ledger.takeChanged()]).toEqual([]);
    expect(ledger.version).toBe(version);
  });
});
