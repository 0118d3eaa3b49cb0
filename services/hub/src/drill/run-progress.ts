/** PURE: how a run goes while something is made to fail, and how it goes back. */

import { type DrillCourse, isFollowed, isLoss, isPartition } from '@hawser/model/drill-course.ts';
import type { DrillOutcome } from '@hawser/model/drill-evidence.ts';
import { type DrillState, type EndOfRun, ended, entered, type RunMarks, type RunPlan, SETTLE_MS } from './drill-state.ts';
import { followedOn, isSettled, withPoints } from './followed.ts';
import { blind, failedCheck, tripped, unsettledCheck } from './run-checks.ts';
import type { RunEvidence } from './run-evidence.ts';
import { judged } from './run-verdict.ts';

/** Proxies that must have a form, percent of those that it concerns. */
const QUORUM = 99;
/** After so long without the quorum the run is aborted. */
const ACK_TIMEOUT_MS = 60_000;
/** Agents that are cut off do not answer: the run goes on after so long. */
const PARTITION_MS = 10_000;
/** The last seconds are waited for so long until they are measured. */
const MEASURE_MS = 15_000;
/** A guardrail may have no data for so long. */
const BLIND_MS = 30_000;
/** Of a drain, the share that may still be seen to go there at the end, percent. */
const RESIDUAL = 1;

const IN_FORCE: ReadonlySet<DrillState['phase']> = new Set(['Injecting', 'Shifting', 'Rotating', 'Holding', 'Restoring']);

/** Whether something of it is in force, or on its way back. */
export function isInForce({ phase }: Pick<DrillState, 'phase'>): boolean {
  return IN_FORCE.has(phase);
}

/** One step of a run by which something is in force. */
export function goneOn(before: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const state = withPoints(before, evidence);
  if (state.phase === 'Restoring') return restored(withBack(state, plan.course, evidence), plan, evidence);
  const reason = givesUp(state, plan, evidence);
  if (reason !== undefined) return turnedBack(state, reason.outcome, { ...evidence, why: reason.why });
  const marked = withSight(withAcks(state, evidence), plan.course, evidence);
  if (isFollowed(plan.course.type)) return followedOn(marked, plan, evidence);
  if (state.phase === 'Injecting') return injected(marked, plan.course, evidence);
  return state.phase === 'Shifting' ? shifted(marked, plan.course, evidence) : held(marked, plan, evidence);
}

/** Goes back at once: what fails is whole again with this state, and a drain has no steps on this way. */
export function turnedBack(state: DrillState, outcome: DrillOutcome, end: EndOfRun): DrillState | never {
  const { ackedClock: _acked, ...rest } = state;
  const marks = { ...state.marks, restoringAt: state.marks.restoringAt ?? end.now };
  const back = { ...rest, outcome: state.outcome ?? outcome, percent: 0, step: -1, stepClock: end.clock, marks };
  return { ...entered(back, 'Restoring', { ...end, detail: `${outcome}: ${end.why}` }), message: end.why };
}

interface Reason {
  readonly outcome: DrillOutcome;
  readonly why: string;
}

/** Why it does not go on; undefined when it does. */
function givesUp(state: DrillState, plan: RunPlan, evidence: RunEvidence): Reason | undefined {
  const { preemptedBy, lapsedIn, clock, checks } = evidence;
  if (preemptedBy !== undefined) return { outcome: 'Interrupted', why: `${preemptedBy} goes before it (rule precedence)` };
  const guarded = tripped(checks);
  if (guarded !== undefined) return { outcome: 'Aborted', why: `${guarded} (rule guardrails)` };
  const isBlind = state.blindClock !== undefined && clock - state.blindClock >= BLIND_MS ? blind(checks) : undefined;
  if (isBlind !== undefined) return { outcome: 'Aborted', why: `${isBlind} for too long (rule guardrails)` };
  if (lapsedIn.length > 0)
    return { outcome: 'Aborted', why: `lease lapsed: ${lapsedIn.join(', ')} heard of no hub for too long (rule lease)` };
  // Traffic is not sent back to what is not ready for it because it is late.
  if (isLate(state, plan, evidence) && !(isHeldLongEnough(state, plan, evidence) && notReady(plan, evidence) !== undefined))
    return { outcome: 'Aborted', why: 'it took longer than it may (rule max-duration)' };
  return undefined;
}

/** Notes since when a guardrail has no data. What is cut off from the bus is not heard of: that is the drill. */
function withSight(state: DrillState, { type }: DrillCourse, { checks, clock }: RunEvidence): DrillState {
  const isBlind = !isPartition(type) && blind(checks) !== undefined;
  if (isBlind === (state.blindClock !== undefined)) return state;
  const { blindClock: _since, ...rest } = state;
  return isBlind ? { ...rest, blindClock: clock } : rest;
}

