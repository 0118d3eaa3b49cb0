/** PURE: when callers were hurt, and were served again, as fine as it was told: the second was found before. */
import { TRACE_STEP_MS, type TraceRow } from '../traffic/traffic-trace.ts';
import type { Recovery } from './run-evidence.ts';
import type { RecoveryQuestion } from './run-recovery.ts';

const SECOND_MS = 1_000;

/** Unix milliseconds: the end of the second in which callers recovered; what comes later has no part in it. */
export function secondAfter(recoveredAt: number): number {
  return Math.ceil(recoveredAt / SECOND_MS) * SECOND_MS;
}

/** The same with finer times, where the steps cover the whole of it. */
export function finerRecovery(coarse: Recovery, rows: readonly TraceRow[], question: RecoveryQuestion): Recovery {
  const { begunAt, scope, isAway } = question;
  const { recoveredAt } = coarse;
  // What was noted after it began says nothing of its beginning.
  if (recoveredAt === undefined || rows[0] === undefined || rows[0].at > begunAt) return coarse;
  const end = Math.min(question.until ?? Number.POSITIVE_INFINITY, secondAfter(recoveredAt));
  const during = rows.filter(({ at }) => at + TRACE_STEP_MS > begunAt && at < end);
  const bad = during.filter(({ failures, requests, destination }) => failures > 0 || (isAway && requests > 0 && scope.has(destination)));
  const last = bad.at(-1);
  const firstFailed = during.find(({ failures }) => failures > 0);
  return {
    ...coarse,
    recoveredAt: last === undefined ? begunAt : middleOf(last, begunAt),
    firstFailureAt: firstFailed === undefined ? coarse.firstFailureAt : Math.max(begunAt, firstFailed.at),
    resolutionMs: Math.max(TRACE_STEP_MS, ...[firstFailed, last].map((row) => row?.spanMs ?? 0)),
  };
}

/**
 * The middle of the time in which the requests of a step may have ended, so that it is off by half of that at most: an agent says how many
 * ended since it looked last, and not when.
 */
function middleOf({ at, spanMs }: TraceRow, begunAt: number): number {
  const end = at + TRACE_STEP_MS;
  const from = Math.max(begunAt, end - Math.max(TRACE_STEP_MS, spanMs));
  return Math.round((from + end) / 2);
}
