/** How results of probes become readiness. */
import { describe, expect, it } from 'vitest';
import { planOf, UNDECIDED, withResult } from './readiness.ts';

/** What is known after each result: `+` success, `-` failure. */
function decided(results: string, probe: Parameters<typeof planOf>[0] = {}): (boolean | undefined)[] {
  let known = UNDECIDED;
  return [...results].map((result) => {
    known = withResult(known, result === '+', planOf(probe));
    return known.ready;
  });
}

describe('readiness', () => {
  it('takes one success and three failures in a row unless told otherwise', () => {
    expect(decided('+--+---+')).toEqual([true, true, true, true, true, true, false, true]);
  });

  it('is not decided before a threshold is reached', () => {
    expect(decided('--+')).toEqual([undefined, undefined, true]);
    expect(decided('---')).toEqual([undefined, undefined, false]);
  });

  it('takes as many of each as the probe says', () => {
    expect(decided('++-++', { successThreshold: 2, failureThreshold: 1 })).toEqual([undefined, true, false, false, true]);
  });
});

describe('the plan of a probe', () => {
  it('has the defaults of Kubernetes, for 0 too', () => {
    const defaults = { delayMs: 0, periodMs: 10_000, timeoutMs: 1000, successes: 1, failures: 3 };
    expect(planOf({})).toEqual(defaults);
    expect(planOf({ initialDelaySeconds: 0, periodSeconds: 0, timeoutSeconds: 0, successThreshold: 0, failureThreshold: 0 })).toEqual(
      defaults,
    );
  });

  it('is what the probe says', () => {
    const probe = { initialDelaySeconds: 5, periodSeconds: 2, timeoutSeconds: 3, successThreshold: 4, failureThreshold: 6 };
    expect(planOf(probe)).toEqual({ delayMs: 5000, periodMs: 2000, timeoutMs: 3000, successes: 4, failures: 6 });
  });
});
