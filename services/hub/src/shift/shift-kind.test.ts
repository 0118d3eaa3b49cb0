/** Shifts on a real PostgreSQL, by agents that answer and traffic that is measured: through refusals, changes of leader in every step, and back. */
import { type MeasuredTraffic, NO_TRAFFIC, type TrafficSums } from '@hawser/model/measured-traffic.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, shardOf } from '../fleet/fleet-fixture.ts';
import type { FleetState } from '../fleet/fleet-state.ts';
import { type LedHub, startLedHub } from '../operations/led-hub-fixture.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { shiftKind } from './shift-kind.ts';

const PATH = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/trafficshifts';
const MEMBERS = [memberOf('east'), memberOf('west')];
const RULE = {
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: { host: 'reviews', subsets: ['v1', 'v2', 'v3'].map((name) => ({ name, labels: { version: name } })) },
};
const STEPS = [{ setWeights: { stable: 90, canary: 10 } }, { pause: {} }, { approval: {} }, { setWeights: { canary: 100 } }];
const shiftOf = (spec: object = {}, name = 'reviews') => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name } },
  spec: {
    services: ['reviews'],
    destinations: [
      { name: 'stable', subset: 'v1' },
      { name: 'canary', subset: 'v2' },
    ],
    steps: STEPS,
    ...spec,
  },
});
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('a shift in the hub', { timeout: 120_000 }, () => {
  let dsn: string;
  let led: LedHub;
  let hub: TestHub;

  beforeEach(async () => {
    dsn = await postgres.database();
    const fill = (fleet: FleetState): void => {
      for (const [cluster, version] of [
        ['east', 'v1'],
        ['west', 'v2'],
      ] as const) {
        const shard = shardOf(cluster, 'reviews', ['HEALTHY']);
        fleet.putShard(cluster, { ...shard, endpoints: shard.endpoints.map((endpoint) => ({ ...endpoint, labels: { version } })) });
        fleet.heard(cluster, Date.now());
      }
    };
    led = await startLedHub({ dsn, members: MEMBERS, fill, kinds: (context) => [kindOf(context)] });
    hub = led.hub;
    return () => led.stop();
  });

  const apply = async (...resources: readonly object[]): Promise<unknown> =>
    (await hub.call('POST', '/hawser/v1/apply', { resources, allowUnresolved: true })).body;
  const statusOf = async (): Promise<Record<string, unknown>> =>
    (await hub.call('GET', `${PATH}/reviews`)).body.status as unknown as Record<string, unknown>;
  const comesTo = async (wanted: Record<string, unknown>): Promise<void> => {
    const look = async (): Promise<Record<string, unknown>> => {
      await led.answer();
      return await statusOf();
    };
    await expect.poll(look, { timeout: 30_000, interval: 100 }).toMatchObject(wanted);
  };
  const tell = (command: string): ReturnType<TestHub['call']> => hub.call('POST', `${PATH}/reviews/${command}`);
  const formOf = async (): Promise<TrafficShiftSpec['subsets']> => {
    const { resources } = await createReadModel(led.database).snapshot();
    return (resources.find(({ kind }) => kind === 'TrafficShift')?.inForce as TrafficShiftSpec | undefined)?.subsets;
  };

  it('goes on where it was under another leader in every step, and back', async () => {
    expect(await apply(RULE, shiftOf())).toMatchObject({ results: [{ action: 'created' }, { action: 'created' }] });
    expect(await formOf()).toEqual({ v1: 100, v2: 0 });
    await led.lead();
    await comesTo({
      phase: 'Paused',
      pausedBy: 'step',
      stepIndex: 1,
      weights: [{ name: 'stable', desired: 90, acked: 90 }, { name: 'canary' }],
    });
    await led.lead();
    expect((await tell('approve')).body.message).toMatch(/waits for no approval/);
    expect((await tell('promote')).body.status).toMatchObject({ phase: 'AwaitingApproval' });
    await led.lead();
    expect((await tell('promote')).body.message).toMatch(/waits for an approval, by another than who asked/);
    expect((await tell('approve')).body.message).toMatch(/asked for it: another approves/);
    const { token } = (await hub.call('POST', '/hawser/v1/tokens', { name: 'second', role: 'approver' })).body as { token?: string };
    const url = `${PATH}/reviews/approve`;
    const approved = await hub.core.app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${token}` } });
    expect(approved.statusCode).toBe(200);
    await comesTo({ phase: 'Done', stepIndex: 4, approvals: [{ step: 2 }] });
    expect(await formOf()).toEqual({ v1: 0, v2: 100 });
    await led.lead();
    expect((await tell('abort')).body.status).toMatchObject({ phase: 'RollingBack' });
    expect(await formOf()).toEqual({ v1: 100, v2: 0 });
    await led.lead();
    await comesTo({
      phase: 'RolledBack',
      weights: [
        { name: 'stable', desired: 100, acked: 100 },
        { name: 'canary', desired: 0 },
      ],
    });
    expect(await querySql(dsn, 'SELECT count(*)::int AS n FROM operations')).toEqual([{ n: 1 }]);
    expect((await tell('retry')).body.status).toMatchObject({ phase: 'Progressing', stepIndex: 0 });
    await comesTo({ phase: 'Paused', pausedBy: 'step', stepIndex: 1 });
    // What changes what is in force must wait; what says how carefully, need not.
    await apply(shiftOf({ suspend: true }));
    expect(await apply(shiftOf({ steps: STEPS.slice(0, 1) }))).toMatchObject({
      results: [{ action: 'refused', error: { message: expect.stringMatching(/spec\.steps.*rule shift-under-way/) } }],
    });
    await led.answer();
    expect((await hub.call('DELETE', `${PATH}/reviews`)).code).toBe(200);
    expect(await formOf()).toBeUndefined();
  });

  it('is refused with the name of the rule that is against it', async () => {
    await apply(RULE);
    await led.answer();
    const refused = async (message: RegExp, ...resources: readonly object[]): Promise<void> => {
      const { results } = (await apply(...resources)) as { results: { error?: { message: string } }[] };
      expect(results.at(-1)?.error?.message).toMatch(message);
    };
    const nowhere = [
      { name: 'stable', subset: 'v1' },
      { name: 'canary', subset: 'v3' },
    ];
    await refused(/spec\.destinations\[1\].*rule destination-without-endpoints/, shiftOf({ destinations: nowhere }));
    await refused(/every minute is no cron expression/, shiftOf({ schedule: { cron: 'every minute' } }));
    await refused(/Mars\/Base is no time zone/, shiftOf({ schedule: { cron: '0 8 * * *', timeZone: 'Mars/Base' } }));
    await refused(/which the TrafficShift reviews moves.*rule overlapping-shifts/, shiftOf(), shiftOf({}, 'other'));
    await refused(/rule overlapping-shifts/, shiftOf({}, 'third'));
    const freeze = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Freeze', metadata: { name: 'night' }, spec: { reason: 'christmas' } };
    await hub.call('DELETE', `${PATH}/reviews`);
    expect((await hub.call('POST', '/apis/hawser.dev/v1alpha1/freezes', freeze)).code).toBe(201);
    await led.answer();
    await refused(/christmas.*rule freeze\/night/, shiftOf());
    expect(await apply(shiftOf({ overrideSafetyRules: ['freeze/night'] }))).toMatchObject({ results: [{ action: 'created' }] });
    await led.lead();
    await comesTo({ phase: 'Paused', pausedBy: 'step' });
    const told = await querySql(dsn, "SELECT reason FROM audit WHERE kind = 'Operation' AND reason LIKE '%in spite of%'");
    expect(told[0]).toEqual({ reason: 'in spite of freeze/night' });
  });
});

/** Callers of both clusters send what the form in force says. */
function kindOf(context: FleetContext): OperationKind {
  const sums = (requests: number): TrafficSums => ({
    ...{ ...NO_TRAFFIC, requests, inFlight: 0, seconds: 10 },
    sources: MEMBERS.map(({ name }) => ({ cluster: name, seconds: 10, newestAt: Date.now(), unreadProxies: 0 })),
  });
  const inForce = (): TrafficShiftSpec['subsets'] =>
    (context.distribution.desired?.resources.find(({ kind }) => kind === 'TrafficShift')?.inForce as TrafficShiftSpec | undefined)?.subsets;
  const traffic: MeasuredTraffic = {
    window: () => sums(1_000),
    groups: () =>
      Object.entries(inForce() ?? {}).map(([version, share]) => ({
        ...{ source: '', service: '', destination: { cluster: '', region: '', zone: '', version } },
        sums: sums(share * 10),
      })),
    ...{ shares: () => [], load: () => [], services: () => [], newestAt: () => Date.now() },
    knownUntil: () => Date.now() + 2_000,
  };
  return shiftKind({ context, traffic: () => traffic });
}