/** Notes how far the proxies have come. */
function withAcks(state: DrillState, { rollout, now }: RunEvidence): DrillState {
  const { expected, acked } = rollout;
  if (expected === 0 || state.marks.ackedAt !== undefined) return state;
  const reached = (percent: number): boolean => acked * 100 >= expected * percent;
  const found: RunMarks = {
    ...(state.marks.firstAckAt === undefined && acked > 0 ? { firstAckAt: now } : {}),
    ...(state.marks.halfAckAt === undefined && reached(50) ? { halfAckAt: now } : {}),
    ...(rollout.complete && reached(QUORUM) ? { ackedAt: now } : {}),
  };
  return Object.keys(found).length === 0 ? state : { ...state, marks: { ...state.marks, ...found } };
}

function hasQuorum({ rollout: { complete, expected, acked } }: RunEvidence): boolean {
  return complete && acked * 100 >= expected * QUORUM;
}

function injected(state: DrillState, course: DrillCourse, evidence: RunEvidence): DrillState {
  const waited = evidence.clock - state.phaseClock;
  if (hasQuorum(evidence) || (isPartition(course.type) && waited >= PARTITION_MS)) return entered(state, 'Holding', evidence);
  return waited < ACK_TIMEOUT_MS ? state : unacknowledged(state, evidence);
}

function unacknowledged(state: DrillState, evidence: RunEvidence): DrillState {
  const { expected, acked, waitingFor } = evidence.rollout;
  const silent = waitingFor.length === 0 ? '' : `, and ${waitingFor.join(', ')} did not answer`;
  return turnedBack(state, 'Aborted', {
    ...evidence,
    why: `${acked} of ${expected} proxies have acknowledged it in time${silent} (rule acknowledgement)`,
  });
}

/** The next step of a drain, when the one in force has arrived and was held. */
function shifted(state: DrillState, { steps }: DrillCourse, evidence: RunEvidence): DrillState {
  const { clock } = evidence;
  if (state.ackedClock === undefined) {
    if (hasQuorum(evidence)) return { ...state, ackedClock: clock };
    return clock - state.stepClock < ACK_TIMEOUT_MS ? state : unacknowledged(state, evidence);
  }
  const next = steps[state.step + 1];
  if (next === undefined) {
    const { residual } = evidence;
    const isAway = residual.kind === 'idle' || (residual.kind === 'observed' && residual.percent <= RESIDUAL);
    return isAway ? entered(state, 'Holding', evidence) : state;
  }
  if (clock - state.ackedClock < (steps[state.step]?.holdMs ?? 0)) return state;
  // Worked out where it is asked for: it is a forecast.
  const { refusal } = evidence;
  if (refusal !== undefined) return turnedBack(state, 'Aborted', { ...evidence, why: `${refusal.message} (rule ${refusal.rule})` });
  return onStep(state, next.percent, evidence);
}

function onStep(state: DrillState, percent: number, { clock, now }: RunEvidence): DrillState {
  const { ackedClock: _acked, ...rest } = state;
  const event = { at: new Date(now).toISOString(), event: 'Step', detail: `${percent} % goes elsewhere` };
  return { ...rest, step: state.step + 1, percent, stepClock: clock, timeline: [...state.timeline, event] };
}

/** Everything is as it is to be; then it goes back, a drain in steps. */
export function held(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  if (!isHeldLongEnough(state, plan, evidence)) return state;
  // Whoever lifts a fault forgets it with the fault: it is asked before.
  if (isLoss(plan.course.type) && evidence.unheard.length > 0) return state;
  const kept = notReady(plan, evidence);
  if (kept !== undefined) return keptAway(state, plan, { ...evidence, why: kept });
  const { type, restoreSteps } = plan.course;
  const { ackedClock: _acked, ...rest } = state;
  const marks = { ...state.marks, restoringAt: evidence.now };
  const percent = type === 'drain' ? 100 - (restoreSteps[0]?.percent ?? 100) : 0;
  return entered({ ...rest, marks, percent, step: 0, stepClock: evidence.clock }, 'Restoring', {
    ...evidence,
    detail: restoreDetail(state),
  });
}

function restoreDetail({ restoreAskedBy }: DrillState): string {
  return restoreAskedBy === undefined ? 'its time is over' : `${restoreAskedBy} asked for it`;
}

