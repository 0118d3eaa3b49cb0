import { describe, expect, test } from 'vitest';
import {
  countFailed,
  duplicates,
  failed,
  type LoadEntry,
  longestGapMs,
  parseLoadLog,
  sharesBy,
  splitError,
  victimShare,
  within,
} from './load-log.ts';

const entry = (part: Partial<LoadEntry>): LoadEntry => ({ t: 0, id: 'a', method: 'GET', status: 200, ms: 2, ...part });

describe('load log', () => {
  test('counts refused, late and bad answers as failed', () => {
    expect(failed(entry({}))).toBe(false);
    expect(failed(entry({ ms: 1_000.1 }))).toBe(true);
    expect(failed(entry({ status: 503 }))).toBe(true);
    expect(failed(entry({ status: 0, error: 'ECONNREFUSED' }))).toBe(true);
    const entries = [entry({}), entry({ status: 503 }), entry({ method: 'POST', status: 503 })];
    expect(countFailed(entries, 'GET')).toEqual({ total: 2, failed: 1 });
    expect(countFailed(entries, 'POST')).toEqual({ total: 1, failed: 1 });
  });

  test('leaves out a line that was cut off', () => {
    expect(parseLoadLog(`${JSON.stringify(entry({}))}\n{"t":1,"id"`)).toEqual([entry({})]);
    expect(parseLoadLog('')).toEqual([]);
  });

  test('shares are of answered requests, and an unasked answerer is an error too', () => {
    const entries = [
      entry({ version: 'v1' }),
      entry({ version: 'v1' }),
      entry({ version: 'v1' }),
      entry({ version: 'v2' }),
      entry({ status: 503 }),
    ];
    const shares = sharesBy(entries, 'version');
    expect([...shares]).toEqual([
      ['v1', 0.75],
      ['v2', 0.25],
    ]);
    expect(splitError(shares, { v1: 0.9, v2: 0.1 })).toBeCloseTo(15);
    expect(splitError(shares, { v1: 1 })).toBeCloseTo(25);
    expect(splitError(shares, { v1: 0.75, v2: 0.25, v3: 0.1 })).toBeCloseTo(10);
  });

  test('the longest gap is between good answers, whatever failed inside', () => {
    const entries = [entry({ t: 0 }), entry({ t: 100 }), entry({ t: 200, status: 503 }), entry({ t: 900 }), entry({ t: 910 })];
    expect(longestGapMs(entries)).toBe(800);
    expect(longestGapMs([])).toBe(0);
  });

  test("a victim's share is taken over the 5 s before its end", () => {
    const entries = [
      entry({ t: 4_000, cluster: 'a' }),
      entry({ t: 6_000, cluster: 'a' }),
      entry({ t: 7_000, cluster: 'b' }),
      entry({ t: 10_000, cluster: 'b' }),
    ];
    expect(within(entries, { from: 4_000, to: 7_000 })).toHaveLength(2);
    expect(victimShare(entries, 10_000, ({ cluster }) => cluster === 'a')).toBe(0.5);
    expect(victimShare([], 10_000, () => true)).toBe(0);
  });

  test('finds ids delivered more than once', () => {
    expect([...duplicates(['a', 'b', 'a', 'c', 'a'])]).toEqual([['a', 3]]);
  });
});
