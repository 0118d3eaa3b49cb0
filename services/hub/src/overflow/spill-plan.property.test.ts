/** Places under load, and what is moved between them, second by second: it settles, keeps everybody below capacity, and ends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextSpills, type PlaceLoad, type SpillLimits, type Spills } from './spill-plan.ts';

const LIMITS: SpillLimits = { at: 0.9, returnBelow: 0.8, mostChange: 40 };

/** What arrives when demand meets spills; without targets the excess goes to the first place that spills nothing. */
function arriving(demands: Readonly<Record<string, number>>, spills: Spills): Record<string, number> {
  const arrives: Record<string, number> = { ...demands };
  for (const [place, { percent, to }] of Object.entries(spills)) {
    const moved = ((demands[place] ?? 0) * percent) / 100;
    arrives[place] = (arrives[place] ?? 0) - moved;
    const free = Object.keys(demands).filter((other) => spills[other] === undefined);
    const targets = Object.entries(to).filter(([other]) => free.includes(other));
    const weights = targets.length > 0 ? targets : free.slice(0, 1).map((other) => [other, 1] as const);
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [other, weight] of weights) arrives[other] = (arrives[other] ?? 0) + (moved * weight) / total;
  }
  return arrives;
}

interface Course {
  readonly capacities: Readonly<Record<string, number | undefined>>;
  readonly demands: Readonly<Record<string, number>>;
  readonly spills?: Spills;
  readonly rounds?: number;
  readonly noise?: (round: number) => number;
}

function run({ capacities, demands, spills = {}, rounds = 30, noise = () => 1 }: Course): Spills[] {
  const course = [spills];
  for (let round = 0; round < rounds; round += 1) {
    const now = course.at(-1) ?? {};
    const arrives = arriving(demands, now);
    const loads: PlaceLoad[] = Object.keys(demands).map((place) => ({
      ...{ place, capacity: capacities[place], perSecond: (arrives[place] ?? 0) * noise(round) },
    }));
    course.push(nextSpills(loads, now, LIMITS));
  }
  return course;
}

describe('overflow', () => {
  it('at 150 % of one place settles within three looks, below its capacity, and ends when the load falls', () => {
    const capacities = { a: 100, b: 200 };
    const up = run({ capacities, demands: { a: 150, b: 60 } });
    expect(up[3]).toBe(up.at(-1));
    expect(up.at(-1)?.['a']?.percent).toBeCloseTo(40, 0);
    expect(arriving({ a: 150, b: 60 }, up.at(-1) ?? {})['a']).toBeLessThanOrEqual(91);
    const stays = run({ capacities, demands: { a: 140, b: 60 }, spills: up.at(-1) ?? {} });
    expect(stays.at(-1)).toBe(up.at(-1));
    expect(run({ capacities, demands: { a: 70, b: 60 }, spills: up.at(-1) ?? {} }).at(-1)).toEqual({});
  });

  it('gives by room: who is nearly full gets little, and nobody more than there is room for', () => {
    const found = run({ capacities: { a: 100, b: 100, c: 100 }, demands: { a: 130, b: 85, c: 40 } }).at(-1);
    expect(found?.['a']?.to['c']).toBeGreaterThan(found?.['a']?.to['b'] ?? 0);
    const full = run({ capacities: { a: 100, b: 100 }, demands: { a: 150, b: 80 } }).at(-1) ?? {};
    expect(arriving({ a: 150, b: 80 }, full)['b']).toBeLessThanOrEqual(92);
  });

  it('leaves it to the order where room is not known, and spills nothing of what is not known', () => {
    expect(run({ capacities: { a: 100, b: undefined }, demands: { a: 150, b: 900 } }).at(-1)).toEqual({
      a: { percent: 40, to: {} },
    });
    expect(run({ capacities: {}, demands: { a: 150, b: 900 } }).at(-1)).toEqual({});
  });

  it('settles where whole weights load somebody a little beyond what they should be', () => {
    const course = run({ capacities: { a: 40, b: 41, c: 192 }, demands: { a: 240, b: 5, c: 0 } });
    expect(course.slice(-20).every((spills) => spills === course.at(-1))).toBe(true);
  });

  it('changes by no more than it may', () => {
    const loads = [
      { place: 'a', capacity: 10, perSecond: 100 },
      { place: 'b', capacity: 900, perSecond: 0 },
    ];
    expect(nextSpills(loads, {}, { ...LIMITS, mostChange: 5 })['a']?.percent).toBe(5);
  });
});

const load = fc.integer({ min: 0, max: 300 });
const size = fc.integer({ min: 40, max: 200 });

it('whatever the demand: it settles, nobody is loaded beyond what they should be while there is room, and it returns to nothing', () => {
  fc.assert(
    fc.property(fc.tuple(load, load, load), fc.tuple(size, size, size), ([a, b, c], [x, y, z]) => {
      const [demands, capacities] = [
        { a, b, c },
        { a: x, b: y, c: z },
      ];
      const course = run({ capacities, demands, rounds: 60 });
      const settled = course.at(-1) ?? {};
      expect(course.slice(-20).every((spills) => spills === settled)).toBe(true);
      const arrives = arriving(demands, settled);
      const places = ['a', 'b', 'c'] as const;
      const total = places.reduce((sum, place) => sum + Math.max(0, demands[place] - 0.9 * capacities[place]), 0);
      const room = places.reduce((sum, place) => sum + Math.max(0, 0.9 * capacities[place] - demands[place]), 0);
      if (room > total * 1.2) for (const place of places) expect(arrives[place]).toBeLessThanOrEqual(capacities[place]);
      expect(run({ capacities, demands: { a: x / 2, b: y / 2, c: z / 2 }, spills: settled, rounds: 20 }).at(-1)).toEqual({});
    }),
  );
});

it('does not go to and fro by noise of 4 %', () => {
  const noises = fc.array(fc.double({ min: 0.96, max: 1.04, noNaN: true }), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(noises, (factors) => {
      const noise = (round: number): number => factors[round] ?? 1;
      const course = run({ capacities: { a: 100, b: 300 }, demands: { a: 150, b: 60 }, rounds: 60, noise }).map(({ a }) => a?.percent ?? 0);
      const turns = course.filter((percent, at) => {
        const [before = percent, next = percent] = [course[at - 1], course[at + 1]];
        return (percent - before) * (next - percent) < 0;
      });
      expect(turns.length).toBeLessThanOrEqual(1);
    }),
  );
});
