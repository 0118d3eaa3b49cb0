import { resolvedCourse } from '@hawser/model/drain-course.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commanded, DRAIN_COMMANDS } from './drain-commands.ts';
import type { DrainEvidence } from './drain-evidence.ts';
import { advance, type DrainState, isOver, started } from './drain-state.ts';
import { hindrance } from './drain-waits.ts';

const ALL = { complete: true, expected: 4, acked: 4, waitingFor: [], disconnected: [] };
const LATE = { ...ALL, complete: false, acked: 1, waitingFor: ['us-west'] };
const GOOD: DrainEvidence = {
  ...{ now: Date.UTC(2026, 10, 22), clock: 0, rollout: ALL, residual: { kind: 'idle' }, baseline: { 'bookinfo/reviews us-east': 40 } },
  ...{ leaving: undefined, returning: undefined, preemptedBy: undefined, scopeGone: undefined },
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
    const restoring = commanded(drained.at(-1) as DrainState, 'restore', { course: quick, evidence: GOOD }) as DrainState;
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
    const renewed = commanded(held.at(-1) as DrainState, 'renew', { course: quick, evidence: { ...GOOD, clock: 3_700_000 } }) as DrainState;
    expect(renewed).toMatchObject({ phase: 'Draining', percent: 100, expiresClock: 7_300_000, renewals: 1 });
    const kept = { ...quick, onExpire: 'hold' as const };
    expect(summary(onward(drained, kept, { clock: 3_600_000 }))).toEqual(['Drained 100', 'Held 100']);
  });

  it('is not restored without readiness, but by force; and is turned around at once', () => {
    const drained = onward(started(quick, GOOD, 'me'), quick).at(-1) as DrainState;
    const evidence = { ...GOOD, returning: { rule: 'readiness', message: 'us-east is silent' } };
    expect(commanded(drained, 'restore', { course: quick, evidence })).toContain('readiness: us-east is silent; with --force');
    const forced = onward(commanded(drained, 'return', { course: quick, evidence }) as DrainState, quick, evidence);
    expect(summary(forced).at(-1)).toBe('Restored 0');
    const turned = commanded(forced[1] as DrainState, 'redrain', { course: quick, evidence }) as DrainState;
    expect(turned).toMatchObject({ phase: 'Draining', percent: 100, step: 1 });
    expect(turned.unready).toBeUndefined();
  });

  it('gives its place to an emergency', () => {
    const state = started(course, GOOD, 'me');
    expect(advance(state, course, { ...GOOD, preemptedBy: 'fire' })).toMatchObject({ phase: 'Interrupted', percent: 0 });
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
  command: fc.option(fc.constantFrom(...DRAIN_COMMANDS), { nil: undefined, freq: 12 }),
});

describe('whatever happens to a drain', () => {
  it('moves by one step of its course at a time, only with proof of the one before, and never by a wall clock', () => {
    fc.assert(
      fc.property(fc.array(evidence, { maxLength: 60 }), fc.boolean(), (events, isEmergency) => {
        const of = isEmergency ? resolvedCourse({ urgency: 'emergency', expiresIn: '20m' }) : resolvedCourse({ expiresIn: '40m' });
        const percents = [0, ...of.steps.map(({ percent }) => percent), ...of.restoreSteps.map(({ percent }) => 100 - percent)];
        let state = started(of, GOOD, 'me');
        let clock = 0;
        for (const { passed, command, ...seen } of events) {
          clock += passed;
          const now: DrainEvidence = { ...GOOD, ...seen, clock };
          const said = command === undefined ? state : commanded(state, command, { course: of, evidence: now });
          const before = typeof said === 'string' ? state : said;
          // Stored and read again, as when another replica takes over.
          const after = advance(JSON.parse(JSON.stringify(before)) as DrainState, of, now);
          expect(advance(before, of, { ...now, now: 0 }).percent).toBe(after.percent);
          expect(percents).toContain(after.percent);
          if (isOver(before)) expect(after).toEqual(before);
          if (after.percent > before.percent) {
            expect(after.step).toBe(before.step + 1);
            expect(now.leaving).toBeUndefined();
            if (before.step >= 0)
              expect(clock - (before.ackedClock ?? Number.NaN)).toBeGreaterThanOrEqual(of.steps[before.step]?.holdMs ?? 0);
          }
          if (after.percent < before.percent) {
            expect(before.phase).toBe('Restoring');
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
