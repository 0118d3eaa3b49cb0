/** PURE: where a drain is, and what moves it on. What holds it up is worked out by `drain-waits.ts`, what it is judged by gathered by `drain-judge.ts`. */
import type { ResolvedCourse } from '@hawser/model/drain-course.ts';
import type { DrainEvidence } from './drain-evidence.ts';
import { percentsOf, stepAfter } from './drain-stages.ts';
import { hindrance } from './drain-waits.ts';

/**
 * `Pending`: nothing was moved yet. `Draining`: on its way. `Drained`: it is there. `Held`: its time is over, and the traffic stays away
 * until it may come back. `Restoring`: it comes back. The rest are ends: `Restored`, `Interrupted` by an emergency, and `Failed` before anything was moved.
 */
export type DrainPhase = 'Pending' | 'Draining' | 'Drained' | 'Held' | 'Restoring' | 'Restored' | 'Interrupted' | 'Failed';

/** A drain as it is stored. Times named `…Clock` are milliseconds of the operation's own clock, which no wall clock moves. */
export interface DrainState {
  readonly phase: DrainPhase;
  /** Why it is where it is, where that is not by its course. */
  readonly message?: string;
  /** Percentage of what would go there that goes elsewhere by the form in force; of the stage that is on its way. */
  readonly percent: number;
  /** The step in force, −1 before the first: of the way there while `Draining`, of the way back while `Restoring`. */
  readonly step: number;
  /** When the step was begun. */
  readonly stepClock: number;
  /** When the quorum of proxies had it; undefined until then. */
  readonly ackedClock?: number;
  /** Without the quorum beyond the time for it. */
  readonly stalled?: boolean;
  /** When it expires. */
  readonly expiresClock: number;
  readonly renewals: number;
  /** The time of connections that lasted is over. */
  readonly closing?: boolean;
  /** The step of the way there from which it turned back. */
  readonly reached?: number;
  /** Who asked for the way back: others approve it. */
  readonly askedBy?: string;
  /** Who approved the way back. */
  readonly approvals?: readonly string[];
  /** The way back goes on without readiness, by an operator's word. */
  readonly unready?: boolean;
  /** Requests/s that went there when it began, by service and cluster: what it has been seen to bear. */
  readonly baseline: Readonly<Record<string, number>>;
  /** Percentage of the requests of the stage that went there when it began; undefined where that was not seen. */
  readonly shareBefore?: number;
  readonly startedBy: string;
  /** RFC 3339, in the order of time, the present one last. */
  readonly phases: readonly { readonly phase: DrainPhase; readonly at: string }[];
}

const ENDS: readonly DrainPhase[] = ['Restored', 'Interrupted', 'Failed'];

/** Whether nothing moves it any more. */
export function isOver({ phase }: Pick<DrainState, 'phase'>): boolean {
  return ENDS.includes(phase);
}

/** A drain that begins; what may go at once is in force with its first state. */
export function started(course: ResolvedCourse, evidence: DrainEvidence, startedBy: string): DrainState {
  const { clock, now, baseline, residual } = evidence;
  const pending: DrainState = {
    ...{ phase: 'Pending', percent: 0, step: -1, stepClock: clock, expiresClock: clock + course.expiresInMs, renewals: 0 },
    ...(residual.kind === 'observed' ? { shareBefore: residual.percent } : {}),
    ...{ baseline, startedBy, phases: [{ phase: 'Pending', at: new Date(now).toISOString() }] },
  };
  return advance(pending, course, evidence);
}

/** As far as the evidence allows it to go by one step; the same object when that is nowhere. */
export function advance(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (isOver(state)) return state;
  if (evidence.preemptedBy !== undefined) {
    const message = `${evidence.preemptedBy}, an emergency, has taken its place`;
    return { ...entered({ ...state, percent: 0 }, 'Interrupted', evidence), message };
  }
  if (state.phase === 'Pending') return begun(state, course, evidence);
  if (state.phase === 'Restoring') return steppedBack(state, course, evidence);
  if (state.phase === 'Held') return course.onExpire === 'hold' ? state : returned(state, course, evidence);
  if (evidence.clock >= state.expiresClock) return expired(state, course, evidence);
  return state.phase === 'Draining' ? stepped(state, course, evidence) : closed(state, course, evidence);
}

/** How much goes elsewhere in the next step of the way back. */
export function nextStepBack({ percent }: Pick<DrainState, 'percent'>, { restoreSteps }: ResolvedCourse): number {
  const next = restoreSteps.find((step) => 100 - step.percent < percent);
  return next === undefined ? 0 : 100 - next.percent;
}

/** Who asks for the way back. */
export interface Asked {
  readonly by: string;
  /** Whether it goes on without readiness. */
  readonly unready?: boolean;
}

