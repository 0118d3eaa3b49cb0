import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commanded, SHIFT_COMMANDS } from './shift-command.ts';
import type { CheckVerdict, ShiftEvidence, ShiftRollout } from './shift-evidence.ts';
import { formOf } from './shift-form.ts';
import { advance, isEnded, type ShiftState, started, startWeights } from './shift-state.ts';

const SPEC: SteppedShift = {
  services: ['reviews'],
  destinations: [
    { name: 'stable', subset: 'v1' },
    { name: 'canary', subset: 'v2' },
  ],
  steps: [
    { setHeaderRoute: { name: 'testers', match: { 'x-test': { exact: '1' } }, destination: 'canary' } },
    { setWeights: { stable: 90, canary: 10 } },
    { pause: { duration: '10s' } },
    { approval: {} },
    { setWeights: { stable: 50, canary: 50 } },
    { analysis: {} },
    { setMirror: { destination: 'stable', percent: 5 } },
    { setWeights: { canary: 100 } },
  ],
};

const ME = { requestedBy: 'me', run: 1 };
const ACKED: ShiftRollout = { published: true, expected: 10, acked: 10, nacked: 0, unaccounted: [], away: [], connected: 2 };
const seenAs = (canary: number, total = 1_000) => ({
  total,
  byDestination: { canary: (total * canary) / 100, stable: total - (total * canary) / 100 },
});
const known = { endpoints: 2, capacity: undefined };

function evidenceOf(changes: Partial<ShiftEvidence> = {}): ShiftEvidence {
  return {
    ...{ now: 1_000_000, clock: 0, rollout: ACKED, observed: undefined, checks: [], permit: { allowed: true }, load: undefined },
    interruption: undefined,
    destinations: { stable: known, canary: known },
    ...changes,
  };
}

/** Everything well: proxies acknowledge, traffic is where it was sent, checks pass. */
const WELL = (state: ShiftState, clock: number): ShiftEvidence =>
  evidenceOf({ clock, observed: seenAs(state.weights['canary'] ?? 0), checks: [{ name: 'errors', verdict: 'passed', action: 'abort' }] });

/** As far as it goes with this evidence. */
function settled(state: ShiftState, spec: SteppedShift, evidence: (state: ShiftState) => ShiftEvidence): ShiftState {
  for (let at = state, rounds = 0; ; rounds += 1) {
    const after = advance(at, spec, evidence(at));
    if (after === at) return at;
    if (rounds > 100) throw new Error('it does not come to rest');
    at = after;
  }
}
const by = (state: ShiftState, spec: SteppedShift, actor: string, changes: Partial<ShiftEvidence> = {}) => ({
  spec,
  actor,
  evidence: { ...WELL(state, state.since), ...changes },
});
const told = (state: ShiftState, command: string, actor = 'me', changes: Partial<ShiftEvidence> = {}): ShiftState => {
  const after = commanded(state, command, by(state, SPEC, actor, changes));
  if (typeof after === 'string') throw new Error(after);
  return after;
};
const begin = (spec: SteppedShift = SPEC): ShiftState => started(spec, evidenceOf(), ME);

