import { resolvedCourse } from '@hawser/model/drain-course.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commanded, DRAIN_COMMANDS } from './drain-commands.ts';
import type { DrainEvidence } from './drain-evidence.ts';
import { percentsOf } from './drain-stages.ts';
import { advance, type DrainState, isOver, started } from './drain-state.ts';
import { hindrance } from './drain-waits.ts';

const ALL = { complete: true, expected: 4, acked: 4, waitingFor: [], disconnected: [] };
const LATE = { ...ALL, complete: false, acked: 1, waitingFor: ['us-west'] };
const GOOD: DrainEvidence = {
  ...{
    now: Date.UTC(2026, 10, 22),
    clock: 0,
    rollout: ALL,
    residual: { kind: 'idle' },
    ahead: { kind: 'idle' },
    baseline: { 'bookinfo/reviews us-east': 40 },
  },
  ...{ leaving: undefined, returning: undefined, preemptedBy: undefined, scopeGone: undefined, idleStages: new Set() },
};
const course = resolvedCourse({});
const quick = resolvedCourse({
  steps: [{ percent: 50, hold: '0s' }, { percent: 100 }],
  restore: { steps: [{ percent: 50, hold: '0s' }, { percent: 100 }] },
  expiresIn: '1h',
});

/** Goes on with the same evidence, later and later, until nothing changes. */
function onward(state: DrainState, of: typeof course, evidence: Partial<DrainEvidence> = {}): DrainState[] {
  const passed = [state];
  for (let clock = evidence.clock ?? 0; passed.length < 50; ) {
    const last = passed.at(-1) as DrainState;
    const next = advance(last, of, { ...GOOD, ...evidence, clock });
    if (next === last) return passed;
    passed.push(next);
  }
  throw new Error('it never rests');
}

const summary = (states: readonly DrainState[]): string[] => [...new Set(states.map(({ phase, percent }) => `${phase} ${percent}`))];

