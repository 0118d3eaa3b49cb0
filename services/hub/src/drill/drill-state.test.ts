/** Runs of drills, case by case: what begins them, what moves them on, what ends them. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { drillCourse } from '@hawser/model/drill-course.ts';
import { describe, expect, it } from 'vitest';
import { dueTime } from './drill-due.ts';
import { advance, type DrillState, type RunPlan } from './drill-state.ts';
import { begin, check, DRAIN, evidence, follow, GOOD, holding, injecting, NOW, planOf, SPEC, say, TAKEN } from './drill-state-fixture.ts';
import type { RunEvidence } from './run-evidence.ts';
import { formOf } from './run-form.ts';

describe('a loss', () => {
  it('goes through all phases, and what agents get with it', () => {
    const plan = planOf();
    const seen: unknown[] = [];
    let state = begin(plan);
    for (const seconds of [0, 0, 1, 61, 62, 63]) {
      state = advance(state, plan, evidence(seconds));
      seen.push([state.phase, formOf('r', SPEC, state)?.inject?.fault]);
    }
    const fault = { refuse: true };
    expect(seen).toEqual([
      ['Preflight', undefined],
      ['Injecting', fault],
      ['Holding', fault],
      ['Restoring', undefined],
      ['Done', undefined],
      ['Done', undefined],
    ]);
    expect(state).toMatchObject({ outcome: 'Passed', services: ['shop/cart'], clusters: ['west'], sinceRevision: 7 });
    expect(state.phases.map(({ phase }) => phase)).toEqual(['Pending', 'Preflight', 'Injecting', 'Holding', 'Restoring', 'Done']);
  });

  it.each<[string, Partial<DrillSpec['scenario']>, object]>([
    ['drop', { fault: 'drop' }, { drop: true }],
    ['delay', { fault: 'delay', percent: 30 }, { delay: '2s', percent: 30 }],
    ['error', { fault: 'error', status: 502 }, { error: 502, percent: 100 }],
  ])('%s is told to agents', (_, scenario, fault) => {
    const spec = { ...SPEC, scenario: { ...SPEC.scenario, ...scenario } };
    expect(formOf('r', spec, injecting(planOf(spec)))).toEqual({
      ...{ run: 'r', lease: '15s' },
      inject: { scope: { region: 'west' }, services: ['shop/cart'], fault },
    });
  });

  it('that is dry changes nothing', () => {
    const plan = planOf(SPEC, { mode: 'dryRun' });
    expect(follow(begin(plan), plan, [[0], [0]])).toMatchObject({ phase: 'Done', outcome: 'Passed', marks: { decidedAt: NOW } });
  });

  it.each<[string, Partial<RunEvidence>, string, RegExp]>([
    ['too little capacity', { refusal: { rule: 'headroom', message: 'too little' } }, 'CapacityCheckFailed', /rule headroom/],
    ['no region left', { refusal: { rule: 'minimum-regions', message: 'none' } }, 'CapacityCheckFailed', /minimum-regions/],
    ['a freeze', { refusal: { rule: 'freeze/x', message: 'no' } }, 'Skipped', /rule freeze\/x/],
    ['a steady state that is none', { checks: [check('failed', { role: 'steadyState' })] }, 'Skipped', /steady state errors is failed/],
  ])('does not begin by %s', (_, found, outcome, why) => {
    expect(follow(begin(planOf()), planOf(), [[0], [0, found]])).toMatchObject({
      phase: 'Done',
      outcome,
      message: expect.stringMatching(why),
    });
  });

  it('waits a while until a hub that has just come knows the load', () => {
    const found = { refusal: { rule: 'max-traffic', message: 'not known' }, unmeasured: 'nothing is known of the requests of east' };
    const waiting = follow(begin(planOf()), planOf(), [[0], [0, found], [29, found]]);
    expect(waiting.phase).toBe('Preflight');
    expect(follow(waiting, planOf(), [[29]]).phase).toBe('Injecting');
    expect(follow(waiting, planOf(), [[30, found]])).toMatchObject({ phase: 'Done', outcome: 'Skipped' });
  });

  it.each<[string, Partial<RunEvidence>, string]>([
    ['a guardrail that has no data', { checks: [check('inconclusive')] }, 'Inconclusive'],
    ['a guardrail that was not asked yet', { checks: [check('pending')] }, 'Inconclusive'],
    ['agents that are silent', { unready: 'nothing was heard of west' }, 'CapacityCheckFailed'],
    ['another run', { busy: 'other' }, 'Skipped'],
  ])('waits for %s, and not for ever', (_, found, outcome) => {
    const waiting = follow(begin(planOf()), planOf(), [[0], [0, found], [299, found]]);
    expect(waiting.phase).toBe('Preflight');
    expect(follow(waiting, planOf(), [[299]]).phase).toBe('Injecting');
    expect(follow(waiting, planOf(), [[300, found]])).toMatchObject({ phase: 'Done', outcome });
  });

  it.each<[string, Partial<RunEvidence>, string, RegExp]>([
    ['a guardrail', { checks: [check('failed')] }, 'Aborted', /guardrail errors is failed: so it is/],
    ['a guardrail that cannot be asked', { checks: [check('error')] }, 'Aborted', /rule guardrails/],
    ['what people do by hand', { preemptedBy: 'Drain west' }, 'Interrupted', /Drain west goes before it/],
    ['agents that lifted it', { lapsedIn: ['west'] }, 'Aborted', /lease lapsed: west/],
  ])('goes back at once by %s, in every phase', (_, found, outcome, why) => {
    for (const state of [injecting(planOf()), holding(planOf())]) {
      const back = follow(state, planOf(), [[2, found]]);
      expect(back).toMatchObject({ phase: 'Restoring', outcome, message: expect.stringMatching(why) });
      expect(formOf('r', SPEC, back)).toBeUndefined();
      expect(follow(back, planOf(), [[3], [4]])).toMatchObject({ phase: 'Done', outcome, message: expect.stringMatching(why) });
    }
  });

  it('is blind for a while before it goes back', () => {
    const blind = { checks: [check('inconclusive')] };
    const plan = planOf();
    expect(
      follow(holding(plan), plan, [
        [2, blind],
        [31, blind],
      ]).phase,
    ).toBe('Holding');
    expect(follow(holding(plan), plan, [[2, blind], [31], [32, blind], [33, blind]]).phase).toBe('Holding');
    expect(
      follow(holding(plan), plan, [
        [2, blind],
        [32, blind],
      ]),
    ).toMatchObject({ phase: 'Restoring', outcome: 'Aborted' });
  });

  it('is over under a hub that has just come when that has heard whether its fault was lifted meanwhile', () => {
    const plan = planOf();
    const heldOn = follow(holding(plan), plan, [[120, { unheard: ['west'], lapsedIn: [] }]]);
    expect(heldOn.phase).toBe('Holding');
    expect(follow(heldOn, plan, [[121, { lapsedIn: ['west'] }]])).toMatchObject({ phase: 'Restoring', outcome: 'Aborted' });
    expect(follow(heldOn, plan, [[121]])).toMatchObject({ phase: 'Restoring' });
  });

  it('goes back when proxies do not take it, or it takes too long', () => {
    const some = { rollout: { ...TAKEN, complete: false, acked: 3, waitingFor: ['west'] } };
    const late = follow(injecting(planOf()), planOf(), [
      [59, some],
      [60, some],
    ]);
    expect(late).toMatchObject({ phase: 'Restoring', outcome: 'Aborted', message: expect.stringContaining('3 of 4 proxies') });
    const long = planOf({ ...SPEC, plan: { hold: '1h', maxDuration: '10m' } });
    expect(follow(holding(long), long, [[599]]).phase).toBe('Holding');
    expect(follow(holding(long), long, [[600]])).toMatchObject({ phase: 'Restoring', message: expect.stringContaining('max-duration') });
  });

  it.each<[string, Partial<RunEvidence>, string]>([
    ['that took too long', { recovery: { ...GOOD(), recoveredAt: NOW + 60_000 } }, 'Failed'],
    ['that did not come', { recovery: { ...GOOD(), recoveredAt: undefined } }, 'Inconclusive'],
    ['with too many failures', { recovery: { ...GOOD(), failed: 100 } }, 'Failed'],
    ['that nobody measured', { recovery: undefined }, 'Inconclusive'],
    ['after which all is not well', { checks: [check('failed', { role: 'steadyState', when: ['after'] })] }, 'Failed'],
  ])('with a recovery %s has not passed', (_, found, outcome) => {
    expect(follow(holding(planOf()), planOf(), [[61], [62, found], [63, found]])).toMatchObject({ phase: 'Done', outcome });
  });

  it('is over when the proxies have it back, or says who has not', () => {
    const some = { rollout: { ...TAKEN, complete: false, acked: 1 } };
    const back = follow(holding(planOf()), planOf(), [[61], [360, some]]);
    expect(back.phase).toBe('Restoring');
    expect(follow(back, planOf(), [[361, some]])).toMatchObject({
      phase: 'Done',
      outcome: 'Failed',
      message: expect.stringContaining('1 of 4'),
    });
  });
});

describe('a drain', () => {
  const plan = planOf(DRAIN);
  it('goes there and back in steps', () => {
    const seen: unknown[] = [];
    let state = begin(plan);
    for (const seconds of [0, 0, 1, 10, 11, 12, 13, 73, 74, 83, 84, 85, 86]) {
      state = advance(state, plan, evidence(seconds));
      seen.push(`${seconds} ${state.phase} ${formOf('r', DRAIN, state)?.divert?.percent ?? 0}`);
    }
    expect(seen).toEqual([
      ...['0 Preflight 0', '0 Shifting 50', '1 Shifting 50', '10 Shifting 50', '11 Shifting 100', '12 Shifting 100', '13 Holding 100'],
      ...['73 Restoring 50', '74 Restoring 50', '83 Restoring 50', '84 Restoring 0', '85 Done 0', '86 Done 0'],
    ]);
  });

  it('is held by nothing that is still seen to go there, and aborted at once', () => {
    const away = follow(injecting(plan), plan, [[1], [11], [12]]);
    const there = { residual: { kind: 'observed', percent: 5 } } as const;
    expect(follow(away, plan, [[13, there]])).toMatchObject({ phase: 'Shifting', percent: 100 });
    expect(say(away, 'abort', { actor: 'bob', at: 13, plan })).toMatchObject({ phase: 'Restoring', percent: 0, outcome: 'Aborted' });
    const stepping = follow(away, plan, [[13], [73]]);
    expect(stepping).toMatchObject({ phase: 'Restoring', percent: 50 });
    expect(follow(stepping, plan, [[74, { checks: [check('failed')] }]])).toMatchObject({
      phase: 'Restoring',
      percent: 0,
      outcome: 'Aborted',
    });
  });

  it('takes no step that a rule is against', () => {
    const refusal = { rule: 'freeze/x', message: 'no' };
    expect(follow(injecting(plan), plan, [[1], [11, { refusal }]])).toMatchObject({ phase: 'Restoring', percent: 0, outcome: 'Aborted' });
  });
});

describe('a clock that jumps', () => {
  const jumped = (seconds: number, byMs: number, changes: Partial<RunEvidence> = {}): RunEvidence =>
    Object.assign(evidence(seconds, changes), { now: NOW + byMs });
  const DAY_MS = 86_400_000;

  it.each([DAY_MS, -DAY_MS])('by %d ms ends no phase, no time for consent, and no run', (byMs) => {
    const plan = planOf();
    expect(advance(holding(plan), plan, jumped(2, byMs)).phase).toBe('Holding');
    expect(advance(injecting(plan), plan, jumped(2, byMs, { rollout: { ...TAKEN, complete: false, acked: 0 } })).phase).toBe('Injecting');
    const asked: RunPlan = { ...plan, course: drillCourse({ ...SPEC, approvals: { required: 1, expiresAfter: '1h' } }) };
    const waiting = follow(begin(asked), asked, [[0]]);
    expect(advance(waiting, asked, jumped(2, byMs)).phase).toBe('AwaitingApproval');
    const over = follow(advance(holding(plan), plan, jumped(61, byMs)), plan, [[62], [63]]);
    expect(over).toMatchObject({ phase: 'Done', outcome: 'Passed' });
  });

  it('makes no run for what it passed over, and none twice when it comes back', () => {
    const drill = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' } };
    const daily = { ...drill, spec: { ...SPEC, schedule: { cron: '0 8 * * *' } } };
    expect(dueTime(daily, { now: NOW + 7 * DAY_MS })).toBeUndefined();
    const handled = NOW - 2 * 3_600_000;
    expect(dueTime(daily, { now: NOW - DAY_MS, handled })).toBeUndefined();
    expect(dueTime(daily, { now: NOW - 2 * 3_600_000 + 60_000, handled })).toBeUndefined();
  });
});

describe('a partition', () => {
  it('is for the clusters that it was resolved to, and goes on without their answer', () => {
    const spec: DrillSpec = { ...SPEC, scenario: { type: 'busPartition', from: { region: 'west' } } };
    const plan = planOf(spec);
    const silent = { rollout: { ...TAKEN, complete: false, acked: 0, expected: 0 } };
    const state = injecting(plan);
    expect(formOf('r', spec, state)).toEqual({ run: 'r', lease: '60s', partition: { clusters: ['west'], from: 'bus' } });
    expect(follow(state, plan, [[9, silent]]).phase).toBe('Injecting');
    expect(follow(state, plan, [[10, silent]]).phase).toBe('Holding');
  });
});

describe('consent', () => {
  const plan: RunPlan = { ...planOf(), course: drillCourse({ ...SPEC, approvals: { required: 2, expiresAfter: '1h' } }) };
  const waiting = follow(begin(plan), plan, [[0]]);

  it('is given by as many as must, and not by who asked', () => {
    expect(waiting.phase).toBe('AwaitingApproval');
    expect(say(waiting, 'approve', { actor: 'alice', at: 1, plan })).toMatch(/does not consent to it/);
    const once = say(waiting, 'approve', { actor: 'bob', at: 1, plan }) as DrillState;
    expect(say(once, 'approve', { actor: 'bob', at: 2, plan })).toMatch(/each counts once/);
    expect(follow(once, plan, [[2]]).phase).toBe('AwaitingApproval');
    const twice = say(once, 'approve', { actor: 'carol', at: 3, plan }) as DrillState;
    expect(follow(twice, plan, [[4]])).toMatchObject({ phase: 'Preflight', approvals: [{ by: 'bob' }, { by: 'carol' }] });
    const self: RunPlan = { ...plan, course: drillCourse({ ...SPEC, approvals: { allowSelf: true } }) };
    expect(say(waiting, 'approve', { actor: 'alice', at: 1, plan: self })).toMatchObject({
      approvals: [{ by: 'alice', verdict: 'approved' }],
    });
  });

  it('may come before the run has got to where it asks', () => {
    const pending = begin(plan);
    const heard = say(pending, 'approve', { actor: 'bob', at: 0, plan }) as DrillState;
    expect(follow(heard, plan, [[1]])).toMatchObject({ phase: 'AwaitingApproval', approvals: [{ by: 'bob' }] });
    expect(say(pending, 'deny', { actor: 'bob', at: 0, plan })).toMatchObject({ phase: 'Done', outcome: 'Skipped' });
    expect(say(pending, 'approve', { actor: 'bob', at: 0, plan: { ...plan, mode: 'dryRun' } })).toMatch(/nobody is asked/);
  });

  it('comes in time or not at all', () => {
    expect(say(waiting, 'approve', { actor: 'bob', at: 3_600, plan })).toMatch(/expiresAfter/);
    expect(follow(waiting, plan, [[3_599]]).phase).toBe('AwaitingApproval');
    expect(follow(waiting, plan, [[3_600]])).toMatchObject({
      phase: 'Done',
      outcome: 'Skipped',
      message: expect.stringContaining('0 of 2'),
    });
    expect(say(waiting, 'deny', { actor: 'bob', at: 1, plan, reason: 'not today' })).toMatchObject({
      phase: 'Done',
      outcome: 'Skipped',
      message: 'bob denied it: not today',
    });
    expect(say(holding(planOf()), 'approve', { actor: 'bob', at: 2, plan: planOf() })).toMatch(/nobody is asked/);
  });
});

describe('people', () => {
  it('abort at any moment, and write notes until it is over', () => {
    const plan = planOf();
    expect(say(begin(plan), 'abort', { actor: 'bob', at: 0, plan })).toMatchObject({ phase: 'Done', outcome: 'Aborted' });
    const back = say(holding(plan), 'abort', { actor: 'bob', at: 2, plan, reason: 'enough' }) as DrillState;
    expect(back).toMatchObject({ phase: 'Restoring', outcome: 'Aborted', message: 'bob aborted it: enough' });
    expect(say(back, 'abort', { actor: 'bob', at: 3, plan })).toMatch(/goes back already/);
    expect(say(back, 'note', { actor: 'bob', at: 3, plan })).toMatch(/needs a text/);
    expect(say(back, 'note', { actor: 'bob', at: 3, plan, reason: 'all calm' })).toMatchObject({
      notes: [{ by: 'bob', text: 'all calm' }],
    });
    const over = follow(back, plan, [[3], [4]]);
    expect(say(over, 'note', { actor: 'bob', at: 5, plan, reason: 'late' })).toMatch(/report is signed/);
  });
});

describe('a schedule', () => {
  it('is skipped where nobody attended to its time', () => {
    const late = (ms: number): RunPlan => ({ ...plan, scheduledAt: NOW - ms });
    expect(follow(begin(late(600_000)), late(600_000), [[0]]).phase).toBe('Preflight');
    expect(follow(begin(late(600_001)), late(600_001), [[0]])).toMatchObject({ phase: 'Done', outcome: 'Skipped' });
  });

  it('has a time that has come once', () => {
    const drill = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' } };
    const hourly = { ...drill, spec: { ...SPEC, schedule: { cron: '30 * * * *' } } };
    const due = NOW - 1_800_000;
    expect(dueTime(hourly, { now: NOW })).toBe(due);
    expect(dueTime(hourly, { now: NOW, handled: due })).toBeUndefined();
    expect(dueTime({ ...hourly, spec: { ...hourly.spec, suspend: true } }, { now: NOW })).toBeUndefined();
    const young = { ...hourly, metadata: { name: 'x', creationTimestamp: '2026-11-24T09:45:00Z' } };
    expect(dueTime(young, { now: NOW })).toBeUndefined();
    const berlin = { ...drill, spec: { ...SPEC, schedule: { cron: '30 10 24 * *', timeZone: 'Europe/Berlin' } } };
    expect(dueTime(berlin, { now: NOW })).toBe(due);
  });

  const plan = planOf({ ...SPEC, schedule: { cron: '0 10 * * 2' } }, { trigger: 'schedule' });
  it('waits for a freeze that may end, and for another run, as long as it may begin late', () => {
    const frozen = { refusal: { rule: 'freeze/x', message: 'no' } };
    expect(follow(begin(plan), plan, [[0], [599, frozen]]).phase).toBe('Preflight');
    expect(follow(begin(plan), plan, [[0], [600, frozen]])).toMatchObject({ phase: 'Done', outcome: 'Skipped' });
    expect(follow(begin(plan), plan, [[0], [599, { busy: 'other' }]]).phase).toBe('Preflight');
    expect(follow(begin(plan), plan, [[0], [600, { busy: 'other' }]])).toMatchObject({
      outcome: 'Skipped',
      message: expect.stringContaining('one-run'),
    });
  });
});
