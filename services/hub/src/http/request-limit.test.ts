/** The bounds of requests on real sockets, with writes that a lock in PostgreSQL keeps under way. */
import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import fastify from 'fastify';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { watchFrom } from '../resource/watch/watch-client-fixture.ts';
import { limitRequests } from './request-limit.ts';

const RULES = '/apis/networking.istio.io/v1/namespaces/bookinfo/destinationrules';
let postgres: TestPostgres;
let hub: TestHub;
let url: string;
let holder: Client;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const dsn = await postgres.database();
  hub = await startTestHub(dsn, { registry: createRegistry(), requestBounds: { requests: 3, bytes: 4000 } });
  url = await hub.core.listen();
  holder = new Client({ connectionString: dsn });
  await holder.connect();
});
afterAll(async () => {
  await holder.end();
  await hub.stop();
  await postgres.stop();
});

const headers = () => ({ authorization: `Bearer ${hub.adminToken}`, 'content-type': 'application/json' });

function write(name: string, note = '', signal?: AbortSignal): Promise<Response> {
  const metadata = { name, annotations: { note } };
  const body = JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata, spec: { host: 'reviews' } });
  return fetch(`${url}${RULES}`, { method: 'POST', headers: headers(), body, ...(signal === undefined ? {} : { signal }) });
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** While it lasts, no write comes to its end. */
async function whileLocked(during: () => Promise<void>): Promise<void> {
  await holder.query('BEGIN');
  await holder.query('SELECT * FROM hub_meta FOR UPDATE');
  try {
    await during();
  } finally {
    await holder.query('COMMIT');
  }
}

const underWay = (count: number) => expect.poll(() => metric('hub_http_requests_under_way'), { timeout: 20_000, interval: 20 }).toBe(count);

describe('more requests than the hub takes', () => {
  it('are refused with 429 and told when to come back; who looks after the hub is answered, and watches begin', async () => {
    let writes: Promise<Response>[] = [];
    await whileLocked(async () => {
      writes = ['a', 'b', 'c'].map((name) => write(name));
      await underWay(3);
      const before = await metric('hub_http_refused_requests_total');
      const refused = await fetch(`${url}${RULES}`, { headers: headers() });
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({
        ...{ kind: 'Status', reason: 'TooManyRequests', details: { retryAfterSeconds: expect.any(Number) } },
      });
      for (const door of ['/livez', '/readyz', '/metrics']) expect((await fetch(`${url}${door}`)).status).toBe(200);
      const watch = await watchFrom(`${url}${RULES}?watch=true`, hub.adminToken);
      expect(watch.code).toBe(200);
      watch.cut();
      // Whoever has no token is told so, and holds nothing.
      expect((await fetch(`${url}${RULES}`)).status).toBe(401);
      expect(await metric('hub_http_refused_requests_total')).toBe(before + 1);
    });
    expect((await Promise.all(writes)).map(({ status }) => status)).toEqual([201, 201, 201]);
    await underWay(0);
    expect((await fetch(`${url}${RULES}`, { headers: headers() })).status).toBe(200);
  });

  it('count until their work is done, also when their clients have gone', async () => {
    await whileLocked(async () => {
      const aborter = new AbortController();
      const writes = ['d', 'e', 'f'].map((name) => write(name, '', aborter.signal).catch(() => undefined));
      await underWay(3);
      aborter.abort();
      await Promise.all(writes);
      expect((await fetch(`${url}${RULES}`, { headers: headers() })).status).toBe(429);
      expect(await metric('hub_http_requests_under_way')).toBe(3);
    });
    await underWay(0);
    expect(await metric('hub_http_bytes_under_way')).toBe(0);
  });
});

it('whoever goes while its authorization is looked up holds nothing', async () => {
  const registry = createRegistry();
  const app = fastify();
  const [asked, gone, looked] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  app.addHook('onRequest', async (_request, reply) => {
    reply.raw.once('close', () => gone?.resolve());
    asked?.resolve();
    await looked?.promise;
  });
  limitRequests(app, registry, { requests: 3, bytes: 4000 });
  app.post('/writes', async () => 'done');
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  // Half a body: what was taken would wait for the rest.
  socket.write('POST /writes HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{');
  await asked?.promise;
  socket.destroy();
  await gone?.promise;
  looked?.resolve();
  const next = await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/writes`, { method: 'POST' });
  expect(next.status).toBe(200);
  const text = await registry.metrics();
  await app.close();
  for (const name of ['requests', 'bytes']) expect(text).toMatch(new RegExp(`^hub_http_${name}_under_way 0$`, 'm'));
});

describe('larger bodies than the hub holds at once', () => {
  it('are refused unread, and one alone is taken', async () => {
    let first: Promise<Response> | undefined;
    await whileLocked(async () => {
      first = write('g', 'x'.repeat(3500));
      await underWay(1);
      expect((await write('h', 'x'.repeat(3500))).status).toBe(429);
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      const { authorization } = headers();
      // Only the head: the answer comes without a byte of the body.
      const head = `POST ${RULES} HTTP/1.1\r\nhost: hub\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\n`;
      socket.write(`${head}content-length: 9000000\r\n\r\n`);
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 429 /);
      socket.destroy();
      const chunked = request(`${url}${RULES}`, { method: 'POST', headers: { ...headers(), 'transfer-encoding': 'chunked' } });
      chunked.on('error', () => undefined).write('{');
      expect((await once(chunked, 'response'))[0].statusCode).toBe(429);
      chunked.destroy();
    });
    expect((await first)?.status).toBe(201);
    await underWay(0);
    expect((await write('j', 'x'.repeat(9000))).status).toBe(201);
  });

  it('answers count until they are read', async () => {
    // More than the sockets of both sides take in.
    expect((await write('big', 'x'.repeat(240_000))).status).toBe(201);
    await holder.query(`INSERT INTO resources (kind, namespace, name, uid, generation, revision, labels, annotations, spec, created_at)
      SELECT kind, namespace, name || '-' || number, gen_random_uuid(), generation, revision, labels, annotations, spec, created_at
      FROM resources, generate_series(1, 60) AS number WHERE name = 'big'`);
    const reader = await unread(`${RULES}?limit=100`);
    await expect.poll(() => metric('hub_http_bytes_under_way'), { timeout: 20_000 }).toBeGreaterThan(10_000_000);
    expect((await write('n')).status).toBe(429);
    reader.destroy();
    await underWay(0);
    expect((await write('n')).status).toBe(201);
  }, 60_000);
});

/** A client that asks, and reads nothing. */
async function unread(path: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: hub\r\nauthorization: ${headers().authorization}\r\n\r\n`);
  return socket;
}
