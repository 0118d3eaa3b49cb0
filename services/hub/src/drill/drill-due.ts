/** PURE: which time of a drill's schedule has come. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { nextTime } from '../shift/shift-schedule.ts';

/** How far back a time is looked for that nobody attended to: it is shown as skipped. */
const BACK_MS = 3_600_000;

/**
 * The newest time that has come since `handled`, Unix milliseconds; undefined when there is none. What came before the drill was written
 * is not its.
 */
export function dueTime(
  { metadata, spec }: Resource,
  { now, handled = 0 }: { readonly now: number; readonly handled?: number | undefined },
): number | undefined {
  const { schedule, suspend = false } = spec as DrillSpec;
  if (schedule === undefined || suspend) return undefined;
  const written = Date.parse(metadata.creationTimestamp ?? '') || now;
  let due: number | undefined;
  let at = nextTime(schedule.cron, schedule.timeZone, Math.max(now - BACK_MS, written, handled));
  while (at !== undefined && at <= now) {
    due = at;
    at = nextTime(schedule.cron, schedule.timeZone, at);
  }
  return due;
}
