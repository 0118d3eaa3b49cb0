import { resolvedCourse } from '@hawser/model/drain-course.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { policyOf, statusOf } from '../fleet/fleet-fixture.ts';
import { contextOf, drainOf, type FleetGiven, MEMBERS, measured, NOW, REVIEWS } from './drain-fixture.ts';
import { JudgedDrain } from './drain-judge.ts';
import { type DrainState, started } from './drain-state.ts';

const ROOM = policyOf('FailoverPolicy', 'order', {
  order: ['us-east', 'us-west', 'eu-west'],
  capacity: { regions: { 'us-east': 400, 'us-west': 400, 'eu-west': 400 } },
});
const EAST = { scope: { region: 'us-east' } };
const traffic = measured(MEMBERS, [{ from: 'east-1', to: 'east-1', perSecond: 60 }]);

interface Given extends Partial<FleetGiven> {
  readonly drain?: Resource;
  readonly state?: Partial<DrainState>;
  readonly context?: (context: FleetContext) => FleetContext;
  readonly measured?: typeof traffic | undefined;
}

function judged({ drain = drainOf('east', EAST), state, context: changed = (same) => same, ...given }: Given = {}): JudgedDrain {
  const resources = given.resources ?? [ROOM, drain];
  const context = changed(contextOf({ members: MEMBERS, ...given, resources }));
  const parts = { traffic: () => ('measured' in given ? given.measured : traffic) };
  const at = { fleet: context, now: NOW, clock: 60_000 };
  const first = new JudgedDrain(at, drain, { state: undefined, parts });
  const begun = started(
    resolvedCourse({}),
    { ...calm(first), ...{ residual: { kind: 'idle' }, ahead: { kind: 'idle' }, idleStages: new Set() } },
    'me',
  );
  return new JudgedDrain(at, drain, { state: state === undefined ? undefined : { ...begun, ...state }, parts });
}

function calm(drain: JudgedDrain) {
  const { now, baseline } = drain;
  const rollout = { complete: true, expected: 1, acked: 1, waitingFor: [], disconnected: [] };
  return { now, baseline, rollout, clock: 0, leaving: undefined, returning: undefined, preemptedBy: undefined, scopeGone: undefined };
}

const unread = (context: FleetContext): FleetContext => ({ ...context, distribution: { ...context.distribution, desired: undefined } });
const told = (context: FleetContext, ...clusters: readonly string[]): FleetContext => {
  for (const cluster of clusters) context.accounts.putStatus({ cluster, replica: 'a' }, statusOf(5), NOW - 5_000);
  return context;
};

describe('the evidence of a drain', () => {
  it('has what its place bears', () => {
    expect(judged().baseline).toEqual({ [`${REVIEWS} east-1`]: 60 });
    expect(judged({ measured: undefined }).baseline).toEqual({});
  });

  it('does not take silence of all agents for their word', () => {
    const { rollout } = judged({ state: {} });
    expect(rollout).toMatchObject({ complete: false, waitingFor: ['east-1', 'east-2', 'us-west', 'eu-west'] });
    const some = judged({ state: {}, context: (context) => told(context, 'us-west') }).rollout;
    expect(some).toMatchObject({ complete: true, waitingFor: [], disconnected: ['east-1', 'east-2', 'eu-west'] });
    const all = judged({ state: {}, context: (context) => told(context, ...MEMBERS.map(({ name }) => name)) }).rollout;
    expect(all).toMatchObject({ complete: true, waitingFor: [], disconnected: [] });
  });

  it('says nothing of what the hub has not read', () => {
    const { leaving, returning, scopeGone, preemptedBy } = judged({ state: {}, context: unread });
    expect([leaving?.rule, returning?.rule, scopeGone, preemptedBy]).toEqual(['desired-state', 'desired-state', undefined, undefined]);
  });

  it('ends when there is nothing to drain any more', () => {
    expect(judged().scopeGone).toBeUndefined();
    expect(judged({ drain: drainOf('mars', { scope: { region: 'mars' } }) }).scopeGone).toMatch(/^there is no region mars/);
  });
});

