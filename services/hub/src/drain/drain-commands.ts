/** PURE: what operators may do with a drain that is under way. */
import type { ResolvedCourse } from '@hawser/model/drain-course.ts';
import type { DrainEvidence } from './drain-evidence.ts';
import { type DrainState, entered, isOver, onward, turned } from './drain-state.ts';

/** Commands of a drain. */
export const DRAIN_COMMANDS = ['renew', 'restore', 'return', 'redrain', 'promote', 'approve'] as const;
/**
 * `restore` waits for readiness, `return` does not; `redrain` turns a restore around; `promote` takes the next step without holding
 * the present one, and without having seen the traffic move; `approve` is for a way back that waits for approvals.
 */
export type DrainCommand = (typeof DRAIN_COMMANDS)[number];

/** What a command is given with. */
export interface Commanded {
  readonly course: ResolvedCourse;
  readonly evidence: DrainEvidence;
  /** Who says it. */
  readonly actor: string;
}

/** What becomes of it; a text says why that cannot be, and what can. */
export function commanded(state: DrainState, command: DrainCommand, given: Commanded): DrainState | string {
  const { course, evidence } = given;
  if (isOver(state)) return `it is over: ${state.phase}; start another`;
  if (command === 'renew') return renewed(state, course, evidence);
  if (command === 'redrain') return redrained(state, course, evidence);
  if (command === 'promote') return promoted(state, course, evidence);
  if (command === 'approve') return approved(state, given);
  if (state.phase === 'Pending') return { ...entered(state, 'Restored', evidence), message: 'it was taken back before anything was moved' };
  const unready = command === 'return';
  if (state.phase !== 'Restoring') return restoredBy(state, given, unready);
  return unready && state.unready !== true ? { ...state, unready } : 'it is being restored already';
}

/** Its time begins anew; what was held because that was over goes on where it was. */
function renewed(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState | string {
  if (state.phase === 'Restoring') return 'it is being restored: redrain turns that around';
  const longer = { ...state, expiresClock: evidence.clock + course.expiresInMs, renewals: state.renewals + 1 };
  return state.phase === 'Held' ? entered(longer, 'Draining', evidence) : longer;
}

function restoredBy(state: DrainState, { course, evidence, actor }: Commanded, unready: boolean): DrainState | string {
  const { returning } = evidence;
  if (course.requireReadiness && !unready && returning !== undefined)
    return `it is not ready to come back: ${returning.rule}: ${returning.message}; with --force it comes back all the same`;
  return turned(state, { course, evidence }, { by: actor, unready });
}

/** Of several people, each once, and not of who asked for it. */
function approved(state: DrainState, { course: { restoreApprovals }, actor }: Commanded): DrainState | string {
  const { phase, step, askedBy, approvals = [] } = state;
  if (phase !== 'Restoring' || step >= 0 || approvals.length >= restoreApprovals) return 'it waits for no approval';
  if (actor === askedBy) return `${actor} asked for it to come back: another approves`;
  return approvals.includes(actor) ? `${actor} has approved it already: another approves` : { ...state, approvals: [...approvals, actor] };
}

/** What has come back goes away again, at once: it did so before. The proxies and the traffic have yet to show it. */
function redrained(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState | string {
  if (state.phase !== 'Restoring') return `it is ${state.phase}: only what is being restored is turned around`;
  const { unready: _unready, ackedClock: _acked, askedBy: _asked, approvals: _approvals, reached = 0, ...rest } = state;
  const expiresClock = Math.max(state.expiresClock, evidence.clock + course.expiresInMs);
  return { ...entered({ ...rest, expiresClock }, 'Draining', evidence), step: reached, percent: course.steps[reached]?.percent ?? 100 };
}

function promoted(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState | string {
  if (state.phase !== 'Draining' && state.phase !== 'Restoring') return `it is ${state.phase}: there is no next step`;
  if (state.ackedClock === undefined) return 'the proxies have not acknowledged the present step';
  const { leaving, returning } = evidence;
  const refusal = state.phase === 'Draining' ? leaving : state.unready === true || !course.requireReadiness ? undefined : returning;
  if (refusal !== undefined) return `${refusal.rule}: ${refusal.message}`;
  return onward(state, course, evidence);
}
