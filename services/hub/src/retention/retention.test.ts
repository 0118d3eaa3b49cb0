import { Client } from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { trimAll } from './retention-loop.ts';

const RULES = '/apis/networking.istio.io/v1/namespaces/bookinfo/destinationrules';
const log = pino({ level: 'silent' });
const KEEP_ALL = { historyKeepDays: 90, historyKeepRevisions: 100_000, auditKeepDays: 365, trafficKeepDays: 7 };
let postgres: TestPostgres;
let hub: TestHub;
let database: Database;
let dsn: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startTestHub(dsn);
  database = openDatabase(dsn, log);
});
afterAll(async () => {
  await database.close();
  await hub.stop();
  await postgres.stop();
});

function rule(name: string, subset: string): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name },
    spec: { host: 'reviews', subsets: [{ name: subset }] },
  };
}

const sql = (text: string) => querySql(dsn, text);

const trim = (bounds: Partial<typeof KEEP_ALL>) =>
  trimAll({ database, log, bounds: { ...KEEP_ALL, ...bounds } }, new AbortController().signal);

describe('retention', () => {
  it('keeps what the state at the floor is made of, and says 410 below it', async () => {
    for (const name of ['a', 'b', 'gone']) await hub.call('POST', RULES, rule(name, 'v0'));
    for (let version = 1; version <= 5; version += 1) await hub.call('PUT', `${RULES}/a`, rule('a', `v${version}`));
    await hub.call('DELETE', `${RULES}/gone`);
    const page = await hub.call('GET', `${RULES}?limit=1`);
    await hub.call('PUT', `${RULES}/a`, rule('a', 'v6'));
    await hub.call('PUT', `${RULES}/b`, rule('b', 'v6'));
    expect(await trim({})).toMatchObject({ history: 0 });
    // The newest two writes are kept, and what the others left: a and b as they were, nothing of what had gone.
    expect(await trim({ historyKeepRevisions: 2 })).toMatchObject({ history: 7 });
    expect((await sql('SELECT name, action FROM history ORDER BY revision')).map(({ name, action }) => `${name} ${action}`)).toEqual([
      'b create',
      'a update',
      'a update',
      'b update',
    ]);
    const next = await hub.call('GET', `${RULES}?limit=5&continue=${page.body.metadata?.continue}`);
    expect(next.body.items?.map(({ metadata, spec }) => [metadata?.name, JSON.stringify(spec).includes('v0')])).toEqual([['b', true]]);
    expect(await hub.call('GET', `${RULES}?watch=true&resourceVersion=3`)).toMatchObject({ code: 410, body: { reason: 'Expired' } });
    expect(await trim({ historyKeepRevisions: 2 })).toMatchObject({ history: 0 });
    expect((await hub.call('GET', `${RULES}?limit=5&continue=${page.body.metadata?.continue}`)).code).toBe(200);
    expect(await trim({ historyKeepRevisions: 0 })).toMatchObject({ history: 2 });
    expect((await hub.call('GET', `${RULES}?limit=5&continue=${page.body.metadata?.continue}`)).code).toBe(410);
    expect((await hub.call('GET', RULES)).body.items).toHaveLength(2);
  });

  it('forgets join tokens a day after their time, and published writes', async () => {
    const tokens = '/apis/hawser.dev/v1alpha1/jointokens';
    const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name: 'old' }, spec: { cluster: 'c', region: 'r' } };
    for (const name of ['old', 'new']) expect((await hub.call('POST', tokens, { ...body, metadata: { name } })).code).toBe(201);
    await sql(`UPDATE join_tokens SET expires_at = now() - interval '25 hours' WHERE name = 'old'`);
    await sql('UPDATE outbox_progress SET published = (SELECT revision FROM hub_meta)');
    await trim({});
    expect((await hub.call('GET', tokens)).body.items?.map(({ metadata }) => metadata?.name)).toEqual(['new']);
    expect(await sql(`SELECT reason FROM history WHERE kind = 'JoinToken' AND action = 'delete'`)).toEqual([
      { reason: 'its time was over' },
    ]);
    expect(await sql('SELECT name FROM join_tokens')).toEqual([{ name: 'new' }]);
    expect(await sql('SELECT name, action FROM outbox')).toEqual([{ name: 'old', action: 'delete' }]);
  });

  it('forgets rotations that are over, but for the newest of a cluster, what it was told last, and those under way', async () => {
    const row = (id: string, days: number, { phase = 'Done', order = true, epoch = 7, cluster = 'us-east' } = {}): Promise<unknown> =>
      sql(`INSERT INTO rotations (id, cluster, phase, state, trust_order, created_at) VALUES ('${id}', '${cluster}', '${phase}',
        '{"id": "${id}", "epoch": ${epoch}}', ${order ? `'{"rotation": "${id}"}'` : 'NULL'}, now() - interval '${days} days')`);
    await row('gone', 400);
    await row('gone-failed', 390, { phase: 'Failed', order: false });
    await row('told-last', 300);
    await row('newest', 200, { phase: 'Failed', order: false });
    await row('lone', 400, { cluster: 'us-west' });
    await row('of-its-present-epoch', 400, { cluster: 'eu-west', epoch: 9 });
    await row('of-another-epoch', 300, { cluster: 'eu-west', epoch: 8 });
    await row('under-way', 500, { cluster: 'ap-east', phase: 'Preparing' });
    await row('young', 10, { cluster: 'ap-east', phase: 'RolledBack' });
    expect(await trim({})).toMatchObject({ rotations: 2 });
    const left = (await sql('SELECT id FROM rotations ORDER BY id')).map(({ id }) => id);
    expect(left).toEqual(['lone', 'newest', 'of-another-epoch', 'of-its-present-epoch', 'told-last', 'under-way', 'young']);
    expect(await trim({})).toMatchObject({ rotations: 0 });
  });

  it('leaves it to the other hub that is at it', async () => {
    await hub.call('PUT', `${RULES}/a`, rule('a', 'v7'));
    const other = new Client({ connectionString: dsn });
    await other.connect();
    await other.query(`SELECT pg_advisory_lock(${0x68617775})`);
    expect(await trim({ historyKeepRevisions: 0 })).toMatchObject({ history: 0 });
    await other.end();
    await expect.poll(async () => (await trim({ historyKeepRevisions: 0 }))['history'], { timeout: 20_000 }).toBeGreaterThan(0);
  });
});
