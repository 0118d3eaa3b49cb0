import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FreezeSpec, freezeProblems, isFrozen } from './freeze.ts';
import { isWithin, WEEK_WINDOW, wallClock } from './freeze-window.ts';

const frozen = (spec: Omit<FreezeSpec, 'reason'>, at: string): boolean => isFrozen(spec, new Date(at));

describe('a freeze', () => {
  // 2026-11-24 is a Tuesday.
  test.each<[string, Omit<FreezeSpec, 'reason'>, string, boolean]>([
    ['without times holds', {}, '2026-11-24T00:00:00Z', true],
    ['holds until it ends', { until: '2026-11-24T12:00:00Z' }, '2026-11-24T11:59:59Z', true],
    ['does not hold after it', { until: '2026-11-24T12:00:00Z' }, '2026-11-24T12:00:00Z', false],
    ['holds within what is blocked', { windows: { blocked: ['Tue:09:00-Thu:16:00'] } }, '2026-11-25T23:00:00Z', true],
    ['does not hold at its end', { windows: { blocked: ['Tue:09:00-Thu:16:00'] } }, '2026-11-26T16:00:00Z', false],
    ['holds over the end of a week', { windows: { blocked: ['Fri:18:00-Mon:08:00'] } }, '2026-11-22T12:00:00Z', true],
    ['does not hold within what is allowed', { windows: { allowed: ['Tue:09:00-Thu:16:00'] } }, '2026-11-24T09:00:00Z', false],
    ['holds outside of what is allowed', { windows: { allowed: ['Tue:09:00-Thu:16:00'] } }, '2026-11-24T08:59:00Z', true],
    [
      'holds where blocked and allowed meet',
      { windows: { allowed: ['Mon:00:00-Sun:23:59'], blocked: ['Tue:09:00-Tue:10:00'] } },
      '2026-11-24T09:30:00Z',
      true,
    ],
    ['holds on its days', { windows: { dates: ['2026-12-24'], allowed: ['Mon:00:00-Sun:23:59'] } }, '2026-12-24T09:30:00Z', true],
    ['goes by the clocks there', { windows: { dates: ['2026-12-24'], timeZone: 'Asia/Tokyo' } }, '2026-12-23T15:00:00Z', true],
    ['and by no others', { windows: { dates: ['2026-12-24'], timeZone: 'Asia/Tokyo' } }, '2026-12-24T15:00:00Z', false],
    // 02:30 is not on the clocks of Berlin that day, and is twice in autumn.
    [
      'goes on over a clock that is put forward',
      { windows: { blocked: ['Sun:02:00-Sun:04:00'], timeZone: 'Europe/Berlin' } },
      '2026-03-29T01:30:00Z',
      true,
    ],
    [
      'goes on over a clock that is put back',
      { windows: { blocked: ['Sun:02:00-Sun:03:00'], timeZone: 'Europe/Berlin' } },
      '2026-10-25T01:30:00Z',
      true,
    ],
  ])('%s', (_, spec, at, holds) => {
    expect(frozen(spec, at)).toBe(holds);
  });

  test.each<[Partial<FreezeSpec>, string]>([
    [{ windows: { blocked: ['Tue:09:00-Tue:09:00'] } }, 'windows.blocked.0'],
    [{ windows: { dates: ['2026-02-30'] } }, 'windows.dates.0'],
    [{ windows: { timeZone: 'Mars/Olympus' } }, 'windows.timeZone'],
    [{ until: '2026-99-01T00:00:00Z' }, 'until'],
    [{ reason: '  ' }, 'reason'],
    [{ scope: {} }, 'scope'],
    [{ windows: { dates: Array.from({ length: 101 }, (_, day) => new Date(day * 86_400_000).toJSON().slice(0, 10)) } }, 'windows'],
  ])('%j is refused at %s', (changes, field) => {
    expect(freezeProblems({ reason: 'holidays', ...changes }).map(({ steps }) => steps.join('.'))).toEqual([field]);
  });
});

describe('a window', () => {
  const moment = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Chatham');
  const time = fc
    .tuple(fc.constantFrom('Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'), fc.nat(23), fc.nat(59))
    .map(([day, hour, minute]) => `${day}:${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);

  test('and the one from its end to its beginning are the whole week, and share nothing', () => {
    fc.assert(
      fc.property(time, time, moment, zone, (from, to, at, timeZone) => {
        fc.pre(from !== to);
        const clock = wallClock(at, timeZone);
        if (clock === undefined) throw new Error(`no clock of ${timeZone}`);
        expect(`${from}-${to}`).toMatch(new RegExp(WEEK_WINDOW));
        expect(isWithin(`${from}-${to}`, clock)).toBe(!isWithin(`${to}-${from}`, clock));
        expect(clock.minuteOfWeek).toBeGreaterThanOrEqual(0);
        expect(clock.minuteOfWeek).toBeLessThan(7 * 1440);
      }),
    );
  });
});
