/** Drains on a real PostgreSQL, by agents that answer: through changes of leader, past their time, and back by the word of several. */
import type { NotificationEvent } from '@hawser/wire/notifications.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, shardOf } from '../fleet/fleet-fixture.ts';
import type { FleetState } from '../fleet/fleet-state.ts';
import { takeNews } from '../notify/notification-store.ts';
import { type LedHub, startLedHub } from '../operations/led-hub-fixture.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { drainKind } from './drain-kind.ts';
import { DrainAccounts } from './drain-metrics.ts';

const PATH = '/apis/hawser.dev/v1alpha1/drains';
const MEMBERS = [memberOf('east'), memberOf('west')];
const NOW_STEPS = [
  { percent: 50, hold: '0s' },
  { percent: 100, hold: '0s' },
];
const drainOf = (spec: object = {}) => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: 'east' } },
  // Nobody measures here.
  spec: { scope: { region: 'east' }, reason: 'a test', steps: NOW_STEPS, overrideSafetyRules: ['headroom', 'observation'], ...spec },
});
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('a drain in the hub', { timeout: 120_000 }, () => {
  let dsn: string;
  let led: LedHub;
  let hub: TestHub;

  beforeEach(async () => {
    dsn = await postgres.database();
    const fill = (fleet: FleetState): void => {
      for (const { name } of MEMBERS) {
        for (const service of ['reviews', 'ratings']) fleet.putShard(name, shardOf(name, service, ['HEALTHY']));
        fleet.heard(name, Date.now());
      }
    };
    const kinds = (context: FleetContext): OperationKind[] => [
      drainKind({ context, drains: new DrainAccounts(), traffic: () => undefined }) as OperationKind,
    ];
    led = await startLedHub({ dsn, members: MEMBERS, fill, kinds });
    hub = led.hub;
    await led.answer();
    return () => led.stop();
  });

  const status = async (): Promise<Record<string, unknown>> =>
    (await hub.call('GET', `${PATH}/east`)).body.status as unknown as Record<string, unknown>;
  const comesTo = async (wanted: Record<string, unknown>, acked = 2): Promise<void> => {
    const look = async (): Promise<Record<string, unknown>> => {
      await led.answer(acked);
      return await status();
    };
    await expect.poll(look, { timeout: 30_000, interval: 100 }).toMatchObject(wanted);
  };
  const tell = (command: string): ReturnType<TestHub['call']> => hub.call('POST', `${PATH}/east/${command}`);
  const formOf = async (): Promise<unknown> => {
    const { resources } = await createReadModel(led.database).snapshot();
    return resources.find(({ kind }) => kind === 'Drain')?.inForce;
  };

  it('goes on where it was under another leader: in a wave, in the next, and on the way back that others approve', async () => {
    const waves = [{ name: 'front', selector: { names: ['bookinfo/reviews'] } }];
    const restore = { steps: [{ percent: 100 }], approval: 1, requireReadiness: false };
    expect((await hub.call('POST', PATH, drainOf({ waves, restore }))).code).toBe(201);
    expect(await formOf()).toMatchObject({ percent: 0, stages: [{ services: { names: ['bookinfo/reviews'] }, percent: 50 }] });
    await led.lead();
    // Proxies that have not acknowledged a step keep it where it is.
    await comesTo({ phase: 'Draining', step: '1/4', waves: ['front'], proxies: { expected: 4, acked: 2 } }, 1);
    await led.lead();
    await comesTo({ phase: 'Drained', percent: 100 });
    expect(await formOf()).toMatchObject({ percent: 100, stages: [{ percent: 100 }] });
    expect((await tell('restore')).body.status).toMatchObject({ phase: 'Restoring', percent: 100 });
    await led.lead();
    await comesTo({ phase: 'Restoring', percent: 100, waiting: expect.stringContaining('1 of 1 approvals are missing') });
    expect((await tell('approve')).body.message).toMatch(/asked for it to come back: another approves/);
    const { token } = (await hub.call('POST', '/hawser/v1/tokens', { name: 'second', role: 'approver' })).body as { token?: string };
    const url = `${PATH}/east/approve`;
    const approved = await hub.core.app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${token}` } });
    expect(approved.statusCode).toBe(200);
    await comesTo({ phase: 'Restored', percent: 0 });
  });

  it('goes on where it was, though its leader dies before and after every step, and enters each phase once', async () => {
    const restore = { steps: [{ percent: 50, hold: '1h' }, { percent: 100 }], requireReadiness: false };
    const steps = [
      { percent: 50, hold: '1h' },
      { percent: 100, hold: '0s' },
    ];
    expect((await hub.call('POST', PATH, drainOf({ steps, restore }))).code).toBe(201);
    for (const [command, wanted] of [
      [undefined, { phase: 'Draining', percent: 50, waiting: expect.stringContaining('it stays at this step') }],
      ['promote', { phase: 'Drained', percent: 100 }],
      ['restore', { phase: 'Restoring', percent: 50, waiting: expect.stringContaining('it stays at this step') }],
      ['promote', { phase: 'Restored', percent: 0 }],
    ] as const) {
      await led.depose();
      if (command !== undefined) expect((await tell(command)).code).toBe(200);
      await led.lead();
      await comesTo(wanted);
      await led.lead();
      await comesTo(wanted);
    }
    const { phases } = (await status()) as unknown as { phases: readonly { phase: string }[] };
    expect(phases.map(({ phase }) => phase)).toEqual(['Pending', 'Draining', 'Drained', 'Restoring', 'Restored']);
    expect(await formOf()).toMatchObject({ percent: 0 });
  });

  it('says that its time is over when it stays away, and whoever is to be told is told why', async () => {
    const told: NotificationEvent[] = [];
    const news = () => led.database.transaction((tx) => takeNews(tx, (event) => (told.push(event) > 0 ? ['chat'] : []), ['Operation']));
    await news();
    await hub.call('POST', PATH, drainOf({ expiresIn: '1s', onExpire: 'hold' }));
    await led.lead();
    await comesTo({ phase: 'Held', message: expect.stringContaining('its time is over') });
    expect((await news()).hasMore).toBe(false);
    expect(told.at(-1)).toMatchObject({ kind: 'Drain', name: 'east', phase: 'Held', why: expect.stringContaining('its time is over') });
    const [row] = await querySql(dsn, 'SELECT count(*)::int AS count FROM notifications');
    expect(row).toEqual({ count: told.length });
  });

  it('refuses what the hub works out, and waves that never end', async () => {
    const refused = async (spec: object, words: string): Promise<void> =>
      expect(await hub.call('POST', PATH, drainOf(spec))).toMatchObject({ code: 422, body: { message: expect.stringContaining(words) } });
    await refused({ stages: [] }, 'say in spec.waves what goes when');
    await refused({ percent: 10 }, 'say in spec.steps how it goes');
    await refused({ waves: [{ name: 'a', selector: { names: ['x/a'] }, after: ['a'] }] }, 'a would wait for itself');
  });
});
