import { describe, expect, it } from 'vitest';
import { type HeardSecond, joinedSeconds } from './carried-seconds.ts';
import { keptSeconds, secondsKept } from './kept-seconds.ts';
import type { RunCell, RunSecond } from './run-recovery.ts';

const cell = (source: string, requests: number, failed = 0, destination = 'west'): RunCell => ({
  ...{ service: 'shop/cart', source, destination, requests, failed, attempts: requests },
});
const second = (at: number, cells: readonly RunCell[], unknown: readonly string[] = []): RunSecond => ({ at: at * 1_000, unknown, cells });
const heard = (one: RunSecond, dealt: readonly string[] = []): HeardSecond => ({ ...one, dealt });
const kept = (...seconds: readonly RunSecond[]): ReadonlyMap<number, RunSecond> => new Map(seconds.map((one) => [one.at, one]));

describe('what two leaders heard of a run', () => {
  it('is what either knows, by source', () => {
    const own = [
      heard(second(1, [], ['east', 'west'])),
      heard(second(2, [cell('east', 5)], ['west'])),
      heard(second(3, [cell('west', 7)])),
    ];
    const before = kept(second(1, [cell('east', 3), cell('west', 4)]), second(2, [cell('east', 2), cell('west', 6)]));
    expect(joinedSeconds(own, before)).toEqual([
      second(1, [cell('east', 3), cell('west', 4)]),
      second(2, [cell('east', 5), cell('west', 6)]),
      second(3, [cell('west', 7)]),
    ]);
  });

  it('stays unknown where neither knows it', () => {
    expect(joinedSeconds([heard(second(1, [], ['east']))], kept(second(1, [], ['east'])))).toEqual([second(1, [], ['east'])]);
    expect(joinedSeconds([heard(second(1, [], ['east']))], kept())).toEqual([second(1, [], ['east'])]);
  });

  it('gives the seconds that nobody heard what is left of a later report, and counts nothing twice', () => {
    // The report tells of four seconds: 40 requests, 4 failed. The first two were kept: 20, of which 3 failed.
    const own = [1, 2, 3, 4].map((at) => heard(second(at, [cell('east', 10, 1)], ['east']), ['east']));
    const before = kept(second(1, [cell('east', 12, 3)]), second(2, [cell('east', 8, 0)]));
    expect(joinedSeconds(own, before)).toEqual([
      second(1, [cell('east', 12, 3)]),
      second(2, [cell('east', 8, 0)]),
      second(3, [cell('east', 10, 1)], ['east']),
      second(4, [cell('east', 10, 0)], ['east']),
    ]);
  });

  it('takes no more from a report than it tells', () => {
    const own = [1, 2].map((at) => heard(second(at, [cell('east', 4)], ['east']), ['east']));
    expect(joinedSeconds(own, kept(second(1, [cell('east', 9)])))).toEqual([second(1, [cell('east', 9)]), second(2, [], ['east'])]);
  });

  it('leaves a report as it is of which nothing was kept, or everything', () => {
    const own = [1, 2].map((at) => heard(second(at, [cell('east', 4)], ['east']), ['east']));
    expect(joinedSeconds(own, kept())).toEqual([second(1, [cell('east', 4)], ['east']), second(2, [cell('east', 4)], ['east'])]);
    const whole = kept(second(1, [cell('east', 1)]), second(2, [cell('east', 7)]));
    expect(joinedSeconds(own, whole)).toEqual([...whole.values()]);
  });
});

describe('the seconds that an operation keeps', () => {
  it('are the same again', () => {
    const seconds = [second(1, [cell('east', 3, 1), cell('west', 4, 0, '')], ['north']), second(2, [])];
    expect(secondsKept(JSON.parse(JSON.stringify(keptSeconds(seconds))))).toEqual(seconds);
  });

  it('are the first and the newest ones beyond the bound', () => {
    const seconds = Array.from({ length: 100 }, (_, at) => second(at, [cell('east', 1)]));
    const ats = secondsKept(keptSeconds(seconds, 20)).map(({ at }) => at / 1_000);
    expect(ats).toEqual([0, 1, 2, 3, 4, 95, 96, 97, 98, 99]);
  });
});
