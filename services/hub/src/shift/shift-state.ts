/** PURE: where a shift is, and what moves it on: one step at a time, each by its evidence, and back at once from everywhere. */
import type { CheckState } from '@hawser/model/check-verdict.ts';
import { isProgressive, type ShiftStep, type SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { OperationState } from '../operations/operation-kind.ts';
import { acknowledged, msOf, obstacle, type ShiftEvidence, seen } from './shift-evidence.ts';
import { nextTime, soonerTime } from './shift-schedule.ts';

/** What it does at present. */
export type ShiftPhase =
  | 'Pending'
  | 'Progressing'
  | 'Paused'
  | 'AwaitingApproval'
  | 'Analyzing'
  | 'Done'
  | 'RollingBack'
  | 'RolledBack'
  | 'Failed';

/** What keeps a paused one: a pause step, an operator, `spec.suspend`, or what lets go by itself (`gate`, `emergency`), or not (the others). */
export type PausedBy = 'step' | 'operator' | 'suspend' | 'gate' | 'emergency' | 'inconclusive' | 'failure' | 'deadline';

type Weights = Readonly<Record<string, number>>;

/** A shift as it is stored. Times without another word are of its own clock, milliseconds attended. */
export interface ShiftState extends OperationState {
  readonly phase: ShiftPhase;
  /** The step under way, from 0; as many as there are when all are done. */
  readonly step: number;
  /** Whether what the step sets is in force. */
  readonly isSet: boolean;
  /** In force, by destination. */
  readonly weights: Weights;
  /** Those that enough proxies have acknowledged last. */
  readonly ackedWeights?: Weights | undefined;
  readonly headerRoute?: NonNullable<ShiftStep['setHeaderRoute']> | undefined;
  readonly mirror?: NonNullable<ShiftStep['setMirror']> | undefined;
  /** Since when the phase is what it is. */
  readonly since: number;
  /** When a step began, or was done, last. */
  readonly progressAt: number;
  /** When enough proxies had acknowledged what the step set; absent while they have not. */
  readonly ackedAt?: number | undefined;
  /** The same by the wall clock, Unix milliseconds: from when on traffic counts. */
  readonly measureFrom?: number | undefined;
  readonly pausedBy?: PausedBy | undefined;
  readonly requestedBy: string;
  /** Rises with every retry. */
  readonly run: number;
  readonly approvals: readonly { readonly by: string; readonly step: number }[];
  /** Unix milliseconds: when the steps begin, or when it goes back, by its schedule. */
  readonly startsAt?: number | undefined;
  readonly endsAt?: number | undefined;
  /** Where its checks were a few seconds ago, and of which analysis and run they are: another leader goes on from there. */
  readonly checks?: { readonly of: string; readonly states: readonly CheckState[] } | undefined;
  /** A way back that is followed by the next time of the schedule. */
  readonly isCycle?: boolean | undefined;
}

const DEADLINE_MS = 1_800_000;
const STARTING_DEADLINE_MS = 600_000;

/** The weights before the first step, and after a rollback. */
export function startWeights({ start, destinations, totalWeight = 100 }: SteppedShift): Weights {
  const given: Weights = start ?? { [destinations[0]?.name ?? '']: totalWeight };
  return Object.fromEntries(destinations.map(({ name }) => [name, given[name] ?? 0]));
}

/** A new shift: its start weights are in force, its steps begin at once or by its schedule. */
export function started(
  spec: SteppedShift,
  evidence: Pick<ShiftEvidence, 'now' | 'clock'>,
  { requestedBy, run }: Pick<ShiftState, 'requestedBy' | 'run'>,
): ShiftState {
  const { clock } = evidence;
  const state: ShiftState = {
    ...{ phase: 'Progressing', step: 0, isSet: false, weights: startWeights(spec), since: clock, progressAt: clock },
    ...{ requestedBy, run, approvals: [] },
  };
  return spec.schedule === undefined ? entered(state, spec, { clock, step: 0 }) : waiting(state, spec, evidence.now);
}

/** Whether nothing but a word moves it any more. */
export function isEnded(state: Pick<ShiftState, 'phase' | 'endsAt'>): boolean {
  if (state.phase === 'Done') return state.endsAt === undefined;
  return state.phase === 'RolledBack' || state.phase === 'Failed';
}

/** As far as the evidence allows it to go by one step; the same object when that is nowhere. */
export function advance(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  if (isEnded(state) || !isProgressive(spec)) return state;
  if (state.phase === 'Pending') return pending(state, spec, evidence);
  if (state.phase === 'Done') return ending(state, spec, evidence);
  if (state.phase === 'RollingBack') return rollingBack(state, spec, evidence);
  return (
    guarded(state, spec, evidence) ??
    expired(state, spec, evidence) ??
    suspended(state, spec, evidence) ??
    interrupted(state, spec, evidence) ??
    stepped(state, spec, evidence)
  );
}

function pending(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const { now, clock } = evidence;
  const { startsAt = now } = state;
  const sooner = soonerTime(startsAt, spec.schedule?.cron, { timeZone: spec.schedule?.timeZone, now });
  if (sooner !== undefined) return { ...state, startsAt: sooner };
  if (now < startsAt || spec.suspend === true) return state;
  const why = putOff(evidence);
  if (isMissed(spec, startsAt, now)) {
    const because = why === undefined ? '' : `: ${why}`;
    return { ...waiting(state, spec, now), message: `the time ${new Date(startsAt).toISOString()} was missed, and is left out${because}` };
  }
  if (why === undefined) return entered({ ...state, approvals: [], startsAt: undefined, message: undefined }, spec, { clock, step: 0 });
  const message = `put off: ${why}`;
  return state.message === message ? state : { ...state, message };
}

/** What its time gives way to. It has moved nothing yet, so that no deadline takes it back meanwhile. */
function putOff({ interruption, permit }: ShiftEvidence): string | undefined {
  return interruption ?? (permit.allowed ? undefined : `${permit.rule}: ${permit.message}`);
}

/** Too late for a time of its schedule, or beyond the end that belongs to it. */
function isMissed(spec: SteppedShift, startsAt: number, now: number): boolean {
  return now - startsAt > msOf(spec.schedule?.startingDeadline, STARTING_DEADLINE_MS) || now >= (endOf(spec, startsAt) ?? now + 1);
}

/** A day's shift goes back at its end, to begin again. */
function ending(state: ShiftState, spec: SteppedShift, { now, clock }: ShiftEvidence): ShiftState {
  const sooner = soonerTime(state.endsAt, spec.schedule?.end, { timeZone: spec.schedule?.timeZone, now });
  if (sooner !== undefined) return { ...state, endsAt: sooner };
  if (state.endsAt === undefined || now < state.endsAt) return state;
  return { ...back(state, spec, clock), isCycle: true, message: 'its time is over' };
}

function rollingBack(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const { clock } = evidence;
  const answer = acknowledged(spec, evidence, 0);
  if (answer.verdict === 'yes') {
    const done = { ...state, since: clock, progressAt: clock, isCycle: undefined, ackedWeights: state.weights };
    return state.isCycle === true ? waiting(done, spec, evidence.now) : { ...done, phase: 'RolledBack' };
  }
  if (clock - state.progressAt <= msOf(spec.progressDeadline, DEADLINE_MS)) return state;
  return { ...state, phase: 'Failed', since: clock, message: `the start weights are set, but not everywhere: ${answer.message}` };
}

/** What a guardrail does to it in any phase, paused or not. */
function guarded(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState | undefined {
  const { clock, checks } = evidence;
  const failed = checks.find(({ verdict, action }) => verdict === 'failed' && action !== 'record');
  if (failed !== undefined) {
    const message = `check ${failed.name} failed${failed.message === undefined ? '' : `: ${failed.message}`}`;
    return failing(state, spec, { clock, message, wanted: failed.action === 'pause' ? 'pause' : undefined });
  }
  const bare = spec.destinations.find(({ name }) => (state.weights[name] ?? 0) > 0 && evidence.destinations[name]?.endpoints === 0);
  if (bare !== undefined && startWeights(spec)[bare.name] !== state.weights[bare.name]) {
    return failing(state, spec, { clock, message: `destination-without-endpoints: ${bare.name} has lost its last endpoint` });
  }
  const unclear = checks.find(({ verdict, action }) => (verdict === 'inconclusive' || verdict === 'error') && action !== 'record');
  if (unclear === undefined) return undefined;
  return inconclusive(state, spec, { clock, message: `check ${unclear.name} is inconclusive: ${unclear.message ?? unclear.verdict}` });
}

interface Reason {
  readonly clock: number;
  readonly message: string;
  readonly wanted?: 'rollback' | 'pause' | undefined;
}

/** Undefined when it is held by that already. */
function failing(state: ShiftState, spec: SteppedShift, { clock, message, wanted }: Reason): ShiftState | undefined {
  if ((wanted ?? spec.onFailure ?? 'rollback') === 'rollback') return { ...back(state, spec, clock), message };
  return state.pausedBy === 'failure' || state.pausedBy === 'deadline' ? undefined : held(state, 'failure', { clock, message });
}

function inconclusive(state: ShiftState, spec: SteppedShift, { clock, message }: Reason): ShiftState | undefined {
  if (spec.onInconclusive === 'rollback') return { ...back(state, spec, clock), message };
  const isHeld =
    state.pausedBy === 'inconclusive' || state.pausedBy === 'failure' || state.pausedBy === 'deadline' || state.pausedBy === 'operator';
  return isHeld ? undefined : held(state, 'inconclusive', { clock, message });
}

/** No phase lasts for ever. */
function expired(state: ShiftState, spec: SteppedShift, { clock }: ShiftEvidence): ShiftState | undefined {
  const given = state.pausedBy === 'step' ? msOf(spec.steps[state.step]?.pause?.duration, 0) : 0;
  if (clock - state.progressAt <= msOf(spec.progressDeadline, DEADLINE_MS) + given) return undefined;
  const message = `no progress for ${spec.progressDeadline ?? '30m'} in step ${state.step + 1}`;
  if ((spec.onDeadline ?? 'rollback') === 'rollback') return { ...back(state, spec, clock), message };
  return state.pausedBy === 'deadline' ? undefined : held(state, 'deadline', { clock, message });
}

function suspended(state: ShiftState, spec: SteppedShift, { clock }: ShiftEvidence): ShiftState | undefined {
  if (spec.suspend === true) return state.phase === 'Paused' ? state : held(state, 'suspend', { clock, message: 'spec.suspend is true' });
  return state.pausedBy === 'suspend' ? resumed(state, spec, clock) : undefined;
}

/** An emergency goes first. What it moves cannot be seen where the step sends it: that is judged anew when it has ended. */
function interrupted(state: ShiftState, spec: SteppedShift, { clock, interruption: message }: ShiftEvidence): ShiftState | undefined {
  if (message === undefined) return state.pausedBy === 'emergency' ? resumed(state, spec, clock) : undefined;
  if (state.pausedBy === 'emergency') return state;
  const isMoving = state.phase === 'Progressing' || state.phase === 'Analyzing' || state.pausedBy === 'gate';
  return isMoving ? held(state, 'emergency', { clock, message }) : undefined;
}

function stepped(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const { clock } = evidence;
  if (state.phase === 'Paused' && state.pausedBy === 'step') {
    const ms = msOf(spec.steps[state.step]?.pause?.duration, Number.POSITIVE_INFINITY);
    return clock - state.since < ms ? state : next(state, spec, evidence);
  }
  if (state.phase === 'Paused' && state.pausedBy !== 'gate') return state;
  if (state.phase === 'AwaitingApproval') return state;
  if (state.phase === 'Analyzing') return analyzed(state, spec, evidence);
  return state.isSet ? judged(state, spec, evidence) : setting(state, spec, evidence);
}

function analyzed(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const counted = evidence.checks.filter(({ action }) => action !== 'record');
  return counted.length > 0 && counted.every(({ verdict }) => verdict === 'passed') ? next(state, spec, evidence) : state;
}

/** Brings into force what the step sets, when nothing is in the way. */
function setting(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const { setWeights, setHeaderRoute, setMirror } = spec.steps[state.step] ?? {};
  const { clock } = evidence;
  const weights = setWeights === undefined ? state.weights : allOf(spec, setWeights);
  const message = obstacle(spec, { weights, before: state.weights }, evidence);
  if (message !== undefined) {
    return state.pausedBy === 'gate' && state.message === message ? state : held(state, 'gate', { clock, message });
  }
  return {
    ...{ ...state, phase: 'Progressing', isSet: true, since: clock, pausedBy: undefined, message: overriding(evidence), weights },
    ...(setHeaderRoute === undefined ? {} : { headerRoute: setHeaderRoute.match === undefined ? undefined : setHeaderRoute }),
    ...(setMirror === undefined ? {} : { mirror: setMirror.percent === 0 ? undefined : setMirror }),
    ...{ ackedAt: undefined, measureFrom: undefined },
  };
}

/** Said where everybody reads it: history and audit. */
function overriding({ permit }: ShiftEvidence): string | undefined {
  const { overridden = [] } = permit.allowed ? permit : {};
  return overridden.length === 0 ? undefined : `in spite of ${overridden.join(', ')}`;
}

/** Waits for acknowledgements, and then to see it. */
function judged(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  const { clock, now } = evidence;
  if (state.ackedAt === undefined) {
    const { verdict, message } = acknowledged(spec, evidence, clock - state.since);
    if (verdict === 'yes') return { ...state, ackedAt: clock, measureFrom: now, ackedWeights: state.weights };
    return verdict === 'fail' ? (failing(state, spec, { clock, message }) ?? state) : state;
  }
  if (spec.steps[state.step]?.setWeights === undefined) return next(state, spec, evidence);
  const { verdict, message } = seen(spec, state.weights, evidence, clock - state.ackedAt);
  if (verdict === 'yes') return next(state, spec, evidence);
  return verdict === 'inconclusive' ? (inconclusive(state, spec, { clock, message }) ?? state) : state;
}

/** The step after this one, or the end. */
function next(state: ShiftState, spec: SteppedShift, { clock, now }: ShiftEvidence): ShiftState {
  return entered(state, spec, { clock, step: state.step + 1, now });
}

function entered(
  before: ShiftState,
  spec: SteppedShift,
  at: { readonly clock: number; readonly step: number; readonly now?: number },
): ShiftState {
  const { clock, step } = at;
  const state: ShiftState = {
    ...{ ...before, step, isSet: false, since: clock, progressAt: clock, pausedBy: undefined, message: undefined },
    ...{ ackedAt: undefined, measureFrom: undefined, phase: 'Progressing' },
  };
  const wanted = spec.steps[step];
  if (wanted === undefined) return { ...state, phase: 'Done', isSet: true, endsAt: endOf(spec, at.now) };
  if (wanted.pause !== undefined) return { ...state, phase: 'Paused', pausedBy: 'step' };
  if (wanted.approval !== undefined) return { ...state, phase: 'AwaitingApproval' };
  return wanted.analysis === undefined ? state : { ...state, phase: 'Analyzing' };
}

function endOf({ schedule }: SteppedShift, now: number | undefined): number | undefined {
  return schedule?.end === undefined || now === undefined ? undefined : nextTime(schedule.end, schedule.timeZone, now);
}

/** Waits for the next time of the schedule, the start weights in force. */
function waiting(state: ShiftState, spec: SteppedShift, now: number): ShiftState {
  const startsAt = spec.schedule === undefined ? now : nextTime(spec.schedule.cron, spec.schedule.timeZone, now);
  if (startsAt === undefined) return { ...state, phase: 'Done', step: 0, endsAt: undefined, message: 'its schedule has no time any more' };
  return { ...state, phase: 'Pending', step: 0, isSet: false, pausedBy: undefined, endsAt: undefined, startsAt, message: undefined };
}

function held(state: ShiftState, pausedBy: PausedBy, { clock, message }: Reason): ShiftState {
  return { ...state, phase: 'Paused', pausedBy, since: clock, message };
}

/** The start weights, at once. */
export function back(state: ShiftState, spec: SteppedShift, clock: number): ShiftState {
  return {
    ...{ ...state, phase: 'RollingBack', weights: startWeights(spec), headerRoute: undefined, mirror: undefined },
    ...{
      since: clock,
      progressAt: clock,
      pausedBy: undefined,
      ackedAt: undefined,
      measureFrom: undefined,
      endsAt: undefined,
      startsAt: undefined,
    },
  };
}

/** Goes on with the step that was held, from its beginning where nothing of it is in force. */
export function resumed(state: ShiftState, spec: SteppedShift, clock: number): ShiftState {
  const { isSet } = state;
  const same = entered(state, spec, { clock, step: state.step });
  return isSet ? { ...same, isSet } : same;
}

/** The next step, whatever is measured: what the present one set must be acknowledged. */
export function promoted(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): ShiftState {
  return next(state, spec, evidence);
}

function allOf({ destinations }: SteppedShift, given: Weights): Weights {
  return Object.fromEntries(destinations.map(({ name }) => [name, given[name] ?? 0]));
}
