/** Spans of the week and days in a time zone: `Tue:09:00-Thu:16:00`. They are of the clock on the wall, whatever daylight saving does. Pure. */

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const DAY_MINUTES = 1440;
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** `DAY:HH:MM-DAY:HH:MM`; the end is not in it, and it may lie in the next week. */
export const WEEK_WINDOW =
  '^(Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01][0-9]|2[0-3]):[0-5][0-9]-(Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01][0-9]|2[0-3]):[0-5][0-9]$';

/** A moment as the clock on the wall has it. */
export interface WallClock {
  /** Minutes since Sunday 00:00. */
  readonly minuteOfWeek: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** What clocks show there; undefined of a time zone that the IANA's list has not. */
export function wallClock(at: Date, timeZone: string): WallClock | undefined {
  const format = formatOf(timeZone);
  if (format === undefined) return undefined;
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const day = DAYS.indexOf(parts['weekday'] ?? '');
  const minuteOfWeek = day * DAY_MINUTES + Number(parts['hour']) * 60 + Number(parts['minute']);
  return { minuteOfWeek, date: `${parts['year']}-${parts['month']}-${parts['day']}` };
}

/** Whether the moment is within a window that fits `WEEK_WINDOW`. */
export function isWithin(window: string, { minuteOfWeek }: WallClock): boolean {
  const [from = 0, to = 0] = window.split('-').map(minuteOf);
  const length = (to - from + WEEK_MINUTES) % WEEK_MINUTES;
  return (minuteOfWeek - from + WEEK_MINUTES) % WEEK_MINUTES < length;
}

function minuteOf(text: string): number {
  const [day = '', hour, minute] = text.split(':');
  return DAYS.indexOf(day) * DAY_MINUTES + Number(hour) * 60 + Number(minute);
}

/** Making one takes longer than all the rest. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();
const MOST_FORMATS = 1000;

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  if (!formats.has(timeZone)) {
    if (formats.size >= MOST_FORMATS) formats.clear();
    formats.set(timeZone, makeFormat(timeZone));
  }
  return formats.get(timeZone);
}

function makeFormat(timeZone: string): Intl.DateTimeFormat | undefined {
  const digits = '2-digit';
  const date = { weekday: 'short', year: 'numeric', month: digits, day: digits } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', hour: digits, minute: digits, ...date });
  } catch {
    return undefined;
  }
}