describe('a drain', () => {
  it('goes in steps, each held from when the proxies have it', () => {
    let state = started(course, GOOD, 'me');
    expect(state).toMatchObject({ phase: 'Draining', step: 0, percent: 10 });
    state = advance(state, course, { ...GOOD, clock: 30_000, rollout: LATE });
    expect(state.ackedClock).toBeUndefined();
    state = advance(state, course, { ...GOOD, clock: 50_000 });
    expect(state).toMatchObject({ percent: 10, ackedClock: 50_000 });
    expect(advance(state, course, { ...GOOD, clock: 109_000 })).toBe(state);
    expect(hindrance(state, course, { ...GOOD, clock: 109_000 })).toBe('it stays at this step for 1 s more');
    expect(advance(state, course, { ...GOOD, clock: 110_000 })).toMatchObject({ percent: 25, step: 1 });
  });

  it('comes there, and back when that is asked for', () => {
    const drained = onward(started(quick, GOOD, 'me'), quick);
    expect(summary(drained)).toEqual(['Draining 50', 'Draining 100', 'Drained 100']);
    const restoring = commanded(drained.at(-1) as DrainState, 'restore', { course: quick, evidence: GOOD, actor: 'me' }) as DrainState;
    expect(summary(onward(restoring, quick))).toEqual(['Restoring 100', 'Restoring 50', 'Restoring 0', 'Restored 0']);
  });

  it('ends lasting connections when their time is over, and not before', () => {
    const drained = onward(started(quick, GOOD, 'me'), quick).at(-1) as DrainState;
    expect(advance(drained, quick, { ...GOOD, clock: 59_999 })).toBe(drained);
    expect(advance(drained, quick, { ...GOOD, clock: 60_000 })).toMatchObject({ phase: 'Drained', closing: true });
  });

  it('is at 100 at once in an emergency, and drained when that was seen', () => {
    const emergency = resolvedCourse({ urgency: 'emergency' });
    const state = started(emergency, { ...GOOD, residual: { kind: 'observed', percent: 33 } }, 'me');
    expect(state).toMatchObject({ phase: 'Draining', percent: 100, shareBefore: 33 });
    const seen = (percent: number): DrainState[] => onward(state, emergency, { residual: { kind: 'observed', percent } });
    expect(summary(seen(1.1))).toEqual(['Draining 100']);
    expect(summary(seen(1))).toEqual(['Draining 100', 'Drained 100']);
  });

  it('does not take no data for no traffic, unless it is told to', () => {
    const residual = { kind: 'unobserved', why: 'nothing is known of us-west' } as const;
    expect(summary(onward(started(quick, { ...GOOD, residual }, 'me'), quick, { residual }))).toEqual(['Draining 50']);
    const blind = { ...quick, overrides: ['observation'] };
    expect(summary(onward(started(blind, { ...GOOD, residual }, 'me'), blind, { residual })).at(-1)).toBe('Drained 100');
  });

  it('does not go on while the traffic did not move', () => {
    const state = started(quick, { ...GOOD, residual: { kind: 'observed', percent: 40 } }, 'me');
    const at = (percent: number): string[] => summary(onward(state, quick, { residual: { kind: 'observed', percent } }));
    expect(at(26)).toEqual(['Draining 50']);
    expect(at(25)).toEqual(['Draining 50', 'Draining 100']);
  });

  it('says that it is stalled, once, and goes on when the proxies answer', () => {
    const first = started(quick, { ...GOOD, rollout: LATE }, 'me');
    const stalled = advance(first, quick, { ...GOOD, clock: 60_000, rollout: LATE });
    expect(stalled).toMatchObject({ phase: 'Draining', percent: 50, stalled: true });
    expect(advance(stalled, quick, { ...GOOD, clock: 61_000, rollout: LATE })).toBe(stalled);
    expect(advance(stalled, quick, { ...GOOD, clock: 61_000 }).stalled).toBeUndefined();
  });

  it('waits before its first step for what refuses it, and fails when its time is over by then', () => {
    const leaving = { rule: 'headroom', message: 'too little' };
    const state = started(quick, { ...GOOD, leaving }, 'me');
    expect(state).toMatchObject({ phase: 'Pending', percent: 0 });
    expect(hindrance(state, quick, { ...GOOD, leaving })).toBe('headroom: too little');
    expect(advance(state, quick, { ...GOOD, leaving, clock: 3_600_000 })).toMatchObject({ phase: 'Failed', percent: 0 });
    expect(advance(state, quick, GOOD)).toMatchObject({ phase: 'Draining', percent: 50 });
  });

  it('comes back when its time is over, if it is ready; says so if not, and comes when it is', () => {
    const drained = onward(started(quick, GOOD, 'me'), quick).at(-1) as DrainState;
    const returning = { rule: 'headroom', message: 'us-east is silent' };
    const held = onward(drained, quick, { clock: 3_600_000, returning });
    expect(summary(held)).toEqual(['Drained 100', 'Held 100']);
    expect(summary(onward(held.at(-1) as DrainState, quick, { clock: 3_700_000 })).at(-1)).toBe('Restored 0');
    const renewed = commanded(held.at(-1) as DrainState, 'renew', {
      ...{ course: quick, evidence: { ...GOOD, clock: 3_700_000 }, actor: 'me' },
    }) as DrainState;
    expect(renewed).toMatchObject({ phase: 'Draining', percent: 100, expiresClock: 7_300_000, renewals: 1 });
    const kept = { ...quick, onExpire: 'hold' as const };
    expect(summary(onward(drained, kept, { clock: 3_600_000 }))).toEqual(['Drained 100', 'Held 100']);
  });

  it('is not restored without readiness, but by force; and is turned around at once', () => {
    const drained = onward(started(quick, GOOD, 'me'), quick).at(-1) as DrainState;
    const evidence = { ...GOOD, returning: { rule: 'readiness', message: 'us-east is silent' } };
    expect(commanded(drained, 'restore', { course: quick, evidence, actor: 'me' })).toContain('readiness: us-east is silent; with --force');
    const forced = onward(commanded(drained, 'return', { course: quick, evidence, actor: 'me' }) as DrainState, quick, evidence);
    expect(summary(forced).at(-1)).toBe('Restored 0');
    const turned = commanded(forced[1] as DrainState, 'redrain', { course: quick, evidence, actor: 'me' }) as DrainState;
    expect(turned).toMatchObject({ phase: 'Draining', percent: 100, step: 1 });
    expect(turned.unready).toBeUndefined();
  });

  it('comes back when enough others have approved it, each once, ready or not', () => {
    const two = { ...quick, restoreApprovals: 2 };
    const drained = onward(started(two, GOOD, 'me'), two).at(-1) as DrainState;
    const said = (state: DrainState, command: (typeof DRAIN_COMMANDS)[number], actor: string) =>
      commanded(state, command, { course: two, evidence: GOOD, actor });
    expect(said(drained, 'approve', 'you')).toBe('it waits for no approval');
    for (const word of ['restore', 'return'] as const) {
      let state = said(drained, word, 'alice') as DrainState;
      expect(summary(onward(state, two))).toEqual(['Restoring 100']);
      expect(hindrance(state, two, GOOD)).toBe('2 of 2 approvals are missing, by others than alice: hawser drain approve');
      expect(said(state, 'approve', 'alice')).toMatch(/^alice asked for it/);
      state = said(state, 'approve', 'bob') as DrainState;
      expect(said(state, 'approve', 'bob')).toMatch(/^bob has approved it already/);
      expect(hindrance(state, two, GOOD)).toMatch(/^1 of 2 approvals/);
      state = said(state, 'approve', 'me') as DrainState;
      expect(said(state, 'approve', 'carol')).toBe('it waits for no approval');
      expect(summary(onward(state, two)).at(-1)).toBe('Restored 0');
      // What is turned around has to be approved anew.
      const again = said(said(state, 'redrain', 'bob') as DrainState, 'restore', 'bob') as DrainState;
      expect(hindrance(again, two, GOOD)).toMatch(/^2 of 2 approvals are missing, by others than bob/);
    }
    const expired = onward(drained, two, { clock: 3_600_000 }).at(-1) as DrainState;
    expect(expired).toMatchObject({
      phase: 'Restoring',
      percent: 100,
      askedBy: 'me',
      message: expect.stringContaining('its time is over'),
    });
    expect(said(expired, 'approve', 'me')).toMatch(/another approves/);
  });

  it('gives its place to an emergency', () => {
    const state = started(course, GOOD, 'me');
    expect(advance(state, course, { ...GOOD, preemptedBy: 'fire' })).toMatchObject({ phase: 'Interrupted', percent: 0 });
  });
});