describe('a shift in steps', () => {
  it('goes through its steps, each by its evidence, to its end', () => {
    let state = settled(begin(), SPEC, (at) => WELL(at, 0));
    expect(state).toMatchObject({ phase: 'Paused', pausedBy: 'step', step: 2, weights: { stable: 90, canary: 10 } });
    expect(formOf(SPEC, state)).toEqual({
      services: ['reviews'],
      subsets: { v1: 90, v2: 10 },
      headerRoute: { name: 'testers', match: { 'x-test': { exact: '1' } }, destination: 'v2' },
    });
    expect(advance(state, SPEC, WELL(state, 9_999))).toBe(state);
    state = settled(state, SPEC, (at) => WELL(at, 10_000));
    expect(state).toMatchObject({ phase: 'AwaitingApproval', step: 3 });
    expect(commanded(state, 'approve', by(state, SPEC, 'me'))).toBe('me asked for it: another approves');
    state = told(state, 'approve', 'you');
    expect(state).toMatchObject({ step: 4, approvals: [{ by: 'you', step: 3 }] });
    state = settled(state, SPEC, (at) => WELL(at, 20_000));
    expect(state).toMatchObject({ phase: 'Done', weights: { stable: 0, canary: 100 }, mirror: { percent: 5 } });
    expect(isEnded(state)).toBe(true);
    state = settled(told(state, 'abort'), SPEC, (at) => WELL(at, 30_000));
    expect(state).toMatchObject({ phase: 'RolledBack', weights: { stable: 100, canary: 0 }, message: 'aborted by me' });
    expect(formOf(SPEC, state)).toEqual({ services: ['reviews'], subsets: { v1: 100, v2: 0 } });
    expect(told(state, 'retry', 'you')).toMatchObject({ phase: 'Progressing', step: 0, requestedBy: 'you' });
  });

  const atTen = (): ShiftState => {
    const acked = settled(begin(), SPEC, (at) => evidenceOf({ clock: at.step, observed: at.step === 0 ? seenAs(0) : undefined }));
    expect(acked).toMatchObject({ step: 1, isSet: true, ackedAt: 1 });
    return acked;
  };

  it('waits for proxies, names who is missing, and goes back when they refuse, or are too late', () => {
    const state = advance({ ...begin(), step: 1 }, SPEC, evidenceOf());
    const rolled = (rollout: Partial<ShiftRollout>, clock: number): ShiftState =>
      advance(state, SPEC, evidenceOf({ clock, rollout: { ...ACKED, ...rollout } }));
    expect(rolled({ acked: 9 }, 1)).toBe(state);
    expect(rolled({ unaccounted: ['west'], expected: 0, acked: 0 }, 1)).toBe(state);
    expect(rolled({ connected: 0, expected: 0, acked: 0 }, 1)).toBe(state);
    expect(rolled({ published: false }, 1)).toBe(state);
    expect(advance(state, SPEC, evidenceOf({ clock: 1, rollout: undefined }))).toBe(state);
    expect(rolled({ acked: 9 }, 60_001)).toMatchObject({
      phase: 'RollingBack',
      message: '9 of 10 proxies have acknowledged it, and 10 must have',
    });
    expect(rolled({ acked: 9, nacked: 1, refusal: 'p: no' }, 1)).toMatchObject({
      phase: 'RollingBack',
      message: '1 of 10 proxies refused it: p: no',
    });
    expect(rolled({ expected: 200, acked: 198, nacked: 2 }, 1)).toMatchObject({ ackedAt: 1 });
    const pausing = { ...SPEC, onFailure: 'pause' as const };
    const late = advance(state, pausing, evidenceOf({ clock: 60_001, rollout: undefined }));
    expect(late).toMatchObject({ phase: 'Paused', pausedBy: 'failure', weights: { canary: 10 } });
  });

  it('takes no traffic, too little, or another share for inconclusive, never for a success', () => {
    const state = atTen();
    const at = (clock: number, observed: ShiftEvidence['observed'], spec = SPEC): ShiftState =>
      advance(state, spec, evidenceOf({ clock, observed }));
    for (const observed of [undefined, seenAs(10, 99), seenAs(30)]) {
      expect(at(50_000, observed)).toBe(state);
      expect(at(61_000, observed)).toMatchObject({ phase: 'Paused', pausedBy: 'inconclusive', weights: { canary: 10 } });
      expect(at(61_000, observed, { ...SPEC, onInconclusive: 'rollback' })).toMatchObject({ phase: 'RollingBack' });
    }
    expect(at(61_000, seenAs(30)).message).toBe(
      'stable got 70.0 % of 1000 requests, not 90 %; canary got 30.0 % of 1000 requests, not 10 %',
    );
    expect(at(2, seenAs(14))).toMatchObject({ step: 2 });
    const blind = { ...SPEC, advance: { observed: { minRequests: 0 } } };
    expect(at(2, undefined, blind)).toMatchObject({ step: 2 });
    expect(told(at(61_000, undefined), 'resume')).toMatchObject({ phase: 'Progressing', step: 1, isSet: true });
    expect(told(at(61_000, undefined), 'promote')).toMatchObject({ step: 2 });
  });

  it('is guarded while it is paused, too', () => {
    const paused = settled(begin(), SPEC, (at) => WELL(at, 0));
    const check = (verdict: CheckVerdict['verdict'], action: CheckVerdict['action'] = 'abort'): ShiftEvidence =>
      evidenceOf({ checks: [{ name: 'errors', verdict, action, message: '0.2' }] });
    expect(advance(paused, SPEC, check('failed'))).toMatchObject({
      phase: 'RollingBack',
      message: 'check errors failed: 0.2',
      weights: { canary: 0 },
    });
    expect(advance(paused, SPEC, check('failed', 'pause'))).toMatchObject({ phase: 'Paused', pausedBy: 'failure' });
    expect(advance(paused, SPEC, check('failed', 'record'))).toBe(paused);
    expect(advance(paused, SPEC, check('inconclusive'))).toMatchObject({ phase: 'Paused', pausedBy: 'inconclusive' });
    const bare = evidenceOf({ destinations: { stable: known, canary: { ...known, endpoints: 0 } } });
    expect(advance(paused, SPEC, bare)).toMatchObject({
      phase: 'RollingBack',
      message: expect.stringMatching(/^destination-without-endpoints: canary/),
    });
    const suspended = advance(paused, { ...SPEC, suspend: true }, evidenceOf({ clock: 99_000 }));
    expect(suspended).toBe(paused);
    expect(commanded({ ...paused, pausedBy: 'suspend' }, 'resume', by(paused, SPEC, 'me'))).toMatch(/apply it without/);
  });

  it('does not begin a step that a rule, capacity or missing endpoints are against, and goes on by itself when they are not', () => {
    const state: ShiftState = { ...begin(), step: 4 };
    const capacity = { stable: known, canary: { endpoints: 2, capacity: 100 } };
    const cases: [Partial<ShiftEvidence>, RegExp][] = [
      [{ permit: { allowed: false, rule: 'freeze/night', message: 'wait' } }, /^freeze\/night: wait/],
      [{ destinations: { stable: known, canary: { ...known, endpoints: 0 } } }, /^destination-without-endpoints: canary/],
      [{ destinations: capacity, load: 200 }, /^capacity-guard: canary would get 100 requests\/s, of the 100/],
      [{ destinations: capacity }, /^capacity-guard: canary can bear 100/],
    ];
    for (const [changes, message] of cases) {
      const gated = advance(state, SPEC, evidenceOf(changes));
      expect(gated).toMatchObject({ phase: 'Paused', pausedBy: 'gate', isSet: false, message: expect.stringMatching(message) });
      expect(advance(gated, SPEC, evidenceOf({ ...changes, clock: 5_000 }))).toBe(gated);
      expect(commanded(gated, 'promote', by(gated, SPEC, 'me'))).toMatch(/^nobody passes a guard/);
      expect(advance(gated, SPEC, evidenceOf({ clock: 5_000 }))).toMatchObject({
        phase: 'Progressing',
        isSet: true,
        weights: { canary: 50 },
      });
    }
    expect(advance(state, SPEC, evidenceOf({ destinations: capacity, load: 160 }))).toMatchObject({ isSet: true });
  });

  it('makes way for an emergency at once, and judges the step anew when that has ended', () => {
    const interruption = 'Drain//fire, an emergency, moves the same traffic';
    const during = (clock: number, changes: Partial<ShiftEvidence> = {}): ShiftEvidence => evidenceOf({ clock, interruption, ...changes });
    const held = advance(atTen(), SPEC, during(2));
    expect(held).toMatchObject({ phase: 'Paused', pausedBy: 'emergency', isSet: true, weights: { canary: 10 }, message: interruption });
    // Neither another share nor too little time is held against it; the guards are still there.
    expect(advance(held, SPEC, during(100_000, { observed: seenAs(0) }))).toBe(held);
    for (const word of ['promote', 'resume']) expect(commanded(held, word, by(held, SPEC, 'me'))).toMatch(/Drain\/\/fire/);
    expect(advance(held, SPEC, during(1_800_003))).toMatchObject({ phase: 'RollingBack' });
    const after = advance(held, SPEC, evidenceOf({ clock: 100_000, observed: seenAs(10) }));
    expect(after).toMatchObject({ phase: 'Progressing', step: 1, isSet: true, ackedAt: undefined, progressAt: 100_000 });
    expect(settled(after, SPEC, (at) => WELL(at, 100_001))).toMatchObject({ step: 2, pausedBy: 'step' });
    // What waits for a word goes on waiting for it.
    const paused: ShiftState = { ...begin(), phase: 'Paused', pausedBy: 'operator', step: 1 };
    expect(advance(paused, SPEC, during(1))).toBe(paused);
    const next = told({ ...paused, pausedBy: 'step', step: 2 }, 'promote');
    expect(advance({ ...next, phase: 'Progressing', step: 4 }, SPEC, during(1))).toMatchObject({ pausedBy: 'emergency', isSet: false });
  });

  it('begins and ends by the times of its schedule, leaves out what was missed, and begins again', () => {
    const spec: SteppedShift = {
      ...SPEC,
      steps: [{ setWeights: { canary: 100 } }],
      schedule: { cron: '0 22 * * *', end: '0 6 * * *', timeZone: 'Europe/Berlin' },
    };
    const at = (text: string): number => Date.parse(text);
    const noon = at('2026-06-01T10:00:00Z');
    const state = started(spec, { now: noon, clock: 0 }, ME);
    expect(state).toMatchObject({ phase: 'Pending', startsAt: at('2026-06-01T20:00:00Z'), weights: { stable: 100 } });
    const on = (from: ShiftState, now: number): ShiftState =>
      settled(from, spec, (one) => evidenceOf({ now, observed: seenAs(one.weights['canary'] ?? 0) }));
    expect(on(state, noon + 60_000)).toBe(state);
    const night = on(state, at('2026-06-01T20:00:01Z'));
    expect(night).toMatchObject({ phase: 'Done', weights: { canary: 100 }, endsAt: at('2026-06-02T04:00:00Z') });
    expect(isEnded(night)).toBe(false);
    expect(on(night, at('2026-06-02T04:00:01Z'))).toMatchObject({
      phase: 'Pending',
      weights: { canary: 0 },
      startsAt: at('2026-06-02T20:00:00Z'),
    });
    // The clock went on by days: what it jumped over is not made up for.
    expect(on(state, at('2026-06-04T12:00:00Z'))).toMatchObject({
      phase: 'Pending',
      startsAt: at('2026-06-04T20:00:00Z'),
      message: expect.stringMatching(/missed/),
    });
    // A clock that was years ahead, and is right again: no day is left out.
    const ahead = on(state, at('2031-06-04T12:00:00Z'));
    expect(ahead).toMatchObject({ startsAt: at('2031-06-04T20:00:00Z') });
    expect(on(ahead, noon)).toMatchObject({ phase: 'Pending', startsAt: at('2026-06-01T20:00:00Z') });
    expect(on({ ...night, endsAt: at('2031-06-02T04:00:00Z') }, at('2026-06-02T04:00:00Z') - 1)).toMatchObject({
      endsAt: at('2026-06-02T04:00:00Z'),
    });
    // In the night without that hour it is after it, in the one that has it twice at the first.
    const early = { ...spec, schedule: { ...spec.schedule, cron: '30 2 * * *', timeZone: 'Europe/Berlin' } };
    expect(started(early, { now: at('2026-03-28T12:00:00Z'), clock: 0 }, ME).startsAt).toBe(at('2026-03-29T01:00:00Z'));
    expect(started(early, { now: at('2026-10-24T12:00:00Z'), clock: 0 }, ME).startsAt).toBe(at('2026-10-25T00:30:00Z'));
  });

  it('is put off by what goes before it when its time comes, and left out only when it would be too late', () => {
    const schedule = { cron: '0 22 * * *', end: '5 22 * * *' };
    const spec: SteppedShift = { ...SPEC, steps: [{ setWeights: { canary: 100 } }], schedule };
    const ten = Date.parse('2026-06-01T22:00:00Z');
    const state = started(spec, { now: ten - 1_000, clock: 0 }, ME);
    const fire = 'Drain//fire, an emergency, moves the same traffic';
    const kept: Partial<ShiftEvidence>[] = [
      { interruption: fire },
      { permit: { allowed: false, rule: 'Drain//fire', message: 'by hand' } },
    ];
    for (const changes of kept) {
      const after = advance(state, spec, evidenceOf({ now: ten, ...changes }));
      expect(after).toMatchObject({ phase: 'Pending', startsAt: ten, message: expect.stringMatching(/^put off: Drain\/\/fire/) });
      expect(advance(after, spec, evidenceOf({ now: ten + 1_000, clock: 3_600_000, ...changes }))).toBe(after);
      expect(advance(after, spec, evidenceOf({ now: ten + 2_000 }))).toMatchObject({ phase: 'Progressing', message: undefined });
      // Its end is nearer than its starting deadline.
      expect(advance(after, spec, evidenceOf({ now: ten + 300_000, ...changes }))).toMatchObject({
        ...{ phase: 'Pending', startsAt: ten + 86_400_000 },
        message: expect.stringMatching(/22:00:00.000Z was missed, and is left out: Drain\/\/fire/),
      });
    }
  });

  it('ends within its deadline in every phase', () => {
    for (const phase of ['Progressing', 'Paused', 'AwaitingApproval', 'Analyzing'] as const) {
      const state: ShiftState = { ...begin(), phase, step: 3, isSet: true, ...(phase === 'Paused' ? { pausedBy: 'operator' } : {}) };
      expect(advance(state, SPEC, evidenceOf({ clock: 1_800_001 }))).toMatchObject({
        phase: 'RollingBack',
        message: 'no progress for 30m in step 4',
      });
      const pausing = advance(state, { ...SPEC, onDeadline: 'pause' }, evidenceOf({ clock: 1_800_001 }));
      expect(pausing).toMatchObject({ phase: 'Paused', pausedBy: 'deadline' });
    }
    const back: ShiftState = { ...begin(), phase: 'RollingBack' };
    expect(advance(back, SPEC, evidenceOf({ clock: 1_800_001, rollout: undefined }))).toMatchObject({ phase: 'Failed' });
    // A pause of a length is no lack of progress.
    const long: ShiftState = { ...begin(), phase: 'Paused', pausedBy: 'step', step: 2 };
    const spec = { ...SPEC, steps: SPEC.steps.map((step, index) => (index === 2 ? { pause: { duration: '2h' } } : step)) };
    expect(advance(long, spec, evidenceOf({ clock: 7_000_000 }))).toBe(long);
  });
});

