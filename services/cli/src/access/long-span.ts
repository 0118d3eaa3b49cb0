import { durationFlag } from '../commands/duration-flag.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Milliseconds of a flag such as `30d`, `12h` or `90m`; throws a usage error naming the flag. */
export function longSpan(flag: string, text: string): number {
  const days = /^([1-9][0-9]{0,4})d$/.exec(text)?.[1];
  return days === undefined ? durationFlag(flag, text) : Number(days) * DAY_MS;
}
