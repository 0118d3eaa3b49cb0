/** What callers went through, second by second. */
import { describe, expect, it } from 'vitest';
import { type RecoveryQuestion, type RunSecond, recoveryOf } from './run-recovery.ts';

const SERVICE = 'shop/cart';
/** Seconds from 0 on: requests and failures of callers in east that ended in west, then those that ended in east. */
const secondsOf = (...counts: readonly (readonly [there: number, failed: number, away: number])[]): RunSecond[] =>
  counts.map(([there, failed, away], index) => {
    const cell = { service: SERVICE, source: 'east' };
    return {
      ...{ at: index * 1_000, unknown: [] },
      cells: [
        ...(there === 0 ? [] : [{ ...cell, destination: 'west', requests: there, failed, attempts: there }]),
        ...(away === 0 ? [] : [{ ...cell, destination: 'east', requests: away, failed: 0, attempts: away }]),
      ],
    };
  });
const question = (changes: Partial<RecoveryQuestion> = {}): RecoveryQuestion => ({
  ...{ countedFrom: 2_000, begunAt: 2_000, until: undefined, scope: new Set(['west']), maxErrorRatePercent: 1, isAway: true },
  ...changes,
});
const BEFORE = [
  [100, 0, 0],
  [100, 0, 0],
] as const;
const AFTER = [
  [0, 0, 100],
  [0, 0, 100],
  [0, 0, 100],
] as const;

describe('recovery', () => {
  it('is the end of the last bad second, as far as it was bad', () => {
    const seconds = secondsOf(...BEFORE, [100, 100, 0], [30, 30, 70], ...AFTER);
    expect(recoveryOf(seconds, question())).toEqual({
      ...{
        recoveredAt: 3_300,
        firstFailureAt: 2_000,
        detectedAt: 3_000,
        requests: 500,
        failed: 130,
        unknownSeconds: 0,
        resolutionMs: 1_000,
      },
    });
  });

  it('begins where it could hurt, within a second', () => {
    const seconds = secondsOf(...BEFORE, [60, 10, 40], ...AFTER);
    expect(recoveryOf(seconds, question({ begunAt: 2_400 }))).toMatchObject({ recoveredAt: 3_000, firstFailureAt: 2_400 });
  });

  it('is there at once where nobody noticed, and counts single failures within the objective', () => {
    expect(recoveryOf(secondsOf(...BEFORE, ...AFTER), question())).toMatchObject({ recoveredAt: 2_000, failed: 0 });
    const one = secondsOf(...BEFORE, [1, 1, 199], ...AFTER);
    expect(recoveryOf(one, question())).toMatchObject({ recoveredAt: 2_000, failed: 1 });
    expect(recoveryOf(one, question({ maxErrorRatePercent: 0 }))).toMatchObject({ recoveredAt: 2_005 });
  });

  it('is not seen while callers fail, or are answered there', () => {
    expect(recoveryOf(secondsOf(...BEFORE, ...AFTER, [100, 100, 0]), question())?.recoveredAt).toBeUndefined();
    const late = secondsOf(...BEFORE, [100, 0, 0], [100, 0, 0]);
    expect(recoveryOf(late, question())?.recoveredAt).toBeUndefined();
    expect(recoveryOf(late, question({ isAway: false }))?.recoveredAt).toBe(2_000);
    expect(recoveryOf(secondsOf(...BEFORE), question())).toBeUndefined();
    expect(recoveryOf(secondsOf(...BEFORE, [0, 0, 0]), question())?.recoveredAt).toBeUndefined();
  });

  it('ends with the fault; what fails on the way back is counted all the same', () => {
    const seconds = secondsOf(...BEFORE, [100, 100, 0], ...AFTER, [50, 5, 50]);
    expect(recoveryOf(seconds, question({ until: 6_000 }))).toMatchObject({ recoveredAt: 3_000, failed: 105 });
  });

  it('is not undone by who answers again in the second in which the fault is lifted; failures in it are', () => {
    const seconds = secondsOf(...BEFORE, [100, 100, 0], ...AFTER, [40, 0, 60]);
    expect(recoveryOf(seconds, question({ until: 6_300 }))).toMatchObject({ recoveredAt: 3_000 });
    expect(recoveryOf(seconds, question({ until: 7_000 }))?.recoveredAt).toBeUndefined();
    const failing = secondsOf(...BEFORE, [100, 100, 0], ...AFTER, [40, 40, 60]);
    expect(recoveryOf(failing, question({ until: 6_300 }))?.recoveredAt).toBeUndefined();
  });

  it('counts from when proxies could have it, though nobody had heard yet that one did', () => {
    const seconds = secondsOf(...BEFORE, [50, 5, 50], ...AFTER);
    const heardLater = question({ countedFrom: 2_900, begunAt: 3_050 });
    expect(recoveryOf(seconds, heardLater)).toMatchObject({ requests: 400, failed: 5 });
  });

  it('says what nobody accounted for', () => {
    const seconds = secondsOf(...BEFORE, ...AFTER).map((second) => ({ ...second, unknown: ['west'] }));
    expect(recoveryOf(seconds, question())?.unknownSeconds).toBe(3);
  });

  describe('where some seconds are not known', () => {
    const unheard = (seconds: readonly RunSecond[], ...places: readonly number[]): RunSecond[] =>
      seconds.map((second, place) => (places.includes(place) ? { ...second, unknown: ['east'] } : second));

    it('is at their end at the latest, and says how far off that may be', () => {
      const seconds = unheard(secondsOf(...BEFORE, [100, 100, 0], [50, 1, 50], [50, 0, 50], ...AFTER), 3, 4);
      expect(recoveryOf(seconds, question())).toMatchObject({ recoveredAt: 5_000, resolutionMs: 3_000, unknownSeconds: 2, failed: 101 });
    });

    it('is not later for what is not known after it', () => {
      const seconds = unheard(secondsOf(...BEFORE, [100, 100, 0], ...AFTER, [50, 0, 50], ...AFTER), 6);
      expect(recoveryOf(seconds, question())).toMatchObject({ recoveredAt: 3_000, resolutionMs: 1_000, unknownSeconds: 1 });
    });

    it('is at their end where they are the first', () => {
      expect(recoveryOf(unheard(secondsOf(...BEFORE, ...AFTER), 2), question())).toMatchObject({
        recoveredAt: 3_000,
        firstFailureAt: undefined,
      });
    });

    it('is not known where more is unknown than known; whoever calls nobody may be silent', () => {
      const seconds = secondsOf(...BEFORE, ...AFTER);
      expect(recoveryOf(unheard(seconds, 2, 3), question())?.recoveredAt).toBeUndefined();
      const silent = seconds.map((second) => ({ ...second, unknown: ['north'] }));
      expect(recoveryOf(silent, question())).toMatchObject({ recoveredAt: 2_000, unknownSeconds: 3 });
    });
  });
});
