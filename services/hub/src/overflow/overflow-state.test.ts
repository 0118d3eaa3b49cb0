/** Overflow of a policy over time: by loads that proxies report, and without. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import { type MeasuredTraffic, NO_TRAFFIC, type TrafficSums } from '@hawser/model/measured-traffic.ts';
import { describe, expect, it } from 'vitest';
import { memberOf } from '../fleet/fleet-fixture.ts';
import type { ClusterView } from '../fleet/fleet-state.ts';
import { measuredLoads } from './overflow-loads.ts';
import {
  advancedOverflow,
  type MeasuredPlace,
  type OverflowEvidence,
  type OverflowState,
  spillingForm,
  startedOverflow,
} from './overflow-state.ts';

const SPEC: FailoverPolicySpec = { order: ['a', 'b'], services: ['cart'], capacity: { regions: { a: 100, b: 300 } }, overflow: {} };
const START: OverflowState = { phase: 'Watching', spills: {}, learned: {}, changedAt: 0, measureFrom: 0 };

interface Seen {
  readonly a: number;
  readonly b?: number;
  readonly failing?: boolean;
  readonly isWhole?: boolean;
}

function evidence(clock: number, seen: Seen | undefined, isInForce = true): OverflowEvidence {
  const place = (name: string, perSecond: number, isFailing = false): MeasuredPlace => ({ place: `region ${name}`, perSecond, isFailing });
  const loads =
    seen === undefined
      ? undefined
      : { services: new Map([['cart', [place('a', seen.a, seen.failing), place('b', seen.b ?? 0)]]]), isWhole: seen.isWhole ?? true };
  return { now: clock, clock, isInForce, loads: () => loads };
}

const percentOf = (state: OverflowState): number => state.spills['cart']?.['region a']?.percent ?? 0;

describe('overflow', () => {
  it('is for policies that ask for it', () => {
    expect(startedOverflow({ order: ['a'] }, 5)).toBeUndefined();
    expect(startedOverflow(SPEC, 5)).toMatchObject({ phase: 'Watching', measureFrom: 5 });
    expect(
      advancedOverflow({ ...START, spills: { cart: { 'region a': { percent: 5, to: {} } } } }, { order: ['a'] }, evidence(1, undefined)),
    ).toMatchObject({
      ...{ phase: 'Ended', spills: {} },
    });
  });

  it('moves the excess, waits until proxies have that, looks again, and takes it back', () => {
    const spilling = advancedOverflow(START, SPEC, evidence(5_000, { a: 150 }));
    expect(percentOf(spilling)).toBeCloseTo(40, 0);
    expect(spilling).toMatchObject({ phase: 'Spilling', changedAt: 5_000, measureFrom: undefined });
    expect(spillingForm(SPEC, spilling)).toMatchObject({
      spill: [{ service: 'cart', from: { region: 'a' }, percent: 40, to: [{ region: 'b' }] }],
    });
    // What is measured before is not under it.
    expect(advancedOverflow(spilling, SPEC, evidence(6_000, { a: 150 }, false))).toBe(spilling);
    const settled = advancedOverflow(spilling, SPEC, evidence(6_000, { a: 150 }));
    expect(settled).toEqual({ ...spilling, measureFrom: 6_000 });
    expect(advancedOverflow(settled, SPEC, evidence(9_000, { a: 90, b: 60 }))).toBe(settled);
    const back = advancedOverflow(settled, SPEC, evidence(60_000, { a: 42, b: 28 }));
    expect(back).toMatchObject({ phase: 'Watching', spills: {} });
    expect(spillingForm(SPEC, back)).toBeUndefined();
  });

  it('keeps the last spill while loads are not known, and takes nothing back of what is known in part', () => {
    const spilling = { ...advancedOverflow(START, SPEC, evidence(5_000, { a: 150 })), measureFrom: 5_000 };
    expect(advancedOverflow(spilling, SPEC, evidence(60_000, undefined))).toBe(spilling);
    expect(advancedOverflow(spilling, SPEC, evidence(60_000, { a: 10, isWhole: false }))).toBe(spilling);
    expect(percentOf(advancedOverflow(spilling, SPEC, evidence(60_000, { a: 140, isWhole: false })))).toBeGreaterThan(50);
  });

  it('does not wait for ever for a proxy, nor for a clock that went back', () => {
    const spilling = advancedOverflow(START, SPEC, evidence(5_000, { a: 150 }));
    expect(advancedOverflow(spilling, SPEC, evidence(15_000, undefined, false)).measureFrom).toBe(15_000);
    expect(advancedOverflow({ ...START, measureFrom: 9_000 }, SPEC, evidence(1_000, { a: 150 })).measureFrom).toBe(1_000);
  });

  it('changes by stepPercent in a second', () => {
    const slow = { ...SPEC, overflow: { stepPercent: 3 } };
    expect(percentOf(advancedOverflow(START, slow, evidence(4_000, { a: 150 })))).toBe(12);
  });

  it('learns what a place answers well, and spills beyond it once it fails', () => {
    const spec: FailoverPolicySpec = { order: ['a', 'b'], services: ['cart'], capacity: { learned: true }, overflow: {} };
    const seen = advancedOverflow(START, spec, evidence(3_000, { a: 100, b: 10 }));
    expect(seen).toMatchObject({ phase: 'Watching', learned: { cart: { 'region a': 100, 'region b': 10 } } });
    expect(advancedOverflow(seen, spec, evidence(4_000, { a: 105, b: 10 }))).toBe(seen);
    const failing = advancedOverflow(seen, spec, evidence(8_000, { a: 150, b: 10, failing: true }));
    expect(percentOf(failing)).toBeCloseTo(40, 0);
    expect(failing.learned).toEqual(seen.learned);
  });
});

describe('loads', () => {
  const clusters = ['a', 'b'].map((name) => ({
    member: memberOf(name),
    shards: new Map([['shop/cart', { namespace: 'shop', service: 'cart', total: 1 }]]),
  }));
  const traffic = (seconds: Readonly<Record<string, number>>): MeasuredTraffic => {
    const sums = (attempts: number, failedAttempts: number): TrafficSums => ({
      ...{ ...NO_TRAFFIC, attempts, failedAttempts, inFlight: 0, seconds: 5 },
      sources: Object.entries(seconds).map(([cluster, known]) => ({ cluster, seconds: known, newestAt: 0, unreadProxies: 0 })),
    });
    const to = (name: string) => ({ cluster: name, region: memberOf(name).region, zone: '', version: '' });
    return {
      window: () => sums(0, 0),
      groups: () => [
        { source: 'a', service: 'shop/cart', destination: to('a'), sums: sums(500, 0) },
        { source: 'b', service: 'shop/cart', destination: to('b'), sums: sums(100, 50) },
      ],
      knownUntil: () => 20_000,
    } as unknown as MeasuredTraffic;
  };
  const asked = (since: number, away: readonly string[] = []) => ({
    ...{ namespace: 'shop', spec: { order: ['a'], capacity: { learned: true } }, since, away },
    ...{ clusters: clusters as unknown as readonly ClusterView[], callers: new Set(['a', 'b']) },
  });

  it('are those of whole seconds since the last change, by place', () => {
    expect(measuredLoads(traffic({ a: 5, b: 5 }), asked(0))).toEqual({
      isWhole: true,
      services: new Map([
        [
          'cart',
          [
            { place: 'cluster a', perSecond: 100, isFailing: false },
            { place: 'cluster b', perSecond: 20, isFailing: true },
          ],
        ],
      ]),
    });
    expect(measuredLoads(traffic({ a: 5, b: 5 }), asked(18_500))).toBeUndefined();
  });

  it('are not known while a cluster is silent, and not whole without those that are away', () => {
    expect(measuredLoads(traffic({ a: 5, b: 1 }), asked(0))).toBeUndefined();
    expect(measuredLoads(traffic({ a: 5, b: 1 }), asked(0, ['b']))?.isWhole).toBe(false);
  });
});
