import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Check, type CheckSpec, checkOf, checkProblems, conditionOf } from './check.ts';
import {
  afterSample,
  type CheckSample,
  type CheckState,
  decisionOf,
  type Measurement,
  SAMPLES_KEPT,
  sampleOf,
  unchecked,
} from './check-verdict.ts';

const HUB: CheckSpec = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.01' };
const at = '2026-01-01T00:00:00.000Z';
const sample = (outcome: CheckSample['outcome']): CheckSample => ({ at, outcome });
const run = (check: Check, outcomes: readonly CheckSample['outcome'][]): CheckState =>
  outcomes.reduce((state, outcome) => afterSample(check, state, sample(outcome)), unchecked(check));

describe('what is written', () => {
  test('has the defaults of its source', () => {
    expect(checkOf(HUB)).toMatchObject({
      ...{ intervalMs: 250, windowMs: 60_000, timeoutMs: 5_000, initialDelayMs: 30_000, failureLimit: 1, consecutiveErrorLimit: 4 },
      ...{ onNoData: 'inconclusive', action: 'abort', when: ['before', 'during', 'after'] },
    });
    expect(checkOf({ ...HUB, source: { prometheus: { query: 'up' } } }).intervalMs).toBe(15_000);
  });

  test.each<[Partial<CheckSpec>, string, RegExp]>([
    [{ condition: 'result < ' }, 'condition', /at character 10/],
    [{ condition: 'requests < 1' }, 'condition', /Unknown variable: requests/],
    [{ source: { hub: { metric: 'share' } } }, 'source.hub.destination', /share of what/],
    [{ interval: '10ms' }, 'interval', /from 250ms to 24h/],
    [{ window: '1h' }, 'window', /from 1s to 15m/],
    [{ timeout: '0s' }, 'timeout', /from 1ms/],
    [{ source: { prometheus: { query: 'up' } }, window: '1m' }, 'window', /for hub metrics alone/],
    [{ source: { http: { url: 'https://user:word@shop.example/' } } }, 'source.http.url', /credentials/],
    [{ source: { http: { url: 'http://[::' } } }, 'source.http.url', /no URL/],
  ])('%j is refused at %s', (changes, field, message) => {
    const problems = checkProblems([{ ...HUB, ...changes }], ['checks']);
    expect(problems.map(({ steps, message: said }) => [steps.join('.'), said])).toEqual([
      [`checks.0.${field}`, expect.stringMatching(message)],
    ]);
  });

  test('needs a condition but for http, and a name of its own', () => {
    const { condition: _, ...bare } = HUB;
    expect(checkProblems([bare], [])).toEqual([expect.objectContaining({ steps: [0, 'condition'], code: 'FieldValueRequired' })]);
    expect(checkProblems([{ ...bare, source: { http: { url: 'https://shop.example/' } } }], [])).toEqual([]);
    expect(checkProblems([HUB, HUB], [])).toEqual([expect.objectContaining({ steps: [1, 'name'] })]);
    expect(
      checkProblems(
        Array.from({ length: 33 }, (_, index) => ({ ...HUB, name: `c${index}` })),
        [],
      ),
    ).toHaveLength(1);
  });
});

describe('a sample', () => {
  const http: CheckSpec = { name: 'shop', source: { http: { url: 'https://shop.example/', expectStatus: 204 } } };
  test.each<[CheckSpec, Measurement, CheckSample['outcome']]>([
    [HUB, { value: 0.001 }, 'passed'],
    [HUB, { value: 0.01 }, 'failed'],
    [HUB, { value: Number.POSITIVE_INFINITY }, 'failed'],
    [HUB, { value: Number.NaN }, 'noData'],
    [HUB, { noData: 'no requests' }, 'noData'],
    [HUB, { value: 0.001, partial: 'eu is silent' }, 'noData'],
    [HUB, { value: 0.1, partial: 'eu is silent' }, 'failed'],
    [HUB, { error: 'no answer' }, 'error'],
    [{ ...HUB, condition: '1 / int(result) > 0' }, { value: 0 }, 'error'],
    [http, { value: 204 }, 'passed'],
    [http, { value: 200 }, 'failed'],
    [{ ...http, condition: 'result > 300.0' }, { value: 204 }, 'failed'],
  ])('of %j with %j is %s', (spec, measured, outcome) => {
    expect(sampleOf(checkOf(spec), conditionOf(spec), measured, at)).toMatchObject({ at, outcome });
  });
});

