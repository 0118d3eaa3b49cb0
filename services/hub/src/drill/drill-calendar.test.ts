import { describe, expect, it } from 'vitest';
import { calendarOf, nextStart, type ScheduledDrill } from './drill-calendar.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday. */
const MONDAY = Date.UTC(2026, 10, 23);
const WEEK = { from: MONDAY, to: MONDAY + 7 * DAY };

function drill(name: string, cron: string | undefined, changes: Partial<ScheduledDrill> = {}): ScheduledDrill {
  return {
    ...{ name, mode: 'live', scope: 'region us-east', suspended: false, approvals: 1 },
    schedule: cron === undefined ? undefined : { cron },
    ...{ deadlineMs: 10 * MINUTE, longestMs: HOUR, windows: undefined, freezes: [] },
    ...changes,
  };
}

const starts = (...drills: ScheduledDrill[]) =>
  calendarOf(drills, WEEK).entries.map(({ drill, at, starts }) => [drill, at.slice(8, 16), starts]);

describe('the calendar of drills', () => {
  it('has the starts of all of them in order, by the clocks of their time zones', () => {
    const berlin = drill('berlin', undefined, { schedule: { cron: '0 10 * * 3', timeZone: 'Europe/Berlin' } });
    expect(starts(berlin, drill('utc', '30 9 * * 1,3'))).toEqual([
      ['utc', '23T09:30', true],
      ['berlin', '25T09:00', true],
      ['utc', '25T09:30', false],
    ]);
  });

  it('says of a start what keeps it, by its name', () => {
    const frozen = drill('a', '0 12 * * *', {
      windows: { allowed: ['Tue:09:00-Thu:16:00'], dates: ['2026-11-25'] },
      freezes: [{ name: 'sale', spec: { reason: 'the sale', windows: { dates: ['2026-11-26'] } } }],
    });
    const { entries } = calendarOf([frozen], { from: MONDAY, to: MONDAY + 4 * DAY });
    expect(entries.map(({ starts, why }) => [starts, ...why])).toEqual([
      [false, 'windows: the drill is not allowed at that time'],
      [true],
      [false, 'windows: the drill is not allowed at that time'],
      [false, 'freeze/sale: the sale'],
    ]);
    expect(new Date(nextStart(frozen, MONDAY) ?? 0).toISOString()).toBe('2026-11-24T12:00:00.000Z');
    expect(nextStart(frozen, MONDAY + 5 * DAY)).toBe(MONDAY + 8 * DAY + 12 * HOUR);
  });

  it('lets a start wait for a window, or for the drill before it, until its deadline', () => {
    const late = drill('late', '55 8 * * 1', { windows: { allowed: ['Mon:09:00-Mon:17:00'] } });
    const next = drill('next', '55 9 * * 1', { deadlineMs: 5 * MINUTE });
    const patient = drill('patient', '56 9 * * 1', { deadlineMs: 70 * MINUTE });
    const { entries } = calendarOf([late, next, patient], WEEK);
    expect(entries).toMatchObject([
      {
        drill: 'late',
        starts: true,
        why: [expect.any(String), 'starts at 2026-11-23T09:00:00.000Z at the latest'],
        until: '2026-11-23T10:00:00.000Z',
      },
      { drill: 'next', starts: true, why: [expect.stringMatching(/^one-at-a-time: drill late/), expect.stringContaining('T10:00')] },
      { drill: 'patient', starts: true, why: [expect.stringMatching(/^one-at-a-time: drill next/), expect.stringContaining('T11:00')] },
    ]);
    expect(starts(late, { ...next, deadlineMs: MINUTE })).toEqual([
      ['late', '23T08:55', true],
      ['next', '23T09:55', false],
    ]);
  });

  it('says why a drill has no start, and bounds what it shows', () => {
    const { entries, without, truncated } = calendarOf(
      [
        drill('by-hand', undefined),
        drill('asleep', '* * * * *', { suspended: true }),
        drill('yearly', '0 0 1 1 *'),
        drill('often', '* * * * *'),
      ],
      WEEK,
    );
    expect(without.map(({ drill: name, why }) => `${name}: ${why}`)).toEqual([
      'by-hand: it has no schedule: hawser drill run by-hand starts it',
      'asleep: it is suspended',
      'yearly: 0 0 1 1 * does not come before 2026-11-30T00:00:00.000Z',
    ]);
    expect([entries.length, truncated]).toEqual([500, true]);
  });

  it('has no next start where every one is kept', () => {
    const never = drill('never', '0 12 * * *', { freezes: [{ name: 'for-ever', spec: { reason: 'x' } }] });
    expect(nextStart(never, MONDAY)).toBeUndefined();
    expect(nextStart(drill('a', '0 12 * * *', { suspended: true }), MONDAY)).toBeUndefined();
  });
});