describe('leaving', () => {
  it('is refused by the first rule that is against it', () => {
    const rule = (given: Given): string | undefined => judged(given).leaving?.rule;
    expect(rule({})).toBeUndefined();
    expect(rule({ resources: [] })).toBe('headroom');
    expect(rule({ measured: undefined })).toBe('headroom');
    expect(rule({ serving: { 'east-1': { reviews: ['HEALTHY'] } } })).toBe('healthy-endpoints');
    const freeze: Resource = {
      ...policyOf('Freeze', 'all', { reason: 'holidays', until: '2030-01-01T00:00:00Z' }),
      metadata: { name: 'all' },
    };
    expect(rule({ resources: [ROOM, freeze] })).toBe('freeze/all');
    const west = drainOf('west', { scope: { region: 'us-west' } }, 100);
    const europe = drainOf('europe', { scope: { region: 'eu-west' } }, 10);
    expect(rule({ resources: [ROOM, west, europe] })).toBe('minimum-regions');
    expect(rule({ resources: [ROOM, drainOf('part', { scope: { cluster: 'east-2' } }, 10)] })).toBe('no-overlap');
  });

  it('does not ask for headroom in an emergency, or where that is overridden', () => {
    for (const spec of [{ urgency: 'emergency' }, { overrideSafetyRules: ['headroom'] }])
      expect(judged({ drain: drainOf('east', { ...EAST, ...spec }), resources: [], measured: undefined }).leaving).toBeUndefined();
  });

  it('asks for the room of the next step alone, once it is on its way', () => {
    const tight = policyOf('FailoverPolicy', 'order', {
      order: ['us-east', 'us-west'],
      capacity: { regions: { 'us-east': 100, 'us-west': 40 } },
    });
    // Of 60 requests/s those of one step are 15, of the next 30, of the last 60; 32 may be used.
    const drain = drainOf(
      'east',
      { ...EAST, destinations: [{ region: 'us-west' }], steps: [{ percent: 25 }, { percent: 50 }, { percent: 100 }] },
      25,
    );
    const at = (step: number, percent: number): string | undefined =>
      judged({ drain, resources: [tight, { ...drain, inForce: { ...(drain.spec as object), percent } }], state: { step, percent } }).leaving
        ?.rule;
    expect([at(0, 25), at(1, 50)]).toEqual([undefined, 'headroom']);
  });
});

describe('returning', () => {
  const inForce = drainOf('east', EAST, 100);
  const rule = (given: Given): string | undefined =>
    judged({ drain: inForce, state: { phase: 'Drained', percent: 100, step: 3 }, ...given }).returning?.message;

  it('needs a cluster that speaks, and endpoints that are healthy', () => {
    expect(rule({})).toBeUndefined();
    expect(rule({ silent: ['east-2'] })).toBe('nothing was heard of east-2 lately');
    const serving = (...health: readonly ('HEALTHY' | 'UNHEALTHY' | 'DRAINING')[]) => ({
      ...{ 'east-1': { reviews: health }, 'us-west': { reviews: ['HEALTHY'] as const } },
    });
    expect(rule({ serving: serving('HEALTHY', 'HEALTHY', 'HEALTHY', 'HEALTHY', 'UNHEALTHY') })).toBeUndefined();
    expect(rule({ serving: serving('HEALTHY', 'HEALTHY', 'UNHEALTHY') })).toBe(
      '2 of 3 endpoints of bookinfo/reviews in east-1 are healthy, 80 % must be',
    );
    expect(rule({ serving: serving('HEALTHY', 'DRAINING') })).toBeUndefined();
  });

  it('needs room where it comes back to: what it bore when it was left counts as such', () => {
    const load = measured(MEMBERS, [{ from: 'east-1', to: 'us-west', perSecond: 60 }]);
    const undeclared = { resources: [inForce], measured: load };
    const of = (baseline: Readonly<Record<string, number>>): string | undefined =>
      judged({ drain: inForce, state: { phase: 'Restoring', percent: 100, step: -1, baseline }, ...undeclared }).returning?.rule;
    expect(of({})).toBe('headroom');
    expect(of({ [`${REVIEWS} east-1`]: 60, [`${REVIEWS} east-2`]: 60 })).toBeUndefined();
  });
});

describe('an emergency', () => {
  const preemptedBy = (...resources: readonly Resource[]): string | undefined => judged({ state: {}, resources }).preemptedBy;
  const fire = (spec: object, percent = 100): Resource => drainOf('fire', { urgency: 'emergency', ...spec }, percent);

  it('of the same place takes the place of a graceful one, once it is in force', () => {
    expect(preemptedBy(fire({ scope: { cluster: 'east-1' } }))).toBe('fire');
    expect(preemptedBy(fire({ scope: { cluster: 'east-1' } }, 0))).toBeUndefined();
    expect(preemptedBy(fire({ scope: { cluster: 'us-west' } }))).toBeUndefined();
    expect(preemptedBy(drainOf('fire', { scope: { cluster: 'east-1' } }, 100))).toBeUndefined();
  });

  it('is not preempted by another', () => {
    const own = drainOf('east', { ...EAST, urgency: 'emergency' });
    expect(judged({ drain: own, state: {}, resources: [fire({ scope: { cluster: 'east-1' } })] }).preemptedBy).toBeUndefined();
  });
});