describe('a verdict', () => {
  test.each<[Partial<CheckSpec>, readonly CheckSample['outcome'][], CheckState['verdict']]>([
    [{}, [], 'pending'],
    [{}, ['passed'], 'passed'],
    [{}, ['passed', 'failed'], 'pending'],
    [{}, ['failed', 'passed'], 'passed'],
    [{}, ['failed', 'passed', 'failed'], 'failed'],
    [{ failureLimit: 0 }, ['failed', 'passed'], 'failed'],
    [{}, ['passed', 'noData'], 'inconclusive'],
    [{}, ['noData', 'passed'], 'passed'],
    [{ onNoData: 'fail', failureLimit: 0 }, ['noData'], 'failed'],
    [{ onNoData: 'pass' }, ['noData'], 'passed'],
    [{}, ['passed', 'error', 'error', 'error', 'error'], 'pending'],
    [{}, ['error', 'error', 'error', 'error', 'error', 'passed'], 'error'],
    [{}, ['error', 'error', 'error', 'error', 'noData', 'error'], 'pending'],
  ])('of %j after %j is %s', (changes, outcomes, verdict) => {
    expect(run(checkOf({ ...HUB, ...changes }), outcomes).verdict).toBe(verdict);
  });

  const outcome = fc.constantFrom<CheckSample['outcome']>('passed', 'failed', 'noData', 'error');
  const spec = fc.record({
    failureLimit: fc.nat(3),
    consecutiveErrorLimit: fc.nat(3),
    onNoData: fc.constantFrom<Check['onNoData']>('inconclusive', 'fail', 'pass'),
  });

  test('passes by a good sample alone; what failed stays failed; no data is a success for nobody who did not say so', () => {
    fc.assert(
      fc.property(spec, fc.array(outcome, { maxLength: 30 }), (limits, outcomes) => {
        const check = checkOf({ ...HUB, ...limits });
        const means = (one: CheckSample['outcome']): string =>
          one !== 'noData' || limits.onNoData === 'inconclusive' ? one : limits.onNoData === 'fail' ? 'failed' : 'passed';
        const meant = outcomes.map(means);
        let state = unchecked(check);
        let isOver = false;
        for (const [index, one] of outcomes.entries()) {
          const next = afterSample(check, state, sample(one));
          const failures = meant.slice(0, index + 1).filter((word) => word === 'failed').length;
          const lastGood = meant.slice(0, index + 1).findLastIndex((word) => word !== 'error');
          if (isOver) expect(next.verdict).toBe(state.verdict);
          else if (failures > limits.failureLimit) expect(next.verdict).toBe('failed');
          else if (index - lastGood > limits.consecutiveErrorLimit) expect(next.verdict).toBe('error');
          else
            expect(next.verdict).toBe(
              { passed: 'passed', failed: 'pending', noData: 'inconclusive', error: 'pending' }[meant[index] ?? ''],
            );
          isOver ||= next.verdict === 'failed' || next.verdict === 'error';
          expect(next.samples.length).toBeLessThanOrEqual(SAMPLES_KEPT);
          expect([next.taken, next.failures]).toEqual([index + 1, failures]);
          state = next;
        }
      }),
    );
  });
});

describe('all checks together', () => {
  const state = (verdict: CheckState['verdict'], action: Check['action'] = 'abort'): CheckState => ({
    ...unchecked({ name: `${verdict}-${action}`, action }),
    verdict,
  });
  test.each<[readonly CheckState[], string]>([
    [[], 'proceed'],
    [[state('passed')], 'proceed'],
    [[state('passed'), state('pending')], 'wait'],
    [[state('pending'), state('inconclusive')], 'pause'],
    [[state('error')], 'pause'],
    [[state('failed', 'pause'), state('passed')], 'pause'],
    [[state('inconclusive'), state('failed')], 'abort'],
    [[state('failed', 'record'), state('error', 'record'), state('pending', 'record')], 'proceed'],
  ])('%j: %s', (states, decision) => {
    expect(decisionOf(states).decision).toBe(decision);
  });

  test('keep the newest samples and the first that failed, and count all', () => {
    const check = checkOf({ ...HUB, failureLimit: 5 });
    const good = { at, outcome: 'passed', value: 0 } as const;
    const bad = { at, outcome: 'failed', value: 1, message: 'the first' } as const;
    const told = [
      ...Array.from({ length: 30 }, () => good),
      bad,
      ...Array.from({ length: 300 }, () => good),
      { ...bad, message: 'the second' },
    ];
    const state = told.reduce((so, one) => afterSample(check, so, one), unchecked(check));
    expect(state).toMatchObject({ taken: 332, failures: 2 });
    expect(state.samples).toHaveLength(SAMPLES_KEPT);
    expect([state.samples[0]?.message, state.samples.at(-1)?.message]).toEqual(['the first', 'the second']);
  });
});
