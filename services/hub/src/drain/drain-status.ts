/** PURE: a drain for people and for tools. */
import type { ResolvedCourse } from '@hawser/model/drain-course.ts';
import type { DrainStatusFields } from '@hawser/wire/drain.ts';
import type { Condition } from '../hub-core.ts';
import type { DrainEvidence, Residual } from './drain-evidence.ts';
import { type DrainState, isOver } from './drain-state.ts';
import { hindrance } from './drain-waits.ts';

/** `.status`, but for what every resource has. */
export function statusOf(
  state: DrainState,
  evidence: DrainEvidence & { readonly course: ResolvedCourse },
): DrainStatusFields & Readonly<Record<string, unknown>> & { readonly conditions: readonly Condition[] } {
  const { phase, percent, message, startedBy, renewals, phases } = state;
  const isEnded = isOver(state);
  const waiting = isEnded ? undefined : hindrance(state, evidence.course, evidence);
  const { expected, acked } = evidence.rollout;
  const residual = isEnded ? undefined : evidence.residual;
  return {
    ...{ phase, percent, proxies: { expected, acked }, startedBy, renewals, phases },
    ...(state.step < 0 || isEnded ? {} : { step: `${state.step + 1}/${stepsOf(state, evidence.course)}` }),
    ...wavesIn(state, evidence.course),
    ...(state.approvals === undefined ? {} : { approvals: state.approvals }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(message === undefined ? {} : { message }),
    ...(isEnded ? {} : { expiresAt: new Date(evidence.now + state.expiresClock - evidence.clock).toISOString() }),
    ...seen(residual),
    conditions: [progressing(state, waiting), drained(state, residual)],
  };
}

function wavesIn({ phase, step }: DrainState, { steps, stages }: ResolvedCourse): Pick<DrainStatusFields, 'waves'> {
  const stage = steps[step]?.stage;
  return phase !== 'Draining' || stages.length === 1 || stage === undefined ? {} : { waves: stages[stage]?.waves ?? [] };
}

function stepsOf({ phase, step, percent }: DrainState, { steps, restoreSteps }: ResolvedCourse): number {
  if (phase !== 'Restoring') return steps.length;
  return step + 1 + restoreSteps.filter((one) => 100 - one.percent < percent).length;
}

function seen(residual: Residual | undefined): Pick<DrainStatusFields, 'residualPercent' | 'unobserved'> {
  if (residual === undefined) return {};
  if (residual.kind === 'unobserved') return { unobserved: residual.why };
  return { residualPercent: residual.kind === 'idle' ? 0 : Math.round(residual.percent * 100) / 100 };
}

function progressing({ phase, stalled, message = '' }: DrainState, waiting: string | undefined): Condition {
  const isMoving = phase === 'Pending' || phase === 'Draining' || phase === 'Restoring';
  const since = { type: 'Progressing', message: waiting ?? message };
  if (!isMoving) return { ...since, status: 'False', reason: phase };
  return stalled === true ? { ...since, status: 'False', reason: 'Stalled' } : { ...since, status: 'True', reason: phase };
}

function drained({ phase }: DrainState, residual: Residual | undefined): Condition {
  const text = residual?.kind === 'observed' ? `${residual.percent.toFixed(1)} % of the requests are seen to go there` : '';
  if (phase === 'Drained' || phase === 'Held') {
    if (residual?.kind === 'unobserved') return { type: 'Drained', status: 'Unknown', reason: 'Unobserved', message: residual.why };
    return { type: 'Drained', status: 'True', reason: phase, message: text };
  }
  return { type: 'Drained', status: 'False', reason: phase, message: text };
}
