/** Plans, looks and states of runs of drills, for the tests of what moves them. */
import { unchecked } from '@hawser/model/check-verdict.ts';
import type { DrillSpec } from '@hawser/model/drill.ts';
import { drillCourse } from '@hawser/model/drill-course.ts';
import { commanded, type DrillCommand } from './drill-commands.ts';
import { advance, type DrillState, type RunPlan, started } from './drill-state.ts';
import type { RunCheck, RunEvidence } from './run-evidence.ts';

/** A Tuesday, 10:00 UTC. */
export const NOW = Date.parse('2026-11-24T10:00:00Z');
/** The loss of a region. */
export const SPEC: DrillSpec = {
  scenario: { type: 'regionLoss', from: { region: 'west' } },
  objectives: { rto: '5s' },
  blastRadius: { services: { names: ['shop/cart'] } },
  plan: { hold: '60s', maxDuration: '10m' },
};
/** The same region, drained. */
export const DRAIN: DrillSpec = {
  ...SPEC,
  scenario: { type: 'drain', from: { region: 'west' } },
  plan: {
    steps: [{ percent: 50, hold: '10s' }, { percent: 100 }],
    hold: '60s',
    restoreSteps: [{ percent: 50, hold: '10s' }, { percent: 100 }],
  },
};
/** What a run goes by; nobody has to consent. */
export const planOf = (spec: DrillSpec = SPEC, changes: Partial<RunPlan> = {}): RunPlan => ({
  ...{ course: drillCourse({ ...spec, approvals: { required: 0 } }), mode: 'live', trigger: 'manual', overrides: [] },
  ...changes,
});
/** What the proxies say when all have it. */
export const TAKEN = { complete: true, expected: 4, acked: 4, waitingFor: [], disconnected: [] };
/** What a look finds, as a run's own: only the times are its own fields, and everything else is read when it is asked for. */
export const evidence = (seconds: number, changes: Partial<RunEvidence> = {}): RunEvidence => {
  const read: Omit<RunEvidence, 'now' | 'clock'> = {
    ...{ rollout: TAKEN, refusal: undefined, unready: undefined, returning: undefined, baseline: {}, busy: undefined, unheard: [] },
    unmeasured: undefined,
    ...{ preemptedBy: undefined, lapsedIn: [], checks: [], residual: { kind: 'idle' }, services: ['shop/cart'] },
    ...{ clusters: ['west'], revision: 7, measuredUntil: NOW + 3_600_000, recovery: GOOD() },
    ...changes,
  };
  return Object.assign(Object.create(read), { now: NOW + seconds * 1_000, clock: seconds * 1_000 });
};
/** A check that says so. */
export const check = (verdict: RunCheck['state']['verdict'], changes: Partial<RunCheck> = {}): RunCheck => ({
  ...{ role: 'guardrail', when: ['before', 'during', 'after'] },
  state: { ...unchecked({ name: 'errors', action: 'abort' }), verdict, message: 'so it is' },
  ...changes,
});
/** A run that was asked for by alice. */
export const begin = (plan: RunPlan): DrillState => started(plan, evidence(0), 'alice');
/** On from a state, a look at each of these times, with what is so then. */
export const follow = (state: DrillState, plan: RunPlan, looks: readonly (readonly [number, Partial<RunEvidence>?])[]): DrillState =>
  looks.reduce((now, [seconds, changes]) => advance(now, plan, evidence(seconds, changes)), state);
/** A run that has just begun. */
export const injecting = (plan: RunPlan): DrillState => follow(begin(plan), plan, [[0], [0]]);
/** The same when all proxies have it. */
export const holding = (plan: RunPlan): DrillState => follow(injecting(plan), plan, [[1]]);
/** What becomes of it by a word of somebody. */
export const say = (state: DrillState, command: DrillCommand, said: Said): DrillState | string => {
  const { actor, reason, groups, at, plan } = said;
  return commanded(state, command, { by: { actor, reason, groups }, plan, evidence: evidence(at) });
};

interface Said {
  readonly actor: string;
  readonly reason?: string;
  readonly groups?: readonly string[];
  /** Seconds. */
  readonly at: number;
  readonly plan: RunPlan;
}

/** Callers that were served again in time. */
export function GOOD(): NonNullable<RunEvidence['recovery']> {
  return {
    recoveredAt: NOW + 1_500,
    firstFailureAt: NOW + 1_000,
    detectedAt: undefined,
    requests: 10_000,
    failed: 1,
    unknownSeconds: 0,
    resolutionMs: 1_000,
  };
}
