/** PURE: what people may say to a run. */
import type { OperationActor } from '../operations/operation-kind.ts';
import { type DrillApproval, type DrillState, isOver, type RunPlan, stopped } from './drill-state.ts';
import type { RunEvidence } from './run-evidence.ts';

/** Commands of a run. */
export const DRILL_COMMANDS = ['approve', 'deny', 'abort', 'restore', 'note'] as const;
export type DrillCommand = (typeof DRILL_COMMANDS)[number];

/** Notes of one run that are kept. */
const MOST_NOTES = 200;

/** What becomes of it; a text says why that cannot be. */
export function commanded(
  state: DrillState,
  command: DrillCommand,
  { by, plan, evidence }: { readonly by: OperationActor; readonly plan: RunPlan; readonly evidence: Pick<RunEvidence, 'now' | 'clock'> },
): DrillState | string {
  const { actor, reason = '', groups = [] } = by;
  const at = new Date(evidence.now).toISOString();
  if (isOver(state)) return `it is over: ${state.outcome}, and its report is signed`;
  if (command === 'abort') {
    if (state.phase === 'Restoring' && state.percent === 0) return 'it goes back already';
    return stopped(state, 'Aborted', { ...evidence, why: `${actor} aborted it${reason === '' ? '' : `: ${reason}`}` });
  }
  if (command === 'restore') return askedBack(state, actor, { plan, at });
  if (command === 'note') {
    if (reason === '') return 'a note needs a text (reason)';
    if (state.notes.length >= MOST_NOTES) return `it has ${MOST_NOTES} notes already`;
    return { ...state, notes: [...state.notes, { by: actor, at, text: reason }] };
  }
  const refusal = notAsked(state, { actor, groups }, { plan, evidence });
  if (refusal !== undefined) return refusal;
  const said: DrillApproval = { by: actor, at, verdict: command === 'deny' ? 'denied' : 'approved', comment: reason };
  const wanted = groups.filter((group) => plan.course.approvals.groups.includes(group));
  const detail = `by ${actor}${wanted.length === 0 ? '' : ` of ${wanted.join(', ')}`}`;
  const event = { at, event: said.verdict === 'denied' ? 'Denied' : 'Approved', detail };
  const heard = { ...state, approvals: [...state.approvals, said], timeline: [...state.timeline, event] };
  if (command === 'approve') return heard;
  return stopped(heard, 'Skipped', { ...evidence, why: `${actor} denied it${reason === '' ? '' : `: ${reason}`}` });
}

/** Begins the way back of a run that waits for that. */
function askedBack(state: DrillState, actor: string, { plan, at }: { readonly plan: RunPlan; readonly at: string }): DrillState | string {
  if (!plan.course.restore.isManual) return 'it is restored by itself when plan.hold is over; abort ends it now';
  if (state.phase !== 'Holding') return `it is ${state.phase}, and what is Holding is restored; abort ends it now`;
  if (state.restoreAskedBy !== undefined) return `${state.restoreAskedBy} has asked for that already`;
  return { ...state, restoreAskedBy: actor, timeline: [...state.timeline, { at, event: 'RestoreAsked', detail: `by ${actor}` }] };
}

/** Why this person's consent does not count now. */
function notAsked(
  state: DrillState,
  { actor, groups }: { readonly actor: string; readonly groups: readonly string[] },
  { plan, evidence }: { readonly plan: RunPlan; readonly evidence: Pick<RunEvidence, 'clock'> },
): string | undefined {
  const { approvals } = plan.course;
  // Who is quick says it before the run got there.
  const isAsked = state.phase === 'AwaitingApproval' || (state.phase === 'Pending' && plan.mode === 'live' && approvals.required > 0);
  if (!isAsked) return `it is ${state.phase}: nobody is asked for consent`;
  if (actor === state.startedBy && !approvals.allowSelf) return 'who asked for a run does not consent to it (rule approvals.allowSelf)';
  if (approvals.groups.length > 0 && !approvals.groups.some((group) => groups.includes(group)))
    return `the consent of ${approvals.groups.join(' or ')} is asked for, and the token ${actor} is not of them (rule approvals.groups)`;
  if (state.approvals.some(({ by }) => by === actor)) return `${actor} has said so already: each counts once`;
  if (evidence.clock - state.phaseClock >= approvals.expiresAfterMs) return 'the time for approvals is over (rule approvals.expiresAfter)';
  return undefined;
}
