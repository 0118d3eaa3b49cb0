/** PURE: when drills come by their schedules, and what would keep each from starting: windows, freezes, and the one before it. */
import { type FreezeSpec, isFrozen } from '@hawser/model/freeze.ts';
import type { CalendarEntry, DrillCalendarView } from '@hawser/wire/drill-views.ts';
import type { Named } from '../safety/permit.ts';
import { nextTime } from '../shift/shift-schedule.ts';

/** What of a drill a calendar needs; all times in milliseconds. */
export interface ScheduledDrill {
  readonly name: string;
  readonly mode: string;
  /** For people. */
  readonly scope: string;
  readonly suspended: boolean;
  readonly schedule: { readonly cron: string; readonly timeZone?: string | undefined } | undefined;
  /** A start that is kept for longer is skipped. */
  readonly deadlineMs: number;
  /** How long a run lasts at most. */
  readonly longestMs: number;
  /** People who must consent. */
  readonly approvals: number;
  readonly windows: FreezeSpec['windows'];
  /** Those that are for it. */
  readonly freezes: readonly Named<FreezeSpec>[];
}

/** Unix milliseconds; `to` is not in it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Starts that are shown of one drill, and of all. */
const MOST_EACH = 500;
const MOST_ENTRIES = 1_000;
/** How far it is looked ahead for a start that nothing keeps. */
const AHEAD = { times: 1_000, ms: 400 * DAY_MS };
/** A window that opens within the deadline is looked for minute by minute, this far. */
const LATE_MINUTES = 60;

/** All starts in the span, in their order. */
export function calendarOf(drills: readonly ScheduledDrill[], { from, to }: Span): DrillCalendarView {
  const found = drills.map((drill) => ({ drill, times: timesOf(drill, { from, to }) }));
  const starts = found.flatMap(({ drill, times }) => times.slice(0, MOST_EACH).map((at) => ({ drill, at })));
  const shown = starts.sort((a, b) => a.at - b.at || (a.drill.name < b.drill.name ? -1 : 1)).slice(0, MOST_ENTRIES);
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    entries: oneAtATime(shown),
    without: found.flatMap(({ drill, times }) => (times.length > 0 ? [] : [{ drill: drill.name, why: whyNone(drill, to) }])),
    truncated: starts.length > shown.length || found.some(({ times }) => times.length > MOST_EACH),
  };
}

/** When its schedule starts it next without a window or a freeze against it, Unix milliseconds; undefined when that is not in sight. */
export function nextStart(drill: ScheduledDrill, after: number): number | undefined {
  if (drill.suspended || drill.schedule === undefined) return undefined;
  let at: number | undefined = after;
  for (let count = 0; count < AHEAD.times; count += 1) {
    at = nextTime(drill.schedule.cron, drill.schedule.timeZone, at);
    if (at === undefined || at > after + AHEAD.ms) return undefined;
    if (firstFree(drill, at) !== undefined) return at;
  }
  return undefined;
}

/** What of windows and freezes keeps it from starting at a moment. */
export function keptBy({ windows, freezes }: Pick<ScheduledDrill, 'windows' | 'freezes'>, at: number): readonly string[] {
  const moment = new Date(at);
  const closed = windows !== undefined && isFrozen({ windows }, moment);
  const frozen = freezes.filter(({ spec }) => isFrozen(spec, moment));
  return [
    ...(closed ? ['windows: the drill is not allowed at that time'] : []),
    ...frozen.map(({ name, spec }) => `freeze/${name}: ${spec.reason}`),
  ];
}

function timesOf({ suspended, schedule }: ScheduledDrill, { from, to }: Span): readonly number[] {
  const times: number[] = [];
  if (suspended || schedule === undefined) return times;
  // The moment at which the span begins is in it.
  let at: number | undefined = from - 1;
  while (times.length <= MOST_EACH) {
    at = nextTime(schedule.cron, schedule.timeZone, at);
    if (at === undefined || at >= to) break;
    times.push(at);
  }
  return times;
}

interface Start {
  readonly drill: ScheduledDrill;
  readonly at: number;
}

/** Of two that meet, the later one waits for the earlier until its deadline. */
function oneAtATime(starts: readonly Start[]): CalendarEntry[] {
  let busy: { readonly name: string; readonly until: number } | undefined;
  return starts.map(({ drill, at }) => {
    const kept = keptBy(drill, at);
    const free = firstFree(drill, at);
    const met = busy !== undefined && busy.until > (free ?? at) ? busy : undefined;
    const begins = free === undefined ? undefined : met === undefined ? free : firstFree(drill, at, met.until);
    const until = (begins ?? at) + drill.longestMs;
    if (begins !== undefined) busy = { name: drill.name, until };
    const why = [
      ...kept,
      ...(met === undefined ? [] : [`one-at-a-time: drill ${met.name} may last until ${new Date(met.until).toISOString()}`]),
      ...(begins === undefined || begins === at ? [] : [`starts at ${new Date(begins).toISOString()} at the latest`]),
    ];
    return {
      ...{ drill: drill.name, at: new Date(at).toISOString(), until: new Date(until).toISOString() },
      ...{ mode: drill.mode, scope: drill.scope, approvals: drill.mode === 'live' ? drill.approvals : 0 },
      ...{ starts: begins !== undefined, why },
    };
  });
}

/** When it may start: at its time, or until its deadline when what keeps it ends; not before `earliest`. */
function firstFree(drill: ScheduledDrill, at: number, earliest = at): number | undefined {
  if (earliest > at + drill.deadlineMs) return undefined;
  const last = Math.min(at + drill.deadlineMs, earliest + LATE_MINUTES * MINUTE_MS);
  for (let moment = earliest; moment <= last; moment += MINUTE_MS) if (keptBy(drill, moment).length === 0) return moment;
  return undefined;
}

function whyNone({ name, suspended, schedule }: ScheduledDrill, to: number): string {
  if (schedule === undefined) return `it has no schedule: hawser drill run ${name} starts it`;
  if (suspended) return 'it is suspended';
  return `${schedule.cron} does not come before ${new Date(to).toISOString()}`;
}
