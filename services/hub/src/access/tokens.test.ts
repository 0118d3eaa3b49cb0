import { createLogger } from '@hawser/runtime/logger.ts';
import type { AuditAnswer, TokenCreated } from '@hawser/wire/access.ts';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { openDatabase } from '../db/database.ts';
import { createAccess, tokenHash } from './access.ts';

const TOKENS = '/hawser/v1/tokens';
const CLUSTERS = '/apis/hawser.dev/v1alpha1/clusters';
const POLICIES = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/failoverpolicies';
const POLICY = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { name: 'all' }, spec: { order: ['us-east'] } };
const TRACE = '0af7651916cd43dd8448eb211c80319c';

type Asked = readonly [method: 'GET' | 'POST', url: string, body?: unknown];

let postgres: TestPostgres;
let dsn: string;
let hub: TestHub;
let replica: TestHub;

beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  [hub, replica] = [await startTestHub(dsn), await startTestHub(dsn)];
});
afterAll(async () => {
  await hub.stop();
  await replica.stop();
  await postgres.stop();
});

async function makeToken(request: object): Promise<string> {
  const { code, body } = await hub.call('POST', TOKENS, request);
  expect(code).toBe(201);
  return (body as unknown as TokenCreated).token;
}

async function withToken(of: TestHub, token: string, [method, url, body]: Asked = ['GET', CLUSTERS]): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
  return (await of.core.app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body as object }) })).statusCode;
}

async function auditOf(query: string): Promise<AuditAnswer> {
  const { code, body } = await hub.call('GET', `/hawser/v1/audit?${query}`);
  expect(code).toBe(200);
  return body as unknown as AuditAnswer;
}

describe('tokens', () => {
  it('are of groups, which whoever lists or audits them sees', async () => {
    await makeToken({ name: 'oncall', role: 'approver', groups: ['sre', 'payments'] });
    const { body } = await hub.call('GET', TOKENS);
    expect(body.items).toContainEqual(expect.objectContaining({ name: 'oncall', groups: ['sre', 'payments'] }));
    expect((await auditOf('kind=Token&name=oncall')).items[0]).toMatchObject({ reason: 'role approver, of sre, payments' });
    expect((await hub.call('DELETE', `${TOKENS}/oncall`)).code).toBe(200);
  });

  it('are shown once and stored as hashes; a name is used once', async () => {
    const token = await makeToken({ name: 'ci', role: 'operator', namespaces: ['bookinfo'] });
    const { body } = await hub.call('GET', TOKENS);
    expect(body.items).toEqual([
      { name: 'ci', role: 'operator', namespaces: ['bookinfo'], createdAt: expect.any(String), createdBy: 'admin' },
    ]);
    expect((await hub.call('POST', TOKENS, { name: 'ci', role: 'viewer' })).code).toBe(409);
    const [row] = await querySql<{ token_hash: Buffer; row: string }>(
      dsn,
      "SELECT token_hash, t::text AS row FROM api_tokens t WHERE name = 'ci'",
    );
    expect(row?.token_hash).toEqual(tokenHash(token));
    expect(row?.row).not.toContain(token);
  });

  it.each([
    [{ name: 'admin', role: 'viewer' }, 'name'],
    [{ name: 'x', role: 'owner' }, 'role'],
    [{ name: 'x', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ name: 'x', role: 'viewer', expiresAt: 'tomorrow' }, 'expiresAt'],
    [{ name: 'x', role: 'admin', namespaces: ['a'] }, 'namespaces'],
    [{ name: 'x', role: 'viewer', more: 1 }, 'additional'],
  ])('%j is refused, naming %s', async (request, place) => {
    const { code, body } = await hub.call('POST', TOKENS, request);
    expect([code, body.message]).toEqual([400, expect.stringContaining(place)]);
  });

  it('end: revoked here at once, elsewhere within seconds; expired everywhere', async () => {
    const token = await makeToken({ name: 'leaver', role: 'viewer' });
    expect([await withToken(hub, token), await withToken(replica, token)]).toEqual([200, 200]);
    expect((await hub.call('DELETE', `${TOKENS}/leaver`)).code).toBe(200);
    expect(await withToken(hub, token)).toBe(401);
    await vi.waitFor(async () => expect(await withToken(replica, token)).toBe(401), { timeout: 20_000, interval: 50 });
    expect((await hub.call('DELETE', `${TOKENS}/leaver`)).code).toBe(404);
    const brief = await makeToken({ name: 'brief', role: 'viewer', expiresAt: new Date(Date.now() + 60_000).toISOString() });
    expect(await withToken(hub, brief)).toBe(200);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
    expect(await withToken(hub, brief)).toBe(401);
    vi.restoreAllMocks();
  });

  it('that were seen are good while the database is away, others are not; a write cannot be made', async () => {
    const own = await startTestPostgres();
    const address = await own.database();
    const other = await startTestHub(address);
    const { body } = await other.call('POST', TOKENS, { name: 'ops', role: 'operator' });
    const { token } = body as unknown as TokenCreated;
    const database = openDatabase(address, createLogger('test'));
    const access = createAccess(database, 'none');
    expect(await access.check(token)).toMatchObject({ name: 'ops', role: 'operator' });
    await own.stop();
    access.forget();
    expect(await access.check(token)).toMatchObject({ name: 'ops', role: 'operator' });
    await expect(access.check('hawser_unseen')).rejects.toMatchObject({ code: 'database-unavailable' });
    await database.close();
    await other.stop();
  });
});

