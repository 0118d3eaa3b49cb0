/** Whether what was drained by a drill may get its traffic again: by what is known of it, and with the run's own form left out. */
import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import { borneKey } from '../drain/drain-forecast.ts';
import { capacityOf, type DrillWorldChanges, drillOf, drillWorldOf } from './drill-fixture.ts';
import type { DrillState } from './drill-state.ts';
import { returnRefusal } from './run-return.ts';

const REVIEWS = 'bookinfo/reviews';
const DRAINED = { scope: { region: 'east' }, services: { names: [REVIEWS] }, percent: 100 };
const run = (overrides: readonly string[] = []): Resource & { inForce: unknown } => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name: 'run', creationTimestamp: '2026-11-23T09:00:00Z' } },
  spec: {
    drill: 'leave',
    trigger: 'manual',
    mode: 'live',
    overrides,
    plan: drillOf({ scenario: { type: 'drain', from: { region: 'east' } } }).spec,
  },
  inForce: { run: 'run', lease: '15s', divert: DRAINED },
});

function refusedBy(baseline: number | undefined, changes: DrillWorldChanges = {}, overrides: readonly string[] = []): string | undefined {
  const resources = [capacityOf({ west: 1_000, north: 1_000 }), run()];
  const world = drillWorldOf({ resources, rates: { 'east reviews west': 80, 'west reviews west': 100 }, ...changes });
  const borne = baseline === undefined ? {} : { [borneKey(REVIEWS, 'east')]: baseline };
  const state = { phase: 'Holding', step: 2, services: [REVIEWS], clusters: ['east'], baseline: borne } as unknown as DrillState;
  return returnRefusal(run(overrides), state, world)?.rule;
}

it('asks whether the place bears what it gets again, by what it bore when it was left', () => {
  expect(refusedBy(80)).toBeUndefined();
  expect(refusedBy(20)).toBe('headroom');
  expect(refusedBy(undefined)).toBe('headroom');
  expect(refusedBy(undefined, {}, ['headroom'])).toBeUndefined();
});

it('asks whether it is healthy', () => {
  const shards = { 'east reviews': ['HEALTHY', 'UNHEALTHY'], 'west reviews': ['HEALTHY'], 'north reviews': ['HEALTHY'] } as const;
  expect(refusedBy(80, { shards })).toBe('readiness');
  expect(refusedBy(80, { shards }, ['readiness'])).toBeUndefined();
});
