/** PURE: a run for people and for tools. */
import type { DrillState, RunPlan } from './drill-state.ts';
import { consents, isOver, waitsFor } from './drill-state.ts';
import type { Recovery, RunEvidence } from './run-evidence.ts';
import { isHeldLongEnough, isInForce, notReady } from './run-progress.ts';
import { objectivesOf, rtoOf } from './run-verdict.ts';

/** `.status`, but for what every resource has. */
export function statusOf(state: DrillState, plan: RunPlan, evidence: RunEvidence): Readonly<Record<string, unknown>> {
  const { phase, outcome, message, startedBy, services, clusters, approvals, notes, phases, timeline, percent } = state;
  const isLive = isInForce(state);
  const recovery = isLive ? evidence.recovery : undefined;
  const waiting = waitingOf(state, plan, evidence);
  const { expected, acked } = isLive ? evidence.rollout : { expected: 0, acked: 0 };
  return {
    ...{ phase, mode: plan.mode, startedBy, phases, timeline },
    ...(outcome === undefined ? {} : { outcome }),
    ...(message === undefined ? {} : { message }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(state.followed === undefined ? {} : { follows: followsOf(state, plan) }),
    ...(services.length === 0 ? {} : { services, clusters }),
    ...(isLive ? { proxies: { expected, acked } } : {}),
    ...(isLive && plan.course.type === 'drain' ? { percent, ...residualPercent(evidence) } : {}),
    ...(phase === 'AwaitingApproval' && consents(approvals) < plan.course.approvals.required ? neededOf(plan) : {}),
    ...(approvals.length === 0 ? {} : { approvals }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(plan.overrides.length === 0 ? {} : { overrides: plan.overrides }),
    ...(isOver(state) ? {} : { checks: checksOf(evidence) }),
    ...(recovery === undefined ? {} : measured(state, plan, recovery)),
    ...state.results,
    conditions: [
      {
        type: 'Progressing',
        status: isOver(state) ? 'False' : 'True',
        reason: outcome ?? phase,
        message: waiting ?? message ?? '',
      },
    ],
  };
}

/** What it waits for now, whoever it is that has to do something. */
function waitingOf(state: DrillState, plan: RunPlan, evidence: RunEvidence): string | undefined {
  const { phase, percent, restoreAskedBy } = state;
  if (phase === 'Preflight') return evidence.refusal?.message ?? waitsFor(evidence);
  if (phase === 'Holding' && plan.course.restore.isManual && restoreAskedBy === undefined)
    return 'it is held until somebody asks for the way back: hawser drill restore';
  const { message = '', stage } = evidence.followed ?? {};
  if (message !== '' && stage !== 'arrived') return message;
  const isOnItsWay = isHeldLongEnough(state, plan, evidence) || (phase === 'Restoring' && percent > 0);
  return isOnItsWay ? notReady(plan, evidence) : undefined;
}

/** Of the requests, those that are still seen to go to what is drained. */
function residualPercent({ residual }: RunEvidence): Readonly<Record<string, number>> {
  return residual.kind === 'observed' ? { residualPercent: residual.percent } : {};
}

function neededOf({ course: { approvals } }: RunPlan): Readonly<Record<string, unknown>> {
  return { approvalsNeeded: approvals.required, ...(approvals.groups.length === 0 ? {} : { approvalGroups: approvals.groups }) };
}

/** What it began elsewhere, and where that is. */
function followsOf({ followed }: DrillState, { course: { type } }: RunPlan): Readonly<Record<string, unknown>> {
  const { part = '', weights } = followed?.points.at(-1) ?? {};
  const kind = type === 'trafficShift' ? 'TrafficShift' : 'TrustRotation';
  return { kind, name: followed?.id, part, ...(weights === undefined ? {} : { weights }) };
}

/** What is seen of it so far, or was in the end. */
export function measured(state: DrillState, plan: RunPlan, recovery: Recovery): Readonly<Record<string, unknown>> {
  const rtoMs = rtoOf(state, recovery);
  return {
    requests: recovery.requests,
    requestsFailed: recovery.failed,
    ...(rtoMs === null ? {} : { rtoMs }),
    objectives: objectivesOf(state, plan, { recovery }),
  };
}

function checksOf({ checks }: RunEvidence): readonly object[] {
  return checks.map(({ role, state: { name, verdict, message, samples } }) => {
    const value = samples.at(-1)?.value;
    return { name, role, verdict, ...(message === '' ? {} : { message }), ...(value === undefined ? {} : { value }) };
  });
}