describe('whatever happens to a shift', () => {
  const weightsOf = (index: number): fc.Arbitrary<SteppedShift['steps'][number]> =>
    fc
      .integer({ min: 0, max: 100 })
      .map((canary) => ({ setWeights: index % 2 === 0 ? { stable: 100 - canary, canary } : { canary, stable: 100 - canary } }));
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.nat(3).chain(weightsOf) },
    fc.constantFrom<SteppedShift['steps'][number]>({ pause: {} }, { pause: { duration: '3s' } }, { approval: {} }, { analysis: {} }),
  );
  const spec = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 6 }),
    onFailure: fc.constantFrom('rollback' as const, 'pause' as const),
    onInconclusive: fc.constantFrom('rollback' as const, 'pause' as const),
    onDeadline: fc.constantFrom('rollback' as const, 'pause' as const),
    suspend: fc.boolean(),
  });
  const happening = fc.record({
    passed: fc.constantFrom(0, 250, 5_000, 70_000, 2_000_000),
    jump: fc.constantFrom(0, 0, 0, 86_400_000, -86_400_000),
    rollout: fc.constantFrom<ShiftRollout | undefined>(
      ACKED,
      ACKED,
      ACKED,
      undefined,
      { ...ACKED, acked: 3 },
      { ...ACKED, acked: 3, nacked: 7 },
    ),
    canary: fc.option(fc.nat(100), { nil: undefined }),
    isSeen: fc.boolean(),
    verdict: fc.constantFrom<CheckVerdict['verdict']>('passed', 'passed', 'passed', 'pending', 'failed', 'inconclusive', 'error'),
    permitted: fc.boolean(),
    endpoints: fc.constantFrom(undefined, 2, 2, 0),
    interruption: fc.constantFrom(undefined, undefined, undefined, 'Drain//fire'),
    command: fc.option(fc.constantFrom(...SHIFT_COMMANDS), { nil: undefined, freq: 3 }),
    actor: fc.constantFrom('me', 'you'),
  });

  it('weights add up, no step is left without its evidence, and the way back is always open', () => {
    fc.assert(
      fc.property(spec, fc.array(happening, { maxLength: 40 }), (drawn, happenings) => {
        const shift: SteppedShift = { ...SPEC, ...drawn };
        let [state, clock, now] = [begin(shift), 0, 1_000_000];
        for (const one of happenings) {
          [clock, now] = [clock + one.passed, now + one.passed + one.jump];
          const observed = one.isSeen ? seenAs(state.weights['canary'] ?? 0) : one.canary === undefined ? undefined : seenAs(one.canary);
          const evidence = evidenceOf({
            ...{ clock, now, rollout: one.rollout, observed, checks: [{ name: 'errors', verdict: one.verdict, action: 'abort' }] },
            interruption: one.interruption,
            permit: one.permitted ? { allowed: true } : { allowed: false, rule: 'r', message: 'm' },
            destinations: { stable: known, canary: { endpoints: one.endpoints, capacity: undefined } },
          });
          const word = one.command === undefined ? undefined : commanded(state, one.command, { spec: shift, evidence, actor: one.actor });
          const after = word === undefined || typeof word === 'string' ? advance(state, shift, evidence) : word;
          requireSound(state, after, { shift, evidence, word: after === word ? one.command : undefined });
          // What is stored is what goes on: nothing hangs on more than its JSON.
          state = after === state ? state : (JSON.parse(JSON.stringify(after)) as ShiftState);
          requireWayBack(state, shift, clock);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Moved {
  readonly shift: SteppedShift;
  readonly evidence: ShiftEvidence;
  readonly word: string | undefined;
}

function requireSound(before: ShiftState, after: ShiftState, { shift, evidence, word }: Moved): void {
  expect(Object.values(after.weights).reduce((sum, part) => sum + part, 0)).toBe(100);
  expect(formOf(shift, after).subsets).toEqual({ v1: after.weights['stable'], v2: after.weights['canary'] });
  if (after.step > before.step) {
    expect(after.step).toBe(before.step + 1);
    const setWeights = shift.steps[before.step]?.setWeights;
    // What the step before had set was acknowledged, and seen unless somebody answers for it.
    if (setWeights !== undefined) {
      expect(before.isSet && (before.ackedAt !== undefined || evidence.rollout === ACKED)).toBe(true);
      expect(before.weights).toEqual({ stable: 0, canary: 0, ...setWeights });
      if (word === undefined)
        expect(Math.abs((evidence.observed?.byDestination['canary'] ?? -1_000) / 10 - (before.weights['canary'] ?? 0))).toBeLessThanOrEqual(
          5,
        );
    }
    if (shift.steps[before.step]?.approval !== undefined) expect([word, before.phase]).toEqual(['approve', 'AwaitingApproval']);
    expect(after.weights).toEqual(before.weights);
  }
  if (JSON.stringify(after.weights) !== JSON.stringify(before.weights) && after.phase !== 'RollingBack') {
    // Retry begins at the start weights, which are in force already.
    expect(after.weights).toEqual({ stable: 0, canary: 0, ...shift.steps[after.step]?.setWeights });
    expect(evidence.permit.allowed && after.step === before.step && word === undefined).toBe(true);
  }
  if (after.phase === 'RollingBack' || after.phase === 'RolledBack') expect(after.weights).toEqual(startWeights(shift));
}

function requireWayBack(state: ShiftState, shift: SteppedShift, clock: number): void {
  if (['RollingBack', 'RolledBack', 'Failed'].includes(state.phase)) return;
  const aborted = commanded(state, 'abort', { spec: shift, evidence: evidenceOf({ clock }), actor: 'me' });
  expect(typeof aborted === 'string' ? aborted : advance(aborted, shift, evidenceOf({ clock })).phase).toBe('RolledBack');
}