describe('waves', () => {
  const waved = resolvedCourse({
    steps: [
      { percent: 50, hold: '10s' },
      { percent: 100, hold: '20s' },
    ],
    restore: { steps: [{ percent: 50, hold: '0s' }, { percent: 100 }] },
    waves: [
      { name: 'back', selector: { names: ['bookinfo/ratings'] }, after: ['front'] },
      { name: 'front', selector: { names: ['bookinfo/productpage'] } },
    ],
  });
  /** Percentages by stage as time passes, each once. */
  const passed = (state: DrainState, of: Partial<DrainEvidence> = {}): { seen: string[]; last: DrainState } => {
    const seen: string[] = [];
    let last = state;
    for (let clock = 0; clock <= 600_000; clock += 1_000) {
      seen.push(percentsOf(last, waved).join());
      last = advance(last, waved, { ...GOOD, ...of, clock });
    }
    return { seen: [...new Set(seen)], last };
  };

  it('leave one after another, what they do not select at the end, and come back together', () => {
    const { seen, last } = passed(started(waved, GOOD, 'me'));
    expect(seen).toEqual(['50,0,0', '100,0,0', '100,50,0', '100,100,0', '100,100,50', '100,100,100']);
    expect(last).toMatchObject({ phase: 'Drained', step: 5, percent: 100 });
    const back = commanded(last, 'restore', { course: waved, evidence: GOOD, actor: 'me' }) as DrainState;
    expect(passed(back).seen).toEqual(['100,100,100', '50,50,50', '0,0,0']);
  });

  it('begin when the one before was held and was seen to have left', () => {
    let state = started(waved, GOOD, 'me');
    for (const clock of [0, 10_000, 10_000]) state = advance(state, waved, { ...GOOD, clock });
    expect(state).toMatchObject({ step: 1, percent: 100, ackedClock: 10_000 });
    expect(advance(state, waved, { ...GOOD, clock: 29_999 })).toBe(state);
    const left: DrainEvidence = { ...GOOD, clock: 30_000, residual: { kind: 'observed', percent: 2 } };
    expect(hindrance(state, waved, left)).toBe('2.0 % of the requests are seen to go there, 1.0 % may');
    const next = advance(state, waved, { ...GOOD, clock: 30_000, ahead: { kind: 'observed', percent: 40 } });
    expect(next).toMatchObject({ step: 2, percent: 50, shareBefore: 40 });
    const seen = { ...GOOD, clock: 40_000, residual: { kind: 'observed', percent: 26 } } as const;
    expect(hindrance({ ...next, ackedClock: 30_000 }, waved, seen)).toBe('26.0 % of the requests are seen to go there, 25.0 % may');
  });

  it('without services are passed over', () => {
    expect(passed(started(waved, { ...GOOD, idleStages: new Set([0, 2]) }, 'me'), { idleStages: new Set([0, 2]) }).seen).toEqual([
      '100,50,0',
      '100,100,0',
      '100,100,100',
    ]);
    expect(passed(started(waved, { ...GOOD, idleStages: new Set([0, 1, 2]) }, 'me')).seen).toEqual(['100,100,100']);
  });

  it('come back together from where they are, and go on from there when that is turned around', () => {
    let state = started(waved, GOOD, 'me');
    for (const clock of [0, 10_000, 10_000, 30_000]) state = advance(state, waved, { ...GOOD, clock });
    expect(percentsOf(state, waved)).toEqual([100, 50, 0]);
    const back = commanded(state, 'restore', { course: waved, evidence: GOOD, actor: 'me' }) as DrainState;
    expect(percentsOf(back, waved)).toEqual([100, 50, 0]);
    const half = advance(back, waved, GOOD);
    expect(percentsOf(half, waved)).toEqual([50, 50, 0]);
    const again = commanded(half, 'redrain', { course: waved, evidence: GOOD, actor: 'me' }) as DrainState;
    expect(percentsOf(again, waved)).toEqual([100, 50, 0]);
    expect(passed(again).seen.at(-1)).toBe('100,100,100');
  });
});