/** Whether nothing but readiness keeps it from going back: its time is over, and it was asked for where that is waited for. */
export function isHeldLongEnough(
  { phase, phaseClock, restoreAskedBy }: DrillState,
  { course: { holdMs, restore } }: RunPlan,
  { clock }: Pick<RunEvidence, 'clock'>,
): boolean {
  return phase === 'Holding' && clock - phaseClock >= holdMs && (!restore.isManual || restoreAskedBy !== undefined);
}

/** Why the traffic of a drain does not take its next step back. */
export function notReady({ course: { type, restore } }: RunPlan, evidence: Pick<RunEvidence, 'returning'>): string | undefined {
  if (type !== 'drain' || !restore.requireReadiness) return undefined;
  const { returning } = evidence;
  return returning === undefined ? undefined : `${returning.message} (rule ${returning.rule})`;
}

function isLate({ beganClock }: DrillState, { course: { maxDurationMs } }: RunPlan, { clock }: Pick<RunEvidence, 'clock'>): boolean {
  return clock - (beganClock ?? clock) >= maxDurationMs;
}

/** It stays away until there is readiness, or somebody aborts it; beyond its time that is a failure, and told. */
function keptAway(state: DrillState, plan: RunPlan, { why, now, clock }: EndOfRun): DrillState {
  if (state.outcome !== undefined || !isLate(state, plan, { clock })) return state;
  const message = `it could not come back in time: ${why}`;
  const event = { at: new Date(now).toISOString(), event: 'NotReady', detail: why };
  return { ...state, outcome: 'Failed', message, timeline: [...state.timeline, event] };
}

/** Notes that what goes back has arrived. */
function withBack(state: DrillState, { type }: DrillCourse, evidence: RunEvidence): DrillState {
  // A rotation that is done stays: there is nothing to wait for.
  const isBack = type === 'trustRotation' ? isSettled(evidence.followed?.stage ?? 'gone') : hasQuorum(evidence);
  if (state.ackedClock !== undefined || !isBack) return state;
  const isWhole = state.percent === 0;
  return { ...state, ackedClock: evidence.clock, ...(isWhole ? { marks: { ...state.marks, restoredAt: evidence.now } } : {}) };
}

function restored(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const { clock, checks, preemptedBy } = evidence;
  if (state.percent > 0) {
    const failed = tripped(checks);
    if (preemptedBy !== undefined)
      return turnedBack(state, 'Interrupted', { ...evidence, why: `${preemptedBy} goes before it (rule precedence)` });
    if (failed !== undefined) return turnedBack(state, 'Aborted', { ...evidence, why: `${failed} (rule guardrails)` });
    return steppedBack(state, plan, evidence);
  }
  const waited = clock - state.stepClock;
  if (state.ackedClock === undefined) return waited < SETTLE_MS ? state : unconfirmed(state, plan, evidence);
  if (evidence.measuredUntil < (state.marks.restoredAt ?? evidence.now) && waited < MEASURE_MS) return state;
  const isOpen = failedCheck(checks, 'after') === undefined && unsettledCheck(checks, 'after') !== undefined;
  // What was given up is over when everything is as it was; what went well shows that all is well after it, too.
  return state.outcome === undefined && isOpen && waited < SETTLE_MS ? state : done(state, plan, evidence);
}

function steppedBack(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const { clock } = evidence;
  const { restoreSteps } = plan.course;
  if (state.ackedClock === undefined) return clock - state.stepClock < ACK_TIMEOUT_MS ? state : unacknowledged(state, evidence);
  if (clock - state.ackedClock < (restoreSteps[state.step]?.holdMs ?? 0)) return state;
  const kept = notReady(plan, evidence);
  if (kept !== undefined) return keptAway(state, plan, { ...evidence, why: kept });
  return onStep(state, 100 - (restoreSteps[state.step + 1]?.percent ?? 100), evidence);
}

/** Over, though not every proxy has said that it is as it was. */
function unconfirmed(state: DrillState, { course: { type } }: RunPlan, evidence: RunEvidence): DrillState {
  const { outcome = 'Failed', message = '' } = state;
  const { rollout, followed } = evidence;
  const why =
    type === 'trustRotation'
      ? `the rotation goes on by itself, and waits: ${followed?.message ?? ''}`
      : `${rollout.acked} of ${rollout.expected} proxies are known to be as before; the others get it when they speak again`;
  return ended(state, outcome, { ...evidence, why: message === '' ? why : `${message}; ${why}` });
}

function done(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const { outcome, message = '' } = state;
  if (outcome !== undefined) return ended(state, outcome, { ...evidence, why: message });
  const verdict = judged(state, plan, evidence);
  return ended(state, verdict.outcome, { ...evidence, why: verdict.why });
}
