/** PURE: what people may say to a run. */
import type { OperationActor } from '../operations/operation-kind.ts';
import { type DrillApproval, type DrillState, isOver, type RunPlan, stopped } from './drill-state.ts';
import type { RunEvidence } from './run-evidence.ts';

/** Commands of a run. */
export const DRILL_COMMANDS = ['approve', 'deny', 'abort', 'note'] as const;
export type DrillCommand = (typeof DRILL_COMMANDS)[number];

/** Notes of one run that are kept. */
const MOST_NOTES = 200;

/** What becomes of it; a text says why that cannot be. */
export function commanded(
  state: DrillState,
  command: DrillCommand,
  { by, plan, evidence }: { readonly by: OperationActor; readonly plan: RunPlan; readonly evidence: Pick<RunEvidence, 'now' | 'clock'> },
): DrillState | string {
  const { actor, reason = '' } = by;
  const at = new Date(evidence.now).toISOString();
  if (isOver(state)) return `it is over: ${state.outcome}, and its report is signed`;
  if (command === 'abort') {
    if (state.phase === 'Restoring' && state.percent === 0) return 'it goes back already';
    return stopped(state, 'Aborted', { ...evidence, why: `${actor} aborted it${reason === '' ? '' : `: ${reason}`}` });
  }
  if (command === 'note') {
    if (reason === '') return 'a note needs a text (reason)';
    if (state.notes.length >= MOST_NOTES) return `it has ${MOST_NOTES} notes already`;
    return { ...state, notes: [...state.notes, { by: actor, at, text: reason }] };
  }
  const refusal = notAsked(state, actor, { plan, evidence });
  if (refusal !== undefined) return refusal;
  const said: DrillApproval = { by: actor, at, verdict: command === 'deny' ? 'denied' : 'approved', comment: reason };
  const event = { at, event: said.verdict === 'denied' ? 'Denied' : 'Approved', detail: `by ${actor}` };
  const heard = { ...state, approvals: [...state.approvals, said], timeline: [...state.timeline, event] };
  if (command === 'approve') return heard;
  return stopped(heard, 'Skipped', { ...evidence, why: `${actor} denied it${reason === '' ? '' : `: ${reason}`}` });
}

/** Why this person's consent does not count now. */
function notAsked(
  state: DrillState,
  actor: string,
  { plan, evidence }: { readonly plan: RunPlan; readonly evidence: Pick<RunEvidence, 'clock'> },
): string | undefined {
  const { approvals } = plan.course;
  if (state.phase !== 'AwaitingApproval') return `it is ${state.phase}: nobody is asked for consent`;
  if (actor === state.startedBy && !approvals.allowSelf) return 'who asked for a run does not consent to it (rule approvals.allowSelf)';
  if (state.approvals.some(({ by }) => by === actor)) return `${actor} has said so already: each counts once`;
  if (evidence.clock - state.phaseClock >= approvals.expiresAfterMs) return 'the time for approvals is over (rule approvals.expiresAfter)';
  return undefined;
}
