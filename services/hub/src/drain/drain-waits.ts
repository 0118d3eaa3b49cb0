/** PURE: what holds a drain up, in words. What changes with every look is said here, and is not stored. */
import type { ResolvedCourse } from '@hawser/model/drain-course.ts';
import type { DrainEvidence, Refusal } from './drain-evidence.ts';
import type { DrainState } from './drain-state.ts';

/** Rule of the hub's own: capacity that is short, or unknown. */
export const HEADROOM = 'headroom';
/** Rule of the hub's own: traffic that is not measured was not seen to move. */
export const OBSERVATION = 'observation';
/** How far the share that is seen may be above the one that is asked in a step before the last, percent of the requests. */
const TOLERANCE = 5;

/** Why it does not go on now; undefined when it does. */
export function hindrance(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): string | undefined {
  switch (state.phase) {
    case 'Pending':
      return said(evidence.leaving);
    case 'Draining':
      if (state.ackedClock === undefined) return missing(course, evidence);
      return unseen(state, course, evidence) ?? onTheWay(state, course, evidence);
    case 'Held':
      return course.onExpire === 'hold' ? 'its time is over' : unready(state, course, evidence);
    case 'Restoring':
      if (state.step < 0) return unapproved(state, course) ?? unready(state, course, evidence);
      if (state.ackedClock === undefined) return missing(course, evidence);
      return held(state, evidence, holdBack(state, course)) ?? unready(state, course, evidence);
    default:
      return undefined;
  }
}

/** The quorum of the proxies has not the step in force. */
function missing({ ackQuorumPercent }: ResolvedCourse, { rollout }: DrainEvidence): string | undefined {
  const { complete, expected, acked, waitingFor } = rollout;
  if (complete && acked * 100 >= ackQuorumPercent * expected) return undefined;
  const silent = waitingFor.length === 0 ? '' : `; ${waitingFor.join(', ')} ${waitingFor.length === 1 ? 'has' : 'have'} not answered`;
  return `${acked} of ${expected} proxies have acknowledged it, ${ackQuorumPercent} % must${silent}`;
}

/** The step in force was not seen to work. */
function unseen(state: DrainState, course: ResolvedCourse, { residual }: DrainEvidence): string | undefined {
  if (residual.kind === 'idle') return undefined;
  if (residual.kind === 'unobserved') {
    const isOverridden = course.overrides.includes(OBSERVATION);
    return isOverridden
      ? undefined
      : `unobserved: ${residual.why}; no data is not taken for no traffic (override ${OBSERVATION} goes by acknowledgements alone)`;
  }
  const { percent } = residual;
  const most = state.percent === 100 ? course.residualPercent : (state.shareBefore ?? 100) * (1 - state.percent / 100) + TOLERANCE;
  return percent <= most ? undefined : `${percent.toFixed(1)} % of the requests are seen to go there, ${most.toFixed(1)} % may`;
}

/** The hold of the step in force, then what the next one needs; the last step is not held, for what follows it is being drained. */
function onTheWay(state: DrainState, { steps }: ResolvedCourse, evidence: DrainEvidence): string | undefined {
  if (state.step + 1 >= steps.length) return undefined;
  return held(state, evidence, steps[state.step]?.holdMs ?? 0) ?? said(evidence.leaving);
}

function unready(state: DrainState, { requireReadiness }: ResolvedCourse, { returning }: DrainEvidence): string | undefined {
  return requireReadiness && state.unready !== true ? said(returning) : undefined;
}

/** Approvals of the way back that are missing. */
function unapproved({ approvals = [], askedBy }: DrainState, { restoreApprovals }: ResolvedCourse): string | undefined {
  const left = restoreApprovals - approvals.length;
  if (left <= 0) return undefined;
  return `${left} of ${restoreApprovals} approvals are missing, by others than ${askedBy}: hawser drain approve`;
}

function held({ ackedClock = 0 }: DrainState, { clock }: DrainEvidence, holdMs: number): string | undefined {
  const left = ackedClock + holdMs - clock;
  return left > 0 ? `it stays at this step for ${Math.ceil(left / 1_000)} s more` : undefined;
}

/** Of the step of the way back that is in force. */
function holdBack({ percent }: DrainState, { restoreSteps }: ResolvedCourse): number {
  return restoreSteps.find((step) => 100 - step.percent === percent)?.holdMs ?? 0;
}

function said(refusal: Refusal | undefined): string | undefined {
  return refusal === undefined ? undefined : `${refusal.rule}: ${refusal.message}`;
}
