import { describe, expect, it } from 'vitest';
import { PastSums } from './past-sums.ts';

const sums = (requests: number, key = 'a'): ReadonlyMap<string, number[]> => new Map([[key, [requests]]]);

describe('sums of a while ago', () => {
  it('are about a second apart, however often they are noted, and none is left out', () => {
    const past = new PastSums();
    for (let at = 0; at <= 5_000; at += 100) past.note(at, sums(at));
    const kept = past.since(-1);
    const steps = kept.slice(1).map(({ at }, index) => at - (kept[index]?.at ?? 0));
    expect(Math.max(...steps)).toBeLessThanOrEqual(1_000);
    expect(kept.length).toBeLessThanOrEqual(12);
    expect(kept.at(-1)).toEqual({ at: 5_000, series: sums(5_000) });
    expect(past.since(2_500).every(({ at }) => at > 2_500)).toBe(true);
  });

  it('name what changed in the time before, and the time in which nothing did', () => {
    const past = new PastSums();
    past.note(0, sums(1));
    past.note(1_000, sums(2));
    past.note(1_500, sums(9, 'b'));
    past.note(2_000, new Map());
    past.note(3_000, new Map());
    expect(past.since(0)).toEqual([
      { at: 1_000, series: sums(2) },
      { at: 2_000, series: sums(9, 'b') },
      { at: 3_000, series: new Map() },
    ]);
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
