/** The API while its hub stops, and while PostgreSQL stands still as under SIGSTOP: sockets stay open, and nothing comes. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub } from '../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { watchFrom } from '../resource/watch/watch-client-fixture.ts';
import { statusOf } from './status.ts';

const RULES = '/apis/networking.istio.io/v1/namespaces/bookinfo/destinationrules';
let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(async () => {
  await postgres.stop();
});

function rule(name: string): object {
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name }, spec: { host: 'reviews' } };
}

/** A way to PostgreSQL that can stand still, and counts who is on it. */
async function stallable(dsn: string) {
  const target = new URL(dsn);
  const pairs = new Set<readonly [Socket, Socket]>();
  let isStill = false;
  const server = createServer((socket) => {
    const pair = [socket, connect(Number(target.port), target.hostname)] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const one of pair) one.destroy();
    };
    for (const one of pair) one.on('error', () => {}).on('close', end);
    for (const [from, to] of [pair, [pair[1], pair[0]]] as const) from.on('data', (bytes) => to.write(bytes));
    if (isStill) for (const one of pair) one.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(dsn);
  through.port = String((server.address() as { readonly port: number }).port);
  const still = (wanted: boolean): void => {
    isStill = wanted;
    for (const pair of pairs) for (const one of pair) one[wanted ? 'pause' : 'resume']();
  };
  return { dsn: through.href, still, open: () => pairs.size, close: () => server.close() };
}

describe('PostgreSQL stands still', () => {
  it('every request is answered 503, connections do not pile up, and all goes on when it does', async () => {
    const way = await stallable(await postgres.database());
    const hub = await startTestHub(way.dsn);
    expect((await hub.call('POST', RULES, rule('a'))).code).toBe(201);
    way.still(true);
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.all(Array.from({ length: 60 }, () => hub.call('GET', RULES)));
      expect(new Set(answers.map(({ code, body }) => `${code} ${body.reason}`))).toEqual(new Set(['503 ServiceUnavailable']));
    }
    expect((await hub.core.app.inject('/readyz')).statusCode).toBe(503);
    expect((await hub.core.app.inject('/livez')).statusCode).toBe(200);
    // The pool, the listener of tokens, and one probe at a time whose end the proxy cannot see while it stands still.
    expect(way.open()).toBeLessThan(40);
    way.still(false);
    await expect.poll(async () => (await hub.call('GET', RULES)).code, { timeout: 20_000 }).toBe(200);
    await hub.stop();
    way.close();
  }, 90_000);
});

describe('a hub that stops', () => {
  it('finishes what it has begun, and ends watches with a bookmark', async () => {
    const dsn = await postgres.database();
    const hub = await startTestHub(dsn);
    const url = await hub.core.listen();
    const headers = { authorization: `Bearer ${hub.adminToken}`, 'content-type': 'application/json' };
    const { events, ended } = await watchFrom(`${url}${RULES}?watch=true&allowWatchBookmarks=true`, hub.adminToken);
    const holder = new Client({ connectionString: dsn });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT * FROM hub_meta FOR UPDATE');
    const writing = fetch(`${url}${RULES}`, { method: 'POST', headers, body: JSON.stringify(rule('late')) });
    const waits = `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    const waiting = async (): Promise<number> => {
      // Else a transaction sees the sessions as they were when it first looked.
      await holder.query('SELECT pg_stat_clear_snapshot()');
      return (await holder.query(waits)).rows[0].waiting;
    };
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
    const stopped = hub.stop();
    expect(await ended).toBe(true);
    expect(events.at(-1)?.type).toBe('BOOKMARK');
    await holder.query('COMMIT');
    const answer = await writing;
    expect(answer.status).toBe(201);
    await stopped;
    expect((await holder.query(`SELECT count(*)::int AS rows FROM resources WHERE name = 'late'`)).rows).toEqual([{ rows: 1 }]);
    await holder.end();
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  }, 60_000);
});

describe('a request that takes too long', () => {
  it('is told as a Timeout', () => {
    const late = Object.assign(new Error('Request timed out'), { code: 'FST_ERR_HANDLER_TIMEOUT', statusCode: 503 });
    expect(statusOf(late)).toMatchObject({ code: 504, reason: 'Timeout' });
  });
});
