import { describe, expect, it } from 'vitest';
import type { TraceRow } from '../traffic/traffic-trace.ts';
import { longestGap } from './longest-gap.ts';
import type { RunSecond } from './run-recovery.ts';

const OF = { service: 'shop/cart', source: 'east' };
/** Seconds from 0 on: requests and failures. */
const secondsOf = (...counts: readonly (readonly [requests: number, failed: number])[]): RunSecond[] =>
  counts.map(([requests, failed], index) => ({
    ...{ at: index * 1_000, unknown: [] },
    cells: [{ ...OF, destination: 'west', requests, failed, attempts: requests }],
  }));
const row = (at: number, requests: number, failures: number, destination = 'west'): TraceRow => ({
  ...{ ...OF, at, destination, requests, failures, attempts: requests, spanMs: 120 },
});
const COARSE = secondsOf([10, 10], [0, 0], [10, 10], [5, 0]);

describe('the longest gap', () => {
  it('is in seconds where there are no steps of the whole run', () => {
    expect(longestGap({ seconds: COARSE, rows: [], from: 0 }, OF)).toEqual({ longestGapMs: 2_000, gapResolutionMs: 1_000 });
    expect(longestGap({ seconds: COARSE, rows: [row(500, 1, 0)], from: 400 }, OF)).toEqual({ longestGapMs: 2_000, gapResolutionMs: 1_000 });
    expect(longestGap({ seconds: COARSE, rows: [], from: 0 }, { ...OF, source: 'north' }).longestGapMs).toBe(0);
  });

  it('leaves out seconds of which it is not known what was in them', () => {
    const seconds = COARSE.map((second, place) => (place === 2 ? { ...second, unknown: ['east'] } : second));
    expect(longestGap({ seconds, rows: [], from: 0 }, OF).longestGapMs).toBe(1_000);
  });

  it('is in steps where there are, silence among them, and says how far off it may be', () => {
    const rows = [row(0, 5, 0), row(300, 2, 2), row(600, 3, 3), row(700, 1, 0), row(800, 1, 1)];
    expect(longestGap({ seconds: COARSE, rows, from: 50 }, OF)).toEqual({ longestGapMs: 400, gapResolutionMs: 120 });
  });

  it('has none while one destination answers, and none of before', () => {
    const rows = [row(0, 5, 5), row(100, 5, 5), row(200, 5, 5), row(200, 1, 0, 'east'), row(300, 1, 1)];
    expect(longestGap({ seconds: COARSE, rows, from: 100 }, OF).longestGapMs).toBe(100);
    expect(longestGap({ seconds: COARSE, rows, from: 100 }, { ...OF, service: 'shop/other' })).toEqual({
      longestGapMs: 0,
      gapResolutionMs: 100,
    });
  });
});
