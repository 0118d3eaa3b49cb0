import type { DrillSpec } from '@hawser/model/drill.ts';
import { describe, expect, it } from 'vitest';
import { proxyOf, shardOf, statusOf } from '../fleet/fleet-fixture.ts';
import { drillReadiness } from './drill-facts.ts';
import { capacityOf, type DrillWorldChanges, drillOf, drillWorldOf, NOW } from './drill-fixture.ts';
import { unprotected } from './drill-protections.ts';
import { ReadinessKeeper } from './readiness-keeper.ts';

const ENOUGH = capacityOf({ west: 1_000, north: 1_000 });
const GUARD: NonNullable<DrillSpec['guardrails']> = [
  { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.01' },
];
/** Agents of the fixture do not account for their roots. */
const UNTRUSTED = ['trust'];

function open(spec: Partial<DrillSpec> = {}, changes: DrillWorldChanges = { resources: [ENOUGH] }, world = drillWorldOf(changes)) {
  const { checks, ...view } = drillReadiness(drillOf(spec), world);
  return { ...view, checks, missing: checks.filter(({ ready }) => !ready).map(({ name }) => name) };
}
const said = (of: ReturnType<typeof open>, name: string) => of.checks.find((check) => check.name === name)?.message;

describe('the readiness of a drill', () => {
  it('is every check with what was found', () => {
    const found = open();
    expect(found).toMatchObject({ drill: 'lose-east', state: 'NeedsAttention', checkedAt: '2026-11-23T10:00:00.000Z', missing: UNTRUSTED });
    expect(found.checks.map(({ name }) => name)).toEqual([
      ...['rules', 'agents', 'agent-lag', 'synced-proxies', 'healthy-endpoints', 'trust'],
      ...['fault-reach', 'outlier-detection', 'retries', 'guardrails', 'schedule'],
    ]);
    expect(said(found, 'trust')).toContain('has not said what its roots are');
    expect(said(found, 'healthy-endpoints')).toBe('2 of 2 endpoints are healthy where the requests would go');
  });

  it('is ready where a hub loss finds every agent and proxy in order', () => {
    expect(open({ scenario: { type: 'hubLoss' } })).toMatchObject({ state: 'Ready', missing: [] });
  });

  it('names the agents, proxies and endpoints that are not as they must be', () => {
    const world = drillWorldOf({
      resources: [ENOUGH],
      silent: ['north'],
      shards: { 'east reviews': ['HEALTHY'], 'west reviews': ['HEALTHY', 'UNHEALTHY'], 'north reviews': ['HEALTHY'] },
    });
    world.context.accounts.putStatus('west', statusOf(3, [proxyOf('one', 3, 'refused'), proxyOf('two', 3)]), NOW - 45_000);
    const found = open({}, {}, world);
    expect(found.missing).toEqual(['agents', 'agent-lag', 'synced-proxies', 'healthy-endpoints', 'trust']);
    expect(said(found, 'agents')).toBe('nothing was heard of the agent of north');
    expect(said(found, 'agent-lag')).toMatch(/west does not serve what was written .*; at most 30 s is allowed/);
    expect(said(found, 'synced-proxies')).toBe('2 of 3 proxies have everything (not all of west); 99 % must: hawser proxy-status');
    expect(said(found, 'healthy-endpoints')).toBe('healthy are 1 of 2 of bookinfo/reviews in west; 80 % must be');
  });

  it('repeats the rules that refuse it, but for a freeze that its schedule may outlast', () => {
    const freeze = { kind: 'Freeze', metadata: { name: 'today' }, spec: { reason: 'x', until: '2026-11-23T20:00:00Z' } };
    const daily = { schedule: { cron: '0 12 * * *' } };
    expect(said(open({}, { resources: [freeze] }), 'rules')).toMatch(/^headroom: .*; freeze\/today: /);
    const scheduled = open(daily, { resources: [ENOUGH, freeze] });
    expect([scheduled.missing, scheduled.nextStartAt]).toEqual([UNTRUSTED, '2026-11-24T12:00:00.000Z']);
    const { until: _, ...forEver } = freeze.spec;
    expect(said(open(daily, { resources: [ENOUGH, { ...freeze, spec: forEver }] }), 'schedule')).toContain('has no start');
  });

  it('names services that a fault of requests does nothing to', () => {
    const world = drillWorldOf({ resources: [ENOUGH] });
    const found = (fault: 'delay' | 'drop') => open({ scenario: { type: 'regionLoss', from: { region: 'east' }, fault } }, {}, world);
    expect(said(found('delay'), 'fault-reach')).toBe('the proxies of its services can delay');
    const shard = shardOf('east', 'reviews', ['HEALTHY']);
    world.context.fleet.putShard('east', { ...shard, ports: shard.ports.map((port) => ({ ...port, protocol: 'tcp' })) });
    expect(found('delay').missing).toContain('fault-reach');
    expect(said(found('delay'), 'fault-reach')).toMatch(/^bookinfo\/reviews has no HTTP port, and fault delay does nothing/);
    expect(found('drop').missing).toEqual(UNTRUSTED);
  });

  it('asks a live drill for guardrails', () => {
    expect(open({ mode: 'live' }).missing).toEqual([...UNTRUSTED, 'guardrails']);
    expect(open({ mode: 'live', guardrails: GUARD }).missing).toEqual(UNTRUSTED);
  });
});

describe('what keeps callers from turning away', () => {
  const refused = { type: 'regionLoss', from: { region: 'east' } } as const;
  const rule = (kind: string, spec: object) => ({ apiVersion: '', kind, metadata: { name: 'x', namespace: 'bookinfo' }, spec });
  const found = (kind: string, spec: object, scenario: DrillSpec['scenario'] = refused) =>
    unprotected(['bookinfo/reviews'], scenario, [rule(kind, spec)]).map(({ name, message }) => `${name}: ${message}`);
  const off = (outlierDetection: object, host = 'reviews') => ({ host, trafficPolicy: { outlierDetection } });

  it.each([
    ['connections are not counted', off({ consecutiveLocalOriginFailures: 0 }), refused, 'consecutiveLocalOriginFailures is 0'],
    ['nobody may be ejected', off({ maxEjectionPercent: 0 }, '*'), refused, 'maxEjectionPercent is 0'],
    ['answers are not counted', off({ consecutiveGatewayErrors: 0 }), { ...refused, fault: 'error' }, 'consecutiveGatewayErrors is 0'],
    [
      'connections count as answers, which are not counted',
      off({ splitExternalLocalOriginErrors: false, consecutiveGatewayErrors: 0 }),
      refused,
      'consecutiveGatewayErrors is 0',
    ],
  ] as const)('is a DestinationRule by which %s', (_, spec, scenario, field) => {
    expect(found('DestinationRule', spec, scenario)).toEqual([
      expect.stringContaining(`bookinfo/x spec.trafficPolicy.outlierDetection.${field}`),
    ]);
  });

  it('is none that is for others, or leaves alone what the fault is counted by', () => {
    expect(found('DestinationRule', off({ consecutiveGatewayErrors: 0 }))).toEqual([]);
    expect(found('DestinationRule', off({ consecutiveLocalOriginFailures: 0 }, 'ratings'))).toEqual([]);
    expect(
      found('DestinationRule', { host: 'reviews', subsets: [{ name: 'v1', trafficPolicy: off({ maxEjectionPercent: 0 }).trafficPolicy }] }),
    ).toEqual([expect.stringContaining('spec.subsets[0].trafficPolicy.outlierDetection')]);
  });

  it('is a route without retries, or with no time for them', () => {
    const route = (more: object) => ({ hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }], ...more }] });
    expect(found('VirtualService', route({ retries: { attempts: 0 } }))).toEqual([
      expect.stringContaining('spec.http[0].retries.attempts is 0'),
    ]);
    expect(found('VirtualService', route({ retries: { retryRemoteLocalities: false } }))).toEqual([
      expect.stringContaining('in the same place'),
    ]);
    expect(found('VirtualService', route({ timeout: '2s', retries: { perTryTimeout: '2s' } }))).toEqual([
      expect.stringContaining('no time is left'),
    ]);
    expect(found('VirtualService', route({ retries: { attempts: 3 } }))).toEqual([]);
  });

  it('is a status that is taken for an answer', () => {
    expect(unprotected([], { ...refused, fault: 'error', status: 500 }, [])).toHaveLength(1);
    expect(unprotected([], { ...refused, fault: 'error' }, [])).toEqual([]);
  });
});

