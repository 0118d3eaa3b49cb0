/** PURE: for how long callers had no answer, in the finest steps that there are. */
import { TRACE_STEP_MS, type TraceRow } from '../traffic/traffic-trace.ts';
import { knownCells, type RunSecond, sum } from './run-recovery.ts';

const SECOND_MS = 1_000;

/** Whose. */
export interface Callers {
  readonly service: string;
  /** Their cluster. */
  readonly source: string;
}

/** What was counted of a run. */
export interface CountedRun {
  readonly seconds: readonly RunSecond[];
  /** In finer steps, from `from` on; empty where they do not cover it. */
  readonly rows: readonly TraceRow[];
  /** Unix milliseconds at which it could begin to hurt. */
  readonly from: number;
}

/** Milliseconds. */
export interface LongestGap {
  readonly longestGapMs: number;
  /** How far off that may be. */
  readonly gapResolutionMs: number;
}

/** Longest time in which no request of a service succeeded for one cluster's callers while some ended. */
export function longestGap({ seconds, rows, from }: CountedRun, callers: Callers): LongestGap {
  const begin = rows[0]?.at;
  if (begin === undefined || begin > from) return { longestGapMs: inSeconds(seconds, callers), gapResolutionMs: SECOND_MS };
  const own = rows.filter(
    ({ at, service, source }) => service === callers.service && source === callers.source && at + TRACE_STEP_MS > from,
  );
  return {
    longestGapMs: inSteps(own),
    gapResolutionMs: own.reduce((most, { spanMs }) => Math.max(most, spanMs), TRACE_STEP_MS),
  };
}

function inSeconds(seconds: readonly RunSecond[], { service, source }: Callers): number {
  let [longest, length] = [0, 0];
  for (const second of seconds) {
    const own = knownCells(second).filter((cell) => cell.service === service && cell.source === source);
    const requests = sum(own, 'requests');
    if (requests === 0) continue;
    length = requests === sum(own, 'failed') ? length + 1 : 0;
    longest = Math.max(longest, length);
  }
  return longest * SECOND_MS;
}

/** From the first step in which all failed to the end of the last one before some succeeded; silence in between belongs to it. */
function inSteps(rows: readonly TraceRow[]): number {
  let longest = 0;
  let since: number | undefined;
  for (const [at, step] of Map.groupBy(rows, (row) => row.at)) {
    const requests = step.reduce((total, row) => total + row.requests, 0);
    const failures = step.reduce((total, row) => total + row.failures, 0);
    if (requests === 0) continue;
    if (failures < requests) {
      since = undefined;
      continue;
    }
    since ??= at;
    longest = Math.max(longest, at + TRACE_STEP_MS - since);
  }
  return longest;
}
