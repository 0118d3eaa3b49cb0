/** PURE: times of day by cron expressions, in a time zone. */
import { Cron } from 'croner';

/** The first time after one, Unix milliseconds; undefined when there is none. Throws `Error` on what `scheduleProblem` finds. */
export function nextTime(cron: string, timeZone: string | undefined, after: number): number | undefined {
  return new Cron(cron, { timezone: timeZone ?? 'UTC', mode: '5-part', paused: true }).nextRun(new Date(after))?.getTime();
}

/** The time that comes before one that is waited for: a clock that was ahead, and went back, had left it out. Undefined when none does. */
export function soonerTime(
  waitedFor: number | undefined,
  cron: string | undefined,
  { timeZone, now }: { readonly timeZone: string | undefined; readonly now: number },
): number | undefined {
  if (waitedFor === undefined || cron === undefined || now >= waitedFor) return undefined;
  const next = nextTime(cron, timeZone, now);
  return next !== undefined && next < waitedFor ? next : undefined;
}

/** What is wrong with an expression, or with its time zone. */
export function scheduleProblem(cron: string, timeZone: string | undefined): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timeZone ?? 'UTC' });
  } catch {
    return `${timeZone} is no time zone: name one as Europe/Berlin`;
  }
  try {
    return nextTime(cron, timeZone, Date.UTC(2026, 0, 1)) === undefined ? `${cron} never comes` : undefined;
  } catch (error) {
    return `${cron} is no cron expression of five fields: ${error instanceof Error ? error.message : ''}`;
  }
}