describe('what is kept of readiness', () => {
  it('is looked at when it is saved, soon when it needs attention, and later when it is ready', () => {
    const clock = { now: 0 };
    const world = drillWorldOf({ resources: [ENOUGH, drillOf(), drillOf({ scenario: { type: 'hubLoss' } }, 'no-hub')] });
    const keeper = new ReadinessKeeper(world, () => clock.now);
    const states = () => keeper.all().map(({ drill, state }) => [drill, state]);
    expect(keeper.look()).toBe(true);
    expect(keeper.look()).toBe(false);
    expect(states()).toEqual([
      ['lose-east', 'NeedsAttention'],
      ['no-hub', 'Ready'],
    ]);
    const [first, second] = [keeper.of(drillOf()), keeper.of(drillOf({}, 'no-hub'))];
    clock.now = 61_000;
    keeper.look();
    expect(keeper.of(drillOf())).not.toBe(first);
    expect(keeper.of(drillOf({}, 'no-hub'))).toBe(second);
    clock.now += 30 * 60_000;
    while (keeper.look());
    expect(keeper.of(drillOf({}, 'no-hub'))).not.toBe(second);
    const saved = drillOf();
    expect(keeper.of({ ...saved, metadata: { ...saved.metadata, resourceVersion: '4' } })).toBeUndefined();
  });
});
