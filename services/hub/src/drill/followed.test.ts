/** Runs that follow a shift or a rotation, case by case. */
import { unchecked } from '@hawser/model/check-verdict.ts';
import type { DrillSpec } from '@hawser/model/drill.ts';
import { drillCourse } from '@hawser/model/drill-course.ts';
import { describe, expect, it } from 'vitest';
import { trustOf } from '../trust/rotation-fixture.ts';
import { started as rotationStarted } from '../trust/rotation-state.ts';
import { trustAcknowledged } from '../trust/trust-acknowledged.ts';
import { advance, type DrillState, type RunPlan, started, stopped } from './drill-state.ts';
import type { FollowedNow } from './followed.ts';
import type { RunEvidence } from './run-evidence.ts';
import { formOf } from './run-form.ts';

const NOW = Date.parse('2026-11-24T10:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();
const specOf = (scenario: DrillSpec['scenario']): DrillSpec => ({
  ...{
    scenario,
    objectives: { rto: '5s' },
    blastRadius: { services: { names: ['shop/cart'] } },
    plan: { hold: '60s', maxDuration: '10m' },
  },
});
const SHIFT = specOf({
  type: 'trafficShift',
  shift: {
    destinations: [
      { name: 'a', cluster: 'a' },
      { name: 'b', cluster: 'b' },
    ],
    steps: [{ setWeights: { b: 100 } }],
  },
});
const ROTATION = specOf({ type: 'trustRotation', cluster: 'east' });
const planOf = (spec: DrillSpec): RunPlan => ({
  ...{ course: drillCourse({ ...spec, approvals: { required: 0 } }), mode: 'live', trigger: 'manual', overrides: [] },
});
const now = (stage: FollowedNow['stage'], ...parts: readonly string[]): FollowedNow => ({
  ...{ stage, message: 'so it says' },
  points: parts.map((part, index) => ({ at: at(index), part })),
});
const evidence = (seconds: number, changes: Partial<RunEvidence> = {}): RunEvidence => ({
  ...{ now: NOW + seconds * 1_000, clock: seconds * 1_000, refusal: undefined, unready: undefined, busy: undefined, unmeasured: undefined },
  ...{ rollout: { complete: true, expected: 4, acked: 4, waitingFor: [], disconnected: [] }, preemptedBy: undefined },
  ...{ lapsedIn: [], unheard: [] },
  ...{
    checks: [],
    residual: { kind: 'idle' },
    services: ['shop/cart'],
    clusters: ['a', 'b'],
    revision: 7,
    returning: undefined,
    baseline: {},
  },
  ...{ measuredUntil: NOW + 3_600_000 },
  recovery: {
    ...{ recoveredAt: NOW, firstFailureAt: undefined, detectedAt: undefined },
    ...{ requests: 10_000, failed: 1, unknownSeconds: 0, resolutionMs: 1_000 },
  },
  ...changes,
});
/** A run that has begun what it follows, as its effect leaves it. */
const begun = (plan: RunPlan): DrillState => {
  const state = advance(advance(started(plan, evidence(0), 'alice'), plan, evidence(0)), plan, evidence(0));
  return { ...state, followed: { id: 'x', points: [] } };
};
const follow = (state: DrillState, plan: RunPlan, looks: readonly (readonly [number, Partial<RunEvidence>?])[]): DrillState =>
  looks.reduce((one, [seconds, changes]) => advance(one, plan, evidence(seconds, changes)), state);

describe.each<[string, DrillSpec, DrillState['phase']]>([
  ['a shift', SHIFT, 'Shifting'],
  ['a rotation', ROTATION, 'Rotating'],
])('a drill of %s', (_, spec, phase) => {
  const plan = planOf(spec);
  const arrived = now('arrived', 'first', 'second');

  it('is followed until it is there, held, and over; agents get no form of it', () => {
    const state = follow(begun(plan), plan, [[1, { followed: now('moving', 'first') }]]);
    expect([state.phase, formOf('r', spec, state)]).toEqual([phase, undefined]);
    const held = follow(state, plan, [[2, { followed: arrived }]]);
    expect(held).toMatchObject({ phase: 'Holding', followed: { points: [{ part: 'first' }, { part: 'second' }] } });
    expect(held.timeline.map(({ detail }) => detail).slice(-3, -1)).toEqual(['first', 'second']);
    const back = follow(held, plan, [
      [61, { followed: arrived }],
      [62, { followed: arrived }],
    ]);
    expect(back.phase).toBe('Restoring');
    expect(follow(back, plan, [[63, { followed: arrived }]])).toMatchObject({ phase: 'Done', outcome: 'Passed' });
  });

  it.each<[string, Partial<RunEvidence>, string, RegExp]>([
    ['goes back by itself', { followed: now('returning', 'first') }, 'Aborted', /goes back: so it says/],
    ['is taken away', { followed: now('gone') }, 'Interrupted', /was taken away/],
    ['gives way', { followed: now('moving', 'first'), preemptedBy: 'Drain east' }, 'Interrupted', /Drain east goes before it/],
  ])('that %s is over', (__, changes, outcome, why) => {
    expect(follow(begun(plan), plan, [[1, changes]])).toMatchObject({
      ...{ phase: 'Restoring', outcome, message: expect.stringMatching(why), marks: { restoringAt: NOW + 1_000 } },
    });
  });

  it('ends by a guardrail, by its longest time, and by a word', () => {
    const moving = { followed: now('moving', 'first') };
    const state = { ...unchecked({ name: 'errors', action: 'abort' as const }), verdict: 'failed' as const, message: 'so it is' };
    const checks = [{ role: 'guardrail' as const, when: ['during' as const], state }];
    expect(follow(begun(plan), plan, [[1, { ...moving, checks }]])).toMatchObject({ phase: 'Restoring', outcome: 'Aborted' });
    expect(follow(begun(plan), plan, [[601, moving]])).toMatchObject({
      outcome: 'Aborted',
      message: expect.stringContaining('max-duration'),
    });
    expect(stopped(begun(plan), 'Aborted', { now: NOW, clock: 0, why: 'enough' })).toMatchObject({ phase: 'Restoring' });
  });
});

describe('what is given up', () => {
  it('of a rotation is waited for until it is rolled back, or has gone to its end, and no longer than a while', () => {
    const plan = planOf(ROTATION);
    const given = follow(begun(plan), plan, [[1, { followed: now('moving', 'Tainting'), preemptedBy: 'Drain east' }]]);
    const waiting = follow(given, plan, [[2, { followed: now('returning', 'RollingBack') }]]);
    expect(waiting.phase).toBe('Restoring');
    for (const stage of ['returned', 'arrived'] as const)
      expect(follow(waiting, plan, [[3, { followed: now(stage, 'end') }]])).toMatchObject({ phase: 'Done', outcome: 'Interrupted' });
    expect(follow(waiting, plan, [[302, { followed: now('returning', 'RollingBack') }]])).toMatchObject({
      ...{ phase: 'Done', outcome: 'Interrupted', message: expect.stringContaining('goes on by itself, and waits: so it says') },
    });
  });

  it('of a shift is waited for until the proxies have it', () => {
    const plan = planOf(SHIFT);
    const missing = { complete: true, expected: 4, acked: 3, waitingFor: [], disconnected: [] };
    const given = follow(begun(plan), plan, [
      [1, { followed: now('gone') }],
      [2, { rollout: missing }],
    ]);
    expect(given.phase).toBe('Restoring');
    expect(follow(given, plan, [[3]])).toMatchObject({ phase: 'Done', marks: { restoredAt: NOW + 3_000 } });
  });
});

it('counts the proxies of all who trust the cluster that have its new root', () => {
  const rotation = rotationStarted({
    ...{ id: 'r', cluster: 'east', epoch: 1, kind: 'root', emergency: false, awayAfterMs: 600_000, startedBy: 'alice', now: NOW },
  });
  const counted = (step: Parameters<typeof trustOf>[1], acked: number) => {
    const trust = trustOf('r', step);
    const agent = { proxies: [], trust: { ...trust, bundles: trust.bundles.map((bundle) => ({ ...bundle, expected: 2, acked })) } };
    const members = ['east', 'west'].map((cluster) => ({ cluster, heardAt: NOW, agents: [agent] }));
    return trustAcknowledged(rotation, { now: NOW, busSince: 0, epoch: 1, trustDomain: 'east.hawser', members });
  };
  expect(counted(undefined, 2)).toMatchObject({ complete: true, expected: 4, acked: 0 });
  expect(counted('prepare', 1)).toMatchObject({ expected: 4, acked: 2 });
  expect(counted('retire', 2)).toMatchObject({ expected: 4, acked: 4 });
});
