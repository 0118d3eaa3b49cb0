/** PURE: what came out of a run that went to its end. */

import { isLoss, isPartition } from '@hawser/model/drill-course.ts';
import type { DrillEvidence, DrillOutcome } from '@hawser/model/drill-evidence.ts';
import type { DrillState, RunPlan } from './drill-state.ts';
import { failedCheck, unsettledCheck } from './run-checks.ts';
import type { RunEvidence } from './run-evidence.ts';

type Objective = DrillEvidence['objectives'][number];

/** Every objective, as it was met. What could not be measured was not met, and not missed either. */
export function objectivesOf(
  state: DrillState,
  { course }: Pick<RunPlan, 'course'>,
  evidence: Pick<RunEvidence, 'recovery'>,
): readonly Objective[] {
  const { recovery } = evidence;
  const { publishedAt, ackedAt } = state.marks;
  const propagation = publishedAt === undefined || ackedAt === undefined ? null : ackedAt - publishedAt;
  const errors = recovery === undefined || recovery.requests === 0 ? null : (recovery.failed / recovery.requests) * 100;
  return [
    ...(isLoss(course.type) ? [objective('rto', 'ms', [course.rtoMs, rtoOf(state, recovery)])] : []),
    ...(isPartition(course.type) ? [] : [objective('propagation', 'ms', [course.propagationMs, propagation])]),
    objective('errorRate', '%', [course.maxErrorRatePercent, errors]),
  ];
}

/** Recovery time in milliseconds: from the first failure, or from when the first proxy had it, to when callers are served again; null: not known. */
export function rtoOf({ marks }: Pick<DrillState, 'marks'>, recovery: RunEvidence['recovery']): number | null {
  const begun = begunAt(marks, recovery);
  if (begun === undefined || recovery?.recoveredAt === undefined) return null;
  return Math.max(0, recovery.recoveredAt - begun);
}

/** When it first hurt, or could have. */
export function begunAt({ firstAckAt }: DrillState['marks'], recovery: RunEvidence['recovery']): number | undefined {
  const times = [firstAckAt, recovery?.firstFailureAt].filter((at) => at !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The outcome of a run that was not given up, and why. */
export function judged(state: DrillState, plan: RunPlan, evidence: RunEvidence): { readonly outcome: DrillOutcome; readonly why: string } {
  const objectives = objectivesOf(state, plan, evidence);
  const missed = objectives.filter(({ met }) => met === false).map(words);
  const failed = failedCheck(evidence.checks, 'after');
  const bad = [...missed, ...(failed === undefined ? [] : [`all is not well after it: ${failed}`])];
  const gaps = gapsOf(evidence);
  if (bad.length > 0) return { outcome: 'Failed', why: [...bad, ...gaps].join('; ') };
  const open = objectives.filter(({ met }) => met === null).map(({ name }) => `${name} could not be measured`);
  const unsettled = unsettledCheck(evidence.checks, 'after');
  const unknown = [...open, ...(unsettled === undefined ? [] : [unsettled]), ...(open.length === 0 ? [] : gaps)];
  if (unknown.length > 0) return { outcome: 'Inconclusive', why: unknown.join('; ') };
  return { outcome: 'Passed', why: [...objectives.map(words), ...gaps].join('; ') };
}

/** What nobody saw. */
function gapsOf({ recovery }: Pick<RunEvidence, 'recovery'>): readonly string[] {
  const { unknownSeconds = 0 } = recovery ?? {};
  return unknownSeconds === 0 ? [] : [`unknown: ${unknownSeconds} s of callers' clusters, which nobody told of in time`];
}

function objective(name: string, unit: Objective['unit'], [target, actual]: readonly [number, number | null]): Objective {
  return { name, unit, target, actual, met: actual === null ? null : actual <= target };
}

function words({ name, unit, target, actual }: Objective): string {
  const shown = actual === null ? 'not known' : `${Math.round(actual * 1_000) / 1_000} ${unit}`;
  return `${name} was ${shown}, and at most ${target} ${unit} is asked for`;
}
