/** What a drill's plan amounts to, with everything that was left out. Pure. */
import type { CourseStep } from './drain-course.ts';
import { scopeText } from './drain-scope.ts';
import type { DrillScope, DrillSpec, ScenarioType } from './drill.ts';
import { FOLLOWED, LOSSES, PARTITIONS } from './drill.ts';
import { shiftText } from './drill-shift.ts';
import { parseDuration } from './duration.ts';

/** Bounds of times of a drill, milliseconds. */
export const DRILL_LIMITS = {
  longestMs: 24 * 3_600_000,
  longestKeptMs: 10 * 366 * 24 * 3_600_000,
  /** Nobody can call agents back that are cut off: they come by themselves. */
  longestCutMs: 300_000,
} as const;

/** How long an agent obeys an injection or a partition without a sign of a hub. */
export const DRILL_LEASE = '15s';

/** Name of the check that `objectives.rpoQuery` is read as. */
export const RPO_CHECK = 'rpo';

/** A plan with its defaults. Durations in milliseconds. */
export interface DrillCourse {
  readonly type: ScenarioType;
  /** Undefined: all clusters, of partitions and shifts alone. */
  readonly scope: DrillScope | undefined;
  readonly rtoMs: number;
  readonly propagationMs: number;
  readonly maxErrorRatePercent: number;
  readonly holdMs: number;
  readonly maxDurationMs: number;
  /** Ascending percentages that go elsewhere; of drains. */
  readonly steps: readonly CourseStep[];
  /** Ascending percentages that have come back; of drains. */
  readonly restoreSteps: readonly CourseStep[];
  readonly approvals: {
    readonly required: number;
    readonly expiresAfterMs: number;
    readonly allowSelf: boolean;
    readonly groups: readonly string[];
  };
  readonly restore: { readonly isManual: boolean; readonly requireReadiness: boolean };
  readonly maxTrafficPercent: number;
  readonly minRemainingRegions: number;
  readonly readiness: {
    readonly minHeadroomPercent: number;
    readonly minHealthyEndpointsPercent: number;
    readonly maxAgentLagMs: number;
    readonly minSyncedProxiesPercent: number;
  };
  /** How late a scheduled run may begin. */
  readonly startingDeadlineMs: number;
  readonly overdueAfterMs: number;
  readonly retentionMs: number;
}

const STEP_HOLD_MS = 30_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Whether something is made to fail where it serves. */
export function isLoss(type: ScenarioType): boolean {
  return (LOSSES as readonly string[]).includes(type);
}

/** Whether clusters lose what steers them. */
export function isPartition(type: ScenarioType): boolean {
  return (PARTITIONS as readonly string[]).includes(type);
}

/** Whether it has a course of its own, which a run begins and follows. */
export function isFollowed(type: ScenarioType): boolean {
  return (FOLLOWED as readonly string[]).includes(type);
}

/** Whether requests have to be answered elsewhere because a place does not serve, or is left. */
export function leavesPlace(type: ScenarioType): boolean {
  return isLoss(type) || type === 'drain';
}

/** What it is of, for people: `region us-east`, or of a shift `v1 to v2`. */
export function scenarioPlace(scenario: DrillSpec['scenario']): string {
  if (scenario.shift !== undefined) return shiftText(scenario.shift);
  const scope = scopeOf(scenario);
  return scope === undefined ? 'every cluster' : scopeText(scope);
}

function scopeOf({ from, cluster }: DrillSpec['scenario']): DrillScope | undefined {
  return cluster === undefined ? from : { cluster };
}

/** Scenarios that need not last. */
function isShort(type: ScenarioType): boolean {
  return isPartition(type) || type === 'trustRotation';
}

/** What a plan that was validated amounts to. */
export function drillCourse(spec: DrillSpec): DrillCourse {
  const { scenario, objectives, plan = {}, approvals = {}, blastRadius, readiness = {}, restore = {} } = spec;
  const isManual = restore.mode === 'manual';
  return {
    ...{ type: scenario.type, scope: scopeOf(scenario) },
    rtoMs: milliseconds(objectives.rto, 0),
    propagationMs: milliseconds(objectives.propagation, 30_000),
    maxErrorRatePercent: objectives.maxErrorRatePercent ?? 0.1,
    holdMs: milliseconds(plan.hold, isShort(scenario.type) ? MINUTE_MS : isManual ? 0 : 10 * MINUTE_MS),
    maxDurationMs: milliseconds(plan.maxDuration, HOUR_MS),
    steps: stepsOf(plan.steps, [10, 50, 100]),
    restoreSteps: stepsOf(plan.restoreSteps, [50, 100]),
    approvals: {
      required: approvals.required ?? 1,
      expiresAfterMs: milliseconds(approvals.expiresAfter, 4 * HOUR_MS),
      allowSelf: approvals.allowSelf ?? false,
      groups: approvals.groups ?? [],
    },
    restore: { isManual, requireReadiness: restore.requireReadiness ?? true },
    maxTrafficPercent: blastRadius.maxTrafficPercent ?? 50,
    minRemainingRegions: blastRadius.minRemainingRegions ?? 1,
    readiness: {
      minHeadroomPercent: readiness.minHeadroomPercent ?? 20,
      minHealthyEndpointsPercent: readiness.minHealthyEndpointsPercent ?? 80,
      maxAgentLagMs: milliseconds(readiness.maxAgentLag, 30_000),
      minSyncedProxiesPercent: readiness.minSyncedProxiesPercent ?? 99,
    },
    startingDeadlineMs: milliseconds(spec.schedule?.startingDeadline, 10 * MINUTE_MS),
    overdueAfterMs: milliseconds(spec.overdueAfter, 2160 * HOUR_MS),
    retentionMs: milliseconds(spec.report?.retention, 9600 * HOUR_MS),
  };
}

type Given = NonNullable<NonNullable<DrillSpec['plan']>['steps']>;

function stepsOf(given: Given | undefined, otherwise: readonly number[]): readonly CourseStep[] {
  const steps = given ?? otherwise.map((percent) => ({ percent, hold: undefined }));
  return steps.map(({ percent, hold }) => ({ percent, holdMs: milliseconds(hold, STEP_HOLD_MS) }));
}

function milliseconds(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (parseDuration(text) ?? otherwise);
}
