/** PURE: where a run of a drill is, and what moves it on. How it goes while something fails is in `run-progress.ts`. */

import { counted } from '@hawser/model/counted.ts';
import { type DrillCourse, isFollowed } from '@hawser/model/drill-course.ts';
import type { DrillOutcome } from '@hawser/model/drill-evidence.ts';
import type { DrillPhase, DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { Followed } from './followed.ts';
import type { KeptSeconds } from './kept-seconds.ts';
import { blocked, failedCheck, type KeptChecks, unsettledCheck } from './run-checks.ts';
import type { RunEvidence } from './run-evidence.ts';
import { goneOn, isInForce, turnedBack } from './run-progress.ts';

/** Something that happened, for people. Times are RFC 3339. */
export interface TimelineEvent {
  readonly at: string;
  readonly event: string;
  readonly detail: string;
}

/** What an approver said. */
export interface DrillApproval {
  readonly by: string;
  readonly at: string;
  readonly verdict: 'approved' | 'denied';
  readonly comment: string;
}

/** Moments of a run, Unix milliseconds; undefined: not reached. */
export interface RunMarks {
  /** Nobody had to be asked any more. */
  readonly decidedAt?: number;
  /** The form was decided. */
  readonly publishedAt?: number;
  /** The first, half, and 99 % of the proxies had it. */
  readonly firstAckAt?: number;
  readonly halfAckAt?: number;
  readonly ackedAt?: number;
  readonly restoringAt?: number;
  readonly restoredAt?: number;
}

/** A run as it is stored. Times named `…Clock` are milliseconds attended. */
export interface DrillState {
  readonly phase: DrillPhase;
  readonly message?: string;
  /** Decided before the end where nothing can change it any more. */
  readonly outcome?: DrillOutcome;
  readonly startedBy: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** When the phase was entered. */
  readonly phaseClock: number;
  /** When something was first in force. */
  readonly beganClock?: number;
  /** Of drains: what goes elsewhere, the step in force (−1 before the first), and its times. */
  readonly percent: number;
  readonly step: number;
  readonly stepClock: number;
  readonly ackedClock?: number;
  /** Since when a guardrail has no data. */
  readonly blindClock?: number;
  /** What it is for, resolved when it began: never a selector. */
  readonly services: readonly string[];
  readonly clusters: readonly string[];
  /** The newest revision when it began: what was written later, by hand, goes before it. */
  readonly sinceRevision: number;
  /** What it began elsewhere, where its scenario has a course of its own. */
  readonly followed?: Followed | undefined;
  readonly marks: RunMarks;
  /** Of drains: requests/s that the places bore of each service when it began, by `borneKey`. */
  readonly baseline?: Readonly<Record<string, number>>;
  /** Who asked for the way back, where that is waited for. */
  readonly restoreAskedBy?: string;
  readonly approvals: readonly DrillApproval[];
  readonly notes: readonly { readonly by: string; readonly at: string; readonly text: string }[];
  readonly phases: readonly { readonly phase: DrillPhase; readonly at: string }[];
  readonly timeline: readonly TimelineEvent[];
  /** What its leader has seen so far, for whoever leads next; not of a run that is over. */
  readonly record?: KeptSeconds;
  readonly checked?: KeptChecks;
  /** What was measured, and the digest of the report, once it is over. */
  readonly results?: Readonly<Record<string, unknown>>;
}

/** What a run goes by. */
export interface RunPlan {
  readonly course: DrillCourse;
  readonly mode: DrillRunSpec['mode'];
  readonly trigger: DrillRunSpec['trigger'];
  readonly overrides: readonly string[];
  /** Unix milliseconds of the time of the schedule that it is for. */
  readonly scheduledAt?: number | undefined;
}

/** A run waits for so long until all is well before it, and after it. */
export const SETTLE_MS = 5 * 60_000;
/** A hub that has just come does not know yet what is sent where: so long it is waited for. */
const MEASURED_MS = 30_000;
/** Rules that go by that. */
const BY_LOAD: ReadonlySet<string> = new Set(['headroom', 'max-traffic']);
/** Rules by which a run says that there was too little capacity for it. */
const CAPACITY: ReadonlySet<string> = new Set([
  ...['headroom', 'minimum-regions', 'readiness', 'capacity-guard', 'destination-without-endpoints'],
]);

/** Whether nothing moves it any more. */
export function isOver({ phase }: Pick<DrillState, 'phase'>): boolean {
  return phase === 'Done';
}

/** A run that begins. */
export function started(plan: RunPlan, evidence: Pick<RunEvidence, 'now' | 'clock'>, startedBy: string): DrillState {
  const { now, clock } = evidence;
  const at = new Date(now).toISOString();
  return {
    ...{ phase: 'Pending', startedBy, startedAt: at, phaseClock: clock, percent: 0, step: -1, stepClock: clock },
    ...{ services: [], clusters: [], sinceRevision: 0, marks: {}, approvals: [], notes: [] },
    phases: [{ phase: 'Pending', at }],
    timeline: [{ at, event: 'Requested', detail: `by ${startedBy} (${plan.trigger}, ${plan.mode})` }],
  };
}

/** As far as the evidence allows it to go by one step; the same object when that is nowhere. */
export function advance(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  switch (state.phase) {
    case 'Done':
      return state;
    case 'Pending':
      return asked(state, plan, evidence);
    case 'AwaitingApproval':
      return awaited(state, plan, evidence);
    case 'Preflight':
      return looked(state, plan, evidence);
    default:
      return goneOn(state, plan, evidence);
  }
}

function asked(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  if (plan.scheduledAt !== undefined && evidence.now - plan.scheduledAt > plan.course.startingDeadlineMs)
    return ended(state, 'Skipped', { ...evidence, why: 'nobody attended to its time (rule schedule.startingDeadline)' });
  const needed = plan.mode === 'live' ? plan.course.approvals.required : 0;
  return needed === 0 ? decided(state, evidence) : entered(state, 'AwaitingApproval', { ...evidence, detail: `${needed} must consent` });
}

/** How many have consented. */
export function consents(approvals: readonly DrillApproval[]): number {
  return approvals.filter(({ verdict }) => verdict === 'approved').length;
}

function awaited(state: DrillState, { course: { approvals } }: RunPlan, evidence: RunEvidence): DrillState {
  const given = consents(state.approvals);
  if (given >= approvals.required) return decided(state, evidence);
  if (evidence.clock - state.phaseClock < approvals.expiresAfterMs) return state;
  return ended(state, 'Skipped', { ...evidence, why: `${given} of ${approvals.required} approvals were given in time (rule approvals)` });
}

function decided(state: DrillState, evidence: RunEvidence): DrillState {
  return entered({ ...state, marks: { ...state.marks, decidedAt: evidence.now } }, 'Preflight', evidence);
}

/** The look both ways before it begins. */
function looked(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const { busy, preemptedBy, refusal } = evidence;
  if (preemptedBy !== undefined)
    return ended(state, 'Interrupted', { ...evidence, why: `${preemptedBy} goes before it (rule precedence)` });
  if (refusal !== undefined) {
    if (evidence.unmeasured !== undefined && BY_LOAD.has(refusal.rule) && evidence.clock - state.phaseClock < MEASURED_MS) return state;
    if (mayPass(refusal.rule, plan) && evidence.clock - state.phaseClock < plan.course.startingDeadlineMs) return state;
    const outcome = CAPACITY.has(refusal.rule) ? 'CapacityCheckFailed' : 'Skipped';
    return ended(state, outcome, { ...evidence, why: `${refusal.message} (rule ${refusal.rule})` });
  }
  const kept = blocked(evidence.checks);
  if (kept !== undefined) return ended(state, 'Skipped', { ...evidence, why: `${kept} (rule blockers)` });
  const failed = failedCheck(evidence.checks, 'before');
  if (failed !== undefined)
    return ended(state, 'Skipped', { ...evidence, why: `all was not well before it: ${failed} (rule steady-state)` });
  const waiting = waitsFor(evidence);
  const patienceMs = busy !== undefined && plan.trigger === 'schedule' ? plan.course.startingDeadlineMs : SETTLE_MS;
  if (waiting === undefined) return begun(state, plan, evidence);
  if (evidence.clock - state.phaseClock < patienceMs) return state;
  if (busy !== undefined) return ended(state, 'Skipped', { ...evidence, why: `${waiting} (rule one-run)` });
  const outcome = evidence.unready === undefined ? 'Inconclusive' : 'CapacityCheckFailed';
  return ended(state, outcome, {
    ...evidence,
    why: `it could not begin: ${waiting} (rule ${evidence.unready === undefined ? 'steady-state' : 'readiness'})`,
  });
}

/** What a schedule waits for as long as it may begin late: a window that opens, a freeze that ends. */
function mayPass(rule: string, { trigger }: RunPlan): boolean {
  return trigger === 'schedule' && (rule === 'windows' || rule.startsWith('freeze/'));
}

/** Why a run that may begin does not yet; undefined when it does. */
export function waitsFor({ busy, unready, checks }: RunEvidence): string | undefined {
  if (busy !== undefined) return `the run ${busy} is under way`;
  return unready ?? unsettledCheck(checks, 'before');
}

function begun(state: DrillState, { course, mode }: RunPlan, evidence: RunEvidence): DrillState {
  const { services, clusters, revision, clock, now } = evidence;
  const resolved = { ...state, services, clusters, sinceRevision: revision };
  if (mode === 'dryRun')
    return ended(resolved, 'Passed', { ...evidence, why: 'it was a dry run: it could begin, and nothing was changed' });
  const marked = { ...resolved, beganClock: clock, marks: { ...state.marks, publishedAt: now } };
  if (isFollowed(course.type)) return entered(marked, course.type === 'trafficShift' ? 'Shifting' : 'Rotating', evidence);
  if (course.type !== 'drain')
    return entered(marked, 'Injecting', { ...evidence, detail: `${counted(services.length, 'service')} in ${clusters.join(', ')}` });
  const percent = course.steps[0]?.percent ?? 100;
  return entered({ ...marked, step: 0, percent, stepClock: clock, baseline: evidence.baseline }, 'Shifting', {
    ...evidence,
    detail: `${percent} %`,
  });
}

/** What ends a run, and why. */
export interface EndOfRun extends Pick<RunEvidence, 'now' | 'clock'> {
  readonly why: string;
}

/** Ends a run by which nothing is in force. */
export function ended(state: DrillState, outcome: DrillOutcome, { now, clock, why }: EndOfRun): DrillState {
  return { ...entered(state, 'Done', { now, clock, detail: `${outcome}: ${why}` }), outcome, message: why };
}

/** Enters a phase. */
export function entered(
  state: DrillState,
  phase: DrillPhase,
  { now, clock, detail = '' }: Pick<RunEvidence, 'now' | 'clock'> & { readonly detail?: string },
): DrillState {
  const at = new Date(now).toISOString();
  const { message: _message, ...rest } = state;
  return {
    ...rest,
    ...{ phase, phaseClock: clock },
    phases: [...state.phases, { phase, at }],
    timeline: [...state.timeline, { at, event: phase, detail }],
  };
}

/** Ends a run at once, wherever it is; a text says why that cannot be. */
export function stopped(state: DrillState, outcome: DrillOutcome, end: EndOfRun): DrillState | string {
  if (isOver(state)) return `it is over: ${state.outcome}`;
  return isInForce(state) ? turnedBack(state, outcome, end) : ended(state, outcome, end);
}