const refusal = fc.option(fc.constant({ rule: 'headroom', message: 'short' }), { nil: undefined });
const evidence = fc.record({
  rollout: fc.constantFrom(ALL, LATE),
  residual: fc.constantFrom<DrainEvidence['residual']>(
    { kind: 'idle' },
    { kind: 'observed', percent: 0.5 },
    { kind: 'observed', percent: 30 },
    { kind: 'unobserved', why: 'silence' },
  ),
  leaving: refusal,
  returning: refusal,
  /** Of the wall clock, which jumps anywhere. */
  now: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  passed: fc.integer({ min: 0, max: 600_000 }),
  actor: fc.constantFrom('me', 'you'),
  command: fc.option(fc.constantFrom(...DRAIN_COMMANDS), { nil: undefined, freq: 12 }),
});

const COURSES = [
  resolvedCourse({ urgency: 'emergency', expiresIn: '20m' }),
  resolvedCourse({ expiresIn: '40m' }),
  resolvedCourse({
    ...{ expiresIn: '90m', restore: { approval: 1 } },
    waves: [
      { name: 'a', selector: { names: ['x/a'] } },
      { name: 'b', selector: { names: ['x/b'] }, after: ['a'] },
    ],
  }),
];

describe('whatever happens to a drain', () => {
  it('moves by one step of its course at a time, only with proof of the one before, and never by a wall clock', () => {
    fc.assert(
      fc.property(fc.array(evidence, { maxLength: 60 }), fc.constantFrom(...COURSES), (events, of) => {
        const percents = [0, ...of.steps.map(({ percent }) => percent), ...of.restoreSteps.map(({ percent }) => 100 - percent)];
        let state = started(of, GOOD, 'me');
        let clock = 0;
        for (const { passed, command, actor, ...seen } of events) {
          clock += passed;
          const now: DrainEvidence = { ...GOOD, ...seen, clock };
          const said = command === undefined ? state : commanded(state, command, { course: of, evidence: now, actor });
          const before = typeof said === 'string' ? state : said;
          // Stored and read again, as when another replica takes over.
          const after = advance(JSON.parse(JSON.stringify(before)) as DrainState, of, now);
          expect(advance(before, of, { ...now, now: 0 }).percent).toBe(after.percent);
          expect(percents).toContain(after.percent);
          if (isOver(before)) expect(after).toEqual(before);
          const [was, is] = [percentsOf(before, of), percentsOf(after, of)];
          if (is.some((one, stage) => one > (was[stage] ?? 0))) {
            expect(after.step).toBe(before.step + 1);
            expect(is.filter((one, stage) => one !== was[stage])).toHaveLength(1);
            expect(now.leaving).toBeUndefined();
            if (before.step >= 0)
              expect(clock - (before.ackedClock ?? Number.NaN)).toBeGreaterThanOrEqual(of.steps[before.step]?.holdMs ?? 0);
          }
          if (is.some((one, stage) => one < (was[stage] ?? 0))) {
            expect(before.phase).toBe('Restoring');
            expect(before.approvals ?? []).toHaveLength(of.restoreApprovals);
            if (before.unready !== true) expect(now.returning).toBeUndefined();
          }
          if (after.phase === 'Held' && before.phase !== 'Held') expect(clock).toBeGreaterThanOrEqual(before.expiresClock);
          if (after.phase === 'Restored' && before.phase === 'Restoring')
            expect([before.percent, before.ackedClock]).toEqual([0, expect.any(Number)]);
          state = after;
        }
      }),
      { numRuns: 300 },
    );
  });
});
