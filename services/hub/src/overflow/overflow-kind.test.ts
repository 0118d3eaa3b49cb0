/** Whose load a policy is judged by: of the callers that obey it. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import { contextOf, measured, NOW } from '../drain/drain-fixture.ts';
import { memberOf, policyOf, statusOf } from '../fleet/fleet-fixture.ts';
import type { LearnedCapacity } from './learned-capacity.ts';
import { overflowKind } from './overflow-kind.ts';
import type { OverflowState } from './overflow-state.ts';

const MEMBERS = [memberOf('east'), memberOf('west')];
const SPEC: FailoverPolicySpec = { order: ['east', 'west'], services: ['reviews'], capacity: { clusters: { west: 120 } }, overflow: {} };
const OWN = policyOf('FailoverPolicy', 'order', SPEC);
const ADOPTED = policyOf('FailoverPolicy', 'order@east', SPEC, { 'hawser.dev/clusters': 'cluster=east' });

const traffic = measured(MEMBERS, [
  { from: 'east', to: 'west', perSecond: 100 },
  { from: 'west', to: 'west', perSecond: 50 },
]);

function loadOfWest(policy: Resource, resources: readonly Resource[]): number | undefined {
  const fleet = contextOf({ members: MEMBERS, resources });
  for (const { name } of MEMBERS) fleet.accounts.putStatus(name, statusOf(5), NOW);
  const evidence = overflowKind({ traffic: () => traffic }).evidence({ fleet, now: NOW, clock: 0 }, policy, undefined);
  const places = evidence.loads(NOW - 5_000, SPEC)?.services.get('reviews');
  return places?.find(({ place }) => place === 'cluster west')?.perSecond;
}

it.each<[string, Resource, Resource[], number | undefined]>([
  ['everybody where it goes everywhere', OWN, [OWN], 150],
  ['the callers of the cluster that owns it', ADOPTED, [ADOPTED], 100],
  ['the callers of the other clusters where one cluster has its own in its place', OWN, [OWN, ADOPTED], 50],
  ['nobody where it goes nowhere', policyOf('FailoverPolicy', 'order', SPEC, { 'hawser.dev/clusters': 'cluster=none' }), [], undefined],
])('is judged by the load of %s', (_name, policy, resources, perSecond) => {
  expect(loadOfWest(policy, resources)).toBe(perSecond);
});

it('tells what places bear as learned from everybody alone', () => {
  let learned: LearnedCapacity = new Map();
  const kind = overflowKind({ onLearned: (now) => (learned = now) });
  const state = (perSecond: number): OverflowState => ({
    ...{ phase: 'Watching', spills: {}, changedAt: 0, measureFrom: 0 },
    learned: { reviews: { 'cluster west': perSecond } },
  });
  kind.attend?.([{ resource: ADOPTED, state: state(100) }] as never);
  expect(learned.size).toBe(0);
  kind.attend?.([{ resource: OWN, state: state(150) }] as never);
  expect([...learned.values()]).toEqual([150]);
});
