import { describe, expect, it } from 'vitest';
import { PastSums } from './past-sums.ts';

const sums = (requests: number, key = 'a'): ReadonlyMap<string, number[]> => new Map([[key, [requests]]]);

describe('sums of a while ago', () => {
  it('are kept as they come while there is room, and then about a second apart, and none is left out', () => {
    const past = new PastSums(100);
    for (let at = 0; at <= 20_000; at += 100) past.note(at, sums(at));
    const steps = past
      .since(-1)
      .slice(1)
      .map(({ at }, index) => at - (past.since(-1)[index]?.at ?? 0));
    expect(new Set(steps.slice(0, 48))).toEqual(new Set([100]));
    expect(new Set(steps.slice(50, -1))).toEqual(new Set([1_000]));
    expect(past.since(-1).at(-1)).toEqual({ at: 20_000, series: sums(20_000) });
    expect(past.since(2_500)[0]?.at).toBe(2_600);
  });

  it('name what changed in the time before, and the time in which nothing did', () => {
    const past = new PastSums();
    past.note(0, sums(1));
    past.note(1_000, sums(2));
    past.note(1_500, sums(9, 'b'));
    past.note(2_500, new Map());
    expect(past.since(0)).toEqual([
      { at: 1_000, series: sums(2) },
      { at: 1_500, series: sums(9, 'b') },
      { at: 2_500, series: new Map() },
    ]);
    const full = new PastSums(3);
    full.note(0, sums(1));
    full.note(1_000, sums(2));
    full.note(1_500, sums(9, 'b'));
    full.note(2_000, new Map());
    expect(full.since(1_000)).toEqual([{ at: 2_000, series: sums(9, 'b') }]);
  });

  it('are forgotten when they are old, or too many', () => {
    const old = new PastSums();
    for (let at = 0; at <= 200_000; at += 1_000) old.note(at, new Map());
    expect(old.since(-1)[0]?.at).toBe(80_000);
    const few = new PastSums(4);
    for (let at = 0; at <= 9_000; at += 1_000) few.note(at, sums(at));
    expect(few.since(-1).map(({ at }) => at)).toEqual([6_000, 7_000, 8_000, 9_000]);
  });
});
