import { describe, expect, it } from 'vitest';
import { TrafficTrace } from './traffic-trace.ts';

const KEY = { source: 'a', service: 'shop/cart', destination: { cluster: 'b', region: '', zone: '', version: 'v1' } };

describe('a trace', () => {
  it('deals what was counted to steps of 100 ms, versions together, and loses nothing', () => {
    const trace = new TrafficTrace(['shop/cart']);
    trace.add(KEY, [10, 4, 12, 6], { from: 1_050, to: 1_250 });
    trace.add({ ...KEY, destination: { ...KEY.destination, version: 'v2' } }, [1, 0, 1, 0], { from: 1_200, to: 1_250 });
    const of = { source: 'a', service: 'shop/cart', destination: 'b' };
    expect(trace.rows()).toEqual([
      { at: 1_000, ...of, requests: 3, failures: 1, attempts: 3, spanMs: 200 },
      { at: 1_100, ...of, requests: 5, failures: 2, attempts: 6, spanMs: 200 },
      { at: 1_200, ...of, requests: 3, failures: 1, attempts: 4, spanMs: 200 },
    ]);
  });

  it('leaves out other services, and steps in which nothing ended', () => {
    const trace = new TrafficTrace(['shop/cart']);
    trace.add({ ...KEY, service: 'shop/other' }, [1, 0, 1], { from: 0, to: 100 });
    trace.add(KEY, [0, 0, 0, 0, 0, 3], { from: 0, to: 100 });
    expect(trace.rows()).toEqual([]);
  });

  it('says when there was no more room', () => {
    const trace = new TrafficTrace(['shop/cart'], 2);
    expect(trace.isWhole).toBe(true);
    trace.add(KEY, [9], { from: 0, to: 300 });
    expect(trace.isWhole).toBe(false);
    expect(trace.rows()).toHaveLength(2);
  });
});
