/** Values of policies as Envoy takes them: what is out of bounds is brought within, what is no value is none. Pure. */
import { parseDuration } from '@hawser/model/duration.ts';

/** The longest time that a policy can mean. */
const LONGEST_MS = 365 * 86_400_000;

/** Whole milliseconds of a duration, at least 1; undefined when it is none. */
export function durationMs(text: string | undefined): number | undefined {
  const ms = typeof text === 'string' ? parseDuration(text) : undefined;
  return ms === undefined || ms <= 0 ? undefined : Math.min(Math.max(1, Math.round(ms)), LONGEST_MS);
}

/** As `durationMs`, with 0 for a duration of nothing, which switches a limit off. */
export function durationOrOffMs(text: string | undefined): number | undefined {
  return typeof text === 'string' && parseDuration(text) === 0 ? 0 : durationMs(text);
}

/** A whole number within bounds; undefined when it is none. */
export function bounded(value: number | undefined, least: number, most: number): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(Math.round(value), least), most) : undefined;
}

/** A whole number of at least 1; 0 and what is none are no value, as in Istio's settings that have a default. */
export function positiveCount(value: number | undefined): number | undefined {
  const count = bounded(value, 0, 0xffff_ffff);
  return count === 0 ? undefined : count;
}
