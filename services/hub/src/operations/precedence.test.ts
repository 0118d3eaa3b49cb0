/** What goes before what, on a real PostgreSQL: an emergency drain refuses a shift by hand by its name, and puts a scheduled one off without losing it. */
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { drainKind } from '../drain/drain-kind.ts';
import { DrainAccounts } from '../drain/drain-metrics.ts';
import { drainMoves } from '../drain/drain-world.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, shardOf } from '../fleet/fleet-fixture.ts';
import type { FleetState } from '../fleet/fleet-state.ts';
import { shiftKind } from '../shift/shift-kind.ts';
import { type LedHub, startLedHub } from './led-hub-fixture.ts';
import type { OperationKind } from './operation-kind.ts';

const HAWSER = '/apis/hawser.dev/v1alpha1';
const SHIFTS = `${HAWSER}/namespaces/bookinfo/trafficshifts`;
const MEMBERS = [memberOf('east'), memberOf('west')];
const UNMEASURED: () => MeasuredTraffic | undefined = () => undefined;
const FIRE = {
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: 'fire' } },
  spec: {
    ...{ scope: { region: 'east' }, reason: 'a fire', urgency: 'emergency', overrideSafetyRules: ['headroom', 'observation'] },
    restore: { steps: [{ percent: 100, hold: '0s' }], requireReadiness: false },
  },
};
const shiftOf = (spec: object = {}) => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: {
    services: ['reviews'],
    destinations: ['east', 'west'].map((region) => ({ name: region, region })),
    steps: [{ setWeights: { east: 50, west: 50 } }],
    advance: { observed: { minRequests: 0 } },
    ...spec,
  },
});
let postgres: TestPostgres;
let led: LedHub;
let dsn: string;
let fleet: FleetState;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const fill = (given: FleetState): void => {
    fleet = given;
    for (const { name } of MEMBERS) fleet.putShard(name, shardOf(name, 'reviews', ['HEALTHY']));
  };
  const kinds = (context: FleetContext): OperationKind[] => [
    drainKind({ context, drains: new DrainAccounts(), traffic: UNMEASURED }) as OperationKind,
    shiftKind({ context, traffic: UNMEASURED, moves: { underWay: () => drainMoves(context) } }) as OperationKind,
  ];
  dsn = await postgres.database();
  led = await startLedHub({ dsn, members: MEMBERS, fill, kinds });
  await led.answer();
  await led.lead();
}, 60_000);
afterAll(async () => {
  await led.stop();
  await postgres.stop();
});

describe('an emergency drain', { timeout: 120_000 }, () => {
  const comesTo = async (path: string, wanted: Record<string, unknown>): Promise<void> => {
    const look = async (): Promise<unknown> => {
      await led.answer();
      return (await led.hub.call('GET', path)).body.status;
    };
    await expect.poll(look, { timeout: 30_000, interval: 100 }).toMatchObject(wanted);
  };
  /** Why it is refused; empty when it is taken. No cluster has joined here. */
  const refusal = async (shift: object): Promise<string> => {
    const { body } = await led.hub.call('POST', '/hawser/v1/apply', { resources: [shift], allowUnresolved: true });
    return (body as { results?: readonly { error?: { message: string } }[] }).results?.[0]?.error?.message ?? '';
  };

  it('keeps a shift by hand from being begun, by its name', async () => {
    for (const { name } of MEMBERS) fleet.heard(name, Date.now());
    expect((await led.hub.call('POST', `${HAWSER}/drains`, FIRE)).code).toBe(201);
    await comesTo(`${HAWSER}/drains/fire`, { phase: 'Drained', percent: 100 });
    expect(await refusal(shiftOf())).toMatch(/Drain\/\/fire, an emergency, moves the same traffic: .*\(rule emergency\)/);
  });

  it('puts a scheduled one off, which begins by itself when it has ended', async () => {
    expect(await refusal(shiftOf({ schedule: { cron: '0 0 1 1 *' } }))).toBe('');
    await comesTo(`${SHIFTS}/reviews`, { phase: 'Pending', weights: [{ desired: 100 }, { desired: 0 }] });
    // Its time has come.
    await led.depose();
    const come = `jsonb_set(state, '{startsAt}', to_jsonb(${Date.now() - 1_000}))`;
    await querySql(dsn, `UPDATE operations SET state = ${come} WHERE kind = 'TrafficShift'`);
    await led.lead();
    await comesTo(`${SHIFTS}/reviews`, { phase: 'Pending', message: expect.stringMatching(/^put off: Drain\/\/fire, an emergency/) });
    expect((await led.hub.call('POST', `${HAWSER}/drains/fire/restore`)).code).toBe(200);
    await comesTo(`${HAWSER}/drains/fire`, { phase: 'Restored' });
    await comesTo(`${SHIFTS}/reviews`, { phase: 'Done', weights: [{ desired: 50 }, { desired: 50 }] });
  });
});
