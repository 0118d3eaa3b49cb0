/** What keeps a run from beginning and from going back, and who must say so. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { drillCourse } from '@hawser/model/drill-course.ts';
import { describe, expect, it } from 'vitest';
import type { DrillState, RunPlan } from './drill-state.ts';
import { begin, check, DRAIN, evidence, follow, holding, injecting, planOf, SPEC, say } from './drill-state-fixture.ts';
import { formOf } from './run-form.ts';
import { statusOf } from './run-status.ts';

describe('a way back that is asked for', () => {
  const spec: DrillSpec = { ...SPEC, restore: { mode: 'manual' }, plan: { hold: '60s', maxDuration: '10m' } };
  const plan = planOf(spec);

  it('is waited for, and begins when its time is over as well', () => {
    const held = follow(holding(plan), plan, [[61], [300]]);
    expect(held.phase).toBe('Holding');
    expect(statusOf(held, plan, evidence(300))).toMatchObject({ waiting: expect.stringContaining('hawser drill restore') });
    const early = say(holding(plan), 'restore', { actor: 'bob', at: 30, plan }) as DrillState;
    expect(follow(early, plan, [[31], [60]])).toMatchObject({ phase: 'Holding', restoreAskedBy: 'bob' });
    const back = follow(early, plan, [[61]]);
    expect(back).toMatchObject({
      phase: 'Restoring',
      timeline: expect.arrayContaining([expect.objectContaining({ event: 'RestoreAsked' })]),
    });
    expect(back.timeline.at(-1)).toMatchObject({ event: 'Restoring', detail: 'bob asked for it' });
    expect(formOf('r', spec, back)).toBeUndefined();
    expect(follow(back, plan, [[62], [63]])).toMatchObject({ phase: 'Done', outcome: 'Passed' });
  });

  it('does not come for ever, is asked for once, and of a run that waits for it alone', () => {
    expect(follow(holding(plan), plan, [[600]])).toMatchObject({
      phase: 'Restoring',
      outcome: 'Aborted',
      message: expect.stringContaining('max-duration'),
    });
    const asked = say(holding(plan), 'restore', { actor: 'bob', at: 2, plan }) as DrillState;
    expect(say(asked, 'restore', { actor: 'carol', at: 3, plan })).toMatch(/bob has asked/);
    expect(say(injecting(plan), 'restore', { actor: 'bob', at: 1, plan })).toMatch(/it is Injecting/);
    expect(say(holding(planOf()), 'restore', { actor: 'bob', at: 2, plan: planOf() })).toMatch(/restored by itself/);
  });

  it('counts nothing of the waiting as recovery', () => {
    const asked = say(follow(holding(plan), plan, [[500]]), 'restore', { actor: 'bob', at: 500, plan }) as DrillState;
    const over = follow(asked, plan, [[501], [502], [503]]);
    expect(over).toMatchObject({ outcome: 'Passed', message: expect.stringContaining('rto was 500 ms') });
  });
});

describe('the way back of a drain', () => {
  const plan = planOf({ ...DRAIN, plan: { ...DRAIN.plan, maxDuration: '5m' } });
  const drained = follow(injecting(plan), plan, [[1], [11], [12], [13]]);
  const returning = { rule: 'readiness', message: '1 of 2 endpoints of shop/cart in west are healthy' };

  it('waits for readiness before each of its steps', () => {
    expect(drained).toMatchObject({ phase: 'Holding', percent: 100 });
    const kept = follow(drained, plan, [
      [73, { returning }],
      [80, { returning }],
    ]);
    expect(kept).toMatchObject({ phase: 'Holding', percent: 100 });
    expect(statusOf(kept, plan, evidence(80, { returning }))).toMatchObject({ waiting: expect.stringContaining('rule readiness') });
    const half = follow(kept, plan, [[81], [82]]);
    expect(half).toMatchObject({ phase: 'Restoring', percent: 50 });
    expect(follow(half, plan, [[100, { returning }]])).toMatchObject({ phase: 'Restoring', percent: 50 });
    expect(follow(half, plan, [[100], [101], [102]])).toMatchObject({ phase: 'Done', outcome: 'Passed' });
  });

  it('that is not ready in time has failed, and the traffic stays away until it is or somebody aborts it', () => {
    const late = follow(drained, plan, [
      [73, { returning }],
      [301, { returning }],
      [900, { returning }],
    ]);
    expect(late).toMatchObject({ phase: 'Holding', percent: 100, outcome: 'Failed', message: expect.stringContaining('rule readiness') });
    expect(late.timeline.filter(({ event }) => event === 'NotReady')).toHaveLength(1);
    expect(say(late, 'abort', { actor: 'bob', at: 901, plan })).toMatchObject({ phase: 'Restoring', percent: 0, outcome: 'Failed' });
    const back = follow(late, plan, [[901], [902], [912], [913], [914]]);
    expect(back).toMatchObject({ phase: 'Done', outcome: 'Failed' });
  });

  it('asks nobody where that is not wanted, nor when it is given up', () => {
    const free = planOf({ ...DRAIN, restore: { requireReadiness: false } });
    expect(follow(drained, free, [[73, { returning }]])).toMatchObject({ phase: 'Restoring', percent: 50 });
    expect(follow(drained, plan, [[74, { returning, checks: [check('failed')] }]])).toMatchObject({
      phase: 'Restoring',
      percent: 0,
      outcome: 'Aborted',
    });
  });
});

describe('a blocker', () => {
  it('keeps a run from beginning, and says which', () => {
    const checks = [check('failed', { role: 'blocker', when: ['before'] })];
    expect(follow(begin(planOf()), planOf(), [[0], [0, { checks }]])).toMatchObject({
      phase: 'Done',
      outcome: 'Skipped',
      message: 'the blocker errors is failed: so it is (rule blockers)',
    });
  });

  it('is nothing to a run that has begun', () => {
    const checks = [check('failed', { role: 'blocker', when: ['before'] })];
    expect(follow(injecting(planOf()), planOf(), [[1, { checks }]]).phase).toBe('Holding');
  });
});

describe('consent of a group', () => {
  const course = drillCourse({ ...SPEC, approvals: { required: 2, groups: ['sre', 'payments'] } });
  const plan: RunPlan = { ...planOf(), course };
  const waiting = follow(begin(plan), plan, [[0]]);

  it('is that of its members, each once', () => {
    expect(statusOf(waiting, plan, evidence(1))).toMatchObject({ approvalsNeeded: 2, approvalGroups: ['sre', 'payments'] });
    expect(say(waiting, 'approve', { actor: 'bob', at: 1, plan })).toMatch(/rule approvals.groups/);
    expect(say(waiting, 'approve', { actor: 'bob', groups: ['web'], at: 1, plan })).toMatch(/sre or payments/);
    expect(say(waiting, 'deny', { actor: 'bob', at: 1, plan })).toMatch(/rule approvals.groups/);
    const once = say(waiting, 'approve', { actor: 'bob', groups: ['web', 'sre'], at: 1, plan }) as DrillState;
    expect(once.timeline.at(-1)).toMatchObject({ event: 'Approved', detail: 'by bob of sre' });
    expect(say(once, 'approve', { actor: 'bob', groups: ['payments'], at: 2, plan })).toMatch(/each counts once/);
    expect(say(waiting, 'approve', { actor: 'alice', groups: ['sre'], at: 2, plan })).toMatch(/rule approvals.allowSelf/);
    const twice = say(once, 'approve', { actor: 'carol', groups: ['payments'], at: 3, plan }) as DrillState;
    expect(follow(twice, plan, [[4]]).phase).toBe('Preflight');
  });
});