describe('the audit', () => {
  it('tells of writes with their revision, and of what was refused or failed', async () => {
    const [operator, viewer] = [await makeToken({ name: 'op', role: 'operator' }), await makeToken({ name: 'looker', role: 'viewer' })];
    expect(await withToken(hub, operator, ['POST', `${POLICIES}?allowUnresolved=true`, POLICY])).toBe(201);
    expect(await withToken(hub, operator, ['POST', `${POLICIES}?allowUnresolved=true`, POLICY])).toBe(409);
    expect(await withToken(hub, viewer, ['POST', POLICIES, POLICY])).toBe(403);
    expect(await withToken(hub, 'wrong', ['POST', POLICIES, POLICY])).toBe(401);
    await vi.waitFor(async () => expect((await auditOf('kind=FailoverPolicy&outcome=denied')).items).toHaveLength(2), {
      timeout: 20_000,
      interval: 50,
    });
    const { items } = await auditOf('kind=FailoverPolicy&namespace=bookinfo');
    const row = { verb: 'create', kind: 'FailoverPolicy', namespace: 'bookinfo', source: '127.0.0.1', traceId: TRACE };
    const short = items.map(({ id, at, reason, ...rest }) => rest).sort((a, b) => a.code - b.code);
    expect(short).toEqual([
      { ...row, name: 'all', actor: 'op', role: 'operator', outcome: 'allowed', code: 201, revision: expect.any(Number) },
      { ...row, name: '', actor: 'unknown', role: '', outcome: 'denied', code: 401 },
      { ...row, name: '', actor: 'looker', role: 'viewer', outcome: 'denied', code: 403 },
      { ...row, name: 'all', actor: 'op', role: 'operator', outcome: 'failed', code: 409 },
    ]);
    expect(items.find(({ code }) => code === 403)?.reason).toMatch(/^Forbidden: .*needs operator/);
    expect((await auditOf('kind=Token&name=leaver&outcome=allowed')).items.map(({ verb }) => verb)).toEqual(['delete', 'create']);
    expect((await auditOf('actor=op&since=2099-01-01T00:00:00Z')).items).toEqual([]);
  });

  it('is paged, for approvers and administrators', async () => {
    const first = await auditOf('limit=2');
    const second = await auditOf(`limit=2&continue=${first.continue}`);
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(4);
    expect(await withToken(hub, await makeToken({ name: 'approving', role: 'approver' }), ['GET', '/hawser/v1/audit'])).toBe(200);
    expect(await withToken(hub, await makeToken({ name: 'op2', role: 'operator' }), ['GET', '/hawser/v1/audit'])).toBe(403);
    for (const query of ['since=yesterday', 'limit=0', 'who=me', 'actor=%00']) {
      expect((await hub.call('GET', `/hawser/v1/audit?${query}`)).code).toBe(400);
    }
  });

  it('only grows: PostgreSQL refuses to change it, and to remove what is younger than a day', async () => {
    const client = new Client({ connectionString: dsn });
    await client.connect();
    const refused = { message: expect.stringContaining('the audit only grows') };
    await expect(client.query("UPDATE audit SET actor = 'somebody'")).rejects.toMatchObject(refused);
    await expect(client.query('DELETE FROM audit')).rejects.toMatchObject(refused);
    await expect(client.query('TRUNCATE audit')).rejects.toMatchObject(refused);
    await client.query("SET hawser.audit_purge_before = '2099-01-01'");
    await expect(client.query('DELETE FROM audit')).rejects.toMatchObject(refused);
    await client.query('RESET hawser.audit_purge_before');
    const count = async (): Promise<number> => Number((await client.query<{ n: string }>('SELECT count(*) AS n FROM audit')).rows[0]?.n);
    const before = await count();
    await client.query(`INSERT INTO audit (at, actor, role, verb, kind, namespace, name, outcome, code, reason, source, trace_id)
      SELECT now() - n * interval '1 day', 'old', '', 'x', '', '', '', 'allowed', 200, '', '', '' FROM generate_series(2, 6) AS n`);
    const purge = async (bound: string, most: number) =>
      Number((await client.query<{ gone: string }>(`SELECT audit_purge(${bound}, $1) AS gone`, [most])).rows[0]?.gone);
    expect(await purge("now() - interval '4 days 1 hour'", 1)).toBe(1);
    expect(await purge("now() - interval '4 days 1 hour'", 10)).toBe(1);
    expect(await purge("now() + interval '1 year'", 10)).toBe(3);
    expect(await count()).toBe(before);
    await expect(client.query('DELETE FROM audit')).rejects.toMatchObject(refused);
    await client.end();
  });
});
