/** PURE: the status of a shift in steps. */
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import type { Condition } from '../hub-core.ts';
import { acknowledged, msOf, type ShiftEvidence } from './shift-evidence.ts';
import type { ShiftState } from './shift-state.ts';

const MOVING: readonly ShiftState['phase'][] = ['Progressing', 'Paused', 'AwaitingApproval', 'Analyzing', 'RollingBack'];

/** What `.status` shows of it. */
export function statusOf(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): Readonly<Record<string, unknown>> & ShiftStatus {
  const { phase, step, pausedBy, message, requestedBy, approvals, startsAt, endsAt } = state;
  const { checks } = evidence;
  const isMoving = MOVING.includes(phase);
  return {
    ...{ phase, stepIndex: step, steps: spec.steps.length, requestedBy, approvals, weights: weightsOf(state, spec, evidence) },
    totalWeight: spec.totalWeight ?? 100,
    ...(pausedBy === undefined ? {} : { pausedBy }),
    ...(message === undefined ? {} : { message }),
    ...(isMoving ? { waitsFor: waitsFor(state, spec, evidence), deadlineIn: `${deadlineSeconds(state, spec, evidence)}s` } : {}),
    ...(startsAt === undefined ? {} : { startsAt: new Date(startsAt).toISOString() }),
    ...(endsAt === undefined ? {} : { endsAt: new Date(endsAt).toISOString() }),
    ...(checks.length === 0 ? {} : { checks: checks.map(({ name, verdict, message: why }) => ({ name, verdict, message: why ?? '' })) }),
    conditions: [progressing(state)],
  };
}

function weightsOf(state: ShiftState, { destinations }: SteppedShift, { observed }: ShiftEvidence): ShiftStatus['weights'] {
  return destinations.map(({ name }) => ({
    ...{ name, desired: state.weights[name] ?? 0 },
    ...(state.ackedWeights === undefined ? {} : { acked: state.ackedWeights[name] ?? 0 }),
    ...(observed === undefined || observed.total === 0
      ? {}
      : { observedPercent: Math.round((1e4 * (observed.byDestination[name] ?? 0)) / observed.total) / 100 }),
  }));
}

function waitsFor(state: ShiftState, spec: SteppedShift, evidence: ShiftEvidence): string {
  const step = spec.steps[state.step];
  if (state.phase === 'AwaitingApproval') return `an approval, by another than ${state.requestedBy}`;
  if (state.phase === 'Analyzing') return 'its checks to pass';
  if (state.phase === 'Paused')
    return state.pausedBy === 'step' ? pauseText(state, step?.pause?.duration, evidence) : (state.message ?? 'a word');
  if (!state.isSet && state.phase !== 'RollingBack') return 'its turn';
  if (state.ackedAt === undefined) return acknowledged(spec, evidence, 0).message;
  const { observed } = evidence;
  return observed === undefined ? 'its traffic to be measured' : `its share, of ${observed.total} requests so far`;
}

function pauseText({ since }: ShiftState, duration: string | undefined, { clock }: ShiftEvidence): string {
  if (duration === undefined) return 'hawser shift promote';
  return `the pause to end, in ${Math.max(0, Math.ceil((since + msOf(duration, 0) - clock) / 1000))} s`;
}

function deadlineSeconds(state: ShiftState, spec: SteppedShift, { clock }: ShiftEvidence): number {
  const pause = state.pausedBy === 'step' ? msOf(spec.steps[state.step]?.pause?.duration, 0) : 0;
  return Math.max(0, Math.ceil((state.progressAt + msOf(spec.progressDeadline, 1_800_000) + pause - clock) / 1000));
}

function progressing({ phase, pausedBy, message = '' }: ShiftState): Condition {
  const type = 'Progressing';
  if (phase === 'Progressing' || phase === 'Analyzing' || phase === 'RollingBack') return { type, status: 'True', reason: phase, message };
  const reason = pausedBy === undefined ? phase : `PausedBy${pausedBy[0]?.toUpperCase()}${pausedBy.slice(1)}`;
  return { type, status: phase === 'Done' ? 'True' : 'False', reason, message };
}