/** Begins the way back at what is in force; the first step comes when it is approved, and when there is readiness, unless that is not asked for. */
export function turned(
  state: DrainState,
  given: { readonly course: ResolvedCourse; readonly evidence: DrainEvidence },
  asked: Asked,
): DrainState {
  const { closing: _closing, ackedClock: _acked, approvals: _approvals, ...rest } = state;
  const percent = Math.max(...percentsOf(state, given.course));
  const unready = asked.unready === true ? { unready: true } : {};
  const back = { ...rest, step: -1, percent, reached: Math.max(state.step, 0), askedBy: asked.by, ...unready };
  return entered(back, 'Restoring', given.evidence);
}

/** The next step, of the way there or back; after the last one of the way there it is drained. */
export function onward(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (state.phase === 'Restoring') return at(state, state.step + 1, { percent: nextStepBack(state, course), clock: evidence.clock });
  return forward(state, course, evidence) ?? entered(state, 'Drained', evidence);
}

/** Enters a phase; what was said of the one before is not said of it. */
export function entered(state: DrainState, phase: DrainPhase, { now, clock }: Pick<DrainEvidence, 'now' | 'clock'>): DrainState {
  const { message: _message, stalled: _stalled, ...rest } = state;
  return { ...rest, phase, stepClock: clock, phases: [...state.phases, { phase, at: new Date(now).toISOString() }] };
}

function begun(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  const { scopeGone, clock } = evidence;
  const hindered = hindrance(state, course, evidence);
  if (scopeGone !== undefined) return { ...entered(state, 'Failed', evidence), message: scopeGone };
  if (clock >= state.expiresClock)
    return {
      ...entered(state, 'Failed', evidence),
      message: `its time was over before it could begin: ${hindered ?? 'no hub attended to it'}`,
    };
  return hindered === undefined ? (forward(entered(state, 'Draining', evidence), course, evidence) ?? state) : state;
}

/** The next step of the way there; undefined after the last. A stage has a share of its own that went there before it. */
function forward(state: DrainState, course: ResolvedCourse, { clock, idleStages, ahead }: DrainEvidence): DrainState | undefined {
  const next = stepAfter(state.step, course, idleStages);
  const step = next === undefined ? undefined : course.steps[next];
  if (next === undefined || step === undefined) return undefined;
  const moved = at(state, next, { percent: step.percent, clock });
  if (course.stages.length === 1 || step.stage === course.steps[state.step]?.stage) return moved;
  const { shareBefore: _share, ...rest } = moved;
  return ahead.kind === 'observed' ? { ...rest, shareBefore: ahead.percent } : rest;
}

/** The next step of the way there, when the one in force has arrived, was seen to work, and was held. */
function stepped(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (state.ackedClock === undefined) return acknowledged(state, course, evidence);
  return hindrance(state, course, evidence) === undefined ? onward(state, course, evidence) : state;
}

/** The next step of the way back, when the one before has arrived and was held, and there is readiness. */
function steppedBack(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (state.step >= 0 && state.ackedClock === undefined) return acknowledged(state, course, evidence);
  if (state.step >= 0 && state.percent === 0) return entered(state, 'Restored', evidence);
  return hindrance(state, course, evidence) === undefined ? onward(state, course, evidence) : state;
}

/** Notes that the quorum has the step in force, or that it is late. */
function acknowledged(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (hindrance(state, course, evidence) === undefined) {
    const { stalled: _stalled, message: _message, ...rest } = state;
    return { ...rest, ackedClock: evidence.clock };
  }
  if (state.stalled === true || evidence.clock - state.stepClock < course.ackTimeoutMs) return state;
  return { ...state, stalled: true, message: 'the proxies have not acknowledged this step in time: it stays where it is until they do' };
}

/** Ends connections that lasted, once their time is over. */
function closed(state: DrainState, course: ResolvedCourse, { clock }: DrainEvidence): DrainState {
  const isTime = state.percent === 100 && clock - state.stepClock >= course.connectionTimeoutMs;
  return isTime && state.closing !== true ? { ...state, closing: true } : state;
}

/** Its time is over: it comes back if it may, and else says that it does not. */
function expired(state: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  const held = { ...entered(state, 'Held', evidence), message: 'its time is over: it stays away until it is restored or renewed' };
  return course.onExpire === 'hold' ? held : returned(held, course, evidence);
}

function returned(held: DrainState, course: ResolvedCourse, evidence: DrainEvidence): DrainState {
  if (hindrance(held, course, evidence) !== undefined) return held;
  return { ...turned(held, { course, evidence }, { by: held.startedBy }), message: 'its time is over: the traffic comes back' };
}

/** A step in force. */
function at(state: DrainState, step: number, { percent, clock }: { readonly percent: number; readonly clock: number }): DrainState {
  const { ackedClock: _acked, stalled: _stalled, message: _message, ...rest } = state;
  return { ...rest, step, percent, stepClock: clock };
}
