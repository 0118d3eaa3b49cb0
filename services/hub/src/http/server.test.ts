import { once } from 'node:events';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Registry } from '@hawser/runtime/metrics.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub, startTestHubOnPostgres, type TestHubOnPostgres } from '../../../../test/kit/hub-core.ts';
import { loadHubConfig } from '../config.ts';

const CLUSTERS = '/apis/hawser.dev/v1alpha1/clusters';
let hub: TestHubOnPostgres;

beforeAll(async () => {
  hub = await startTestHubOnPostgres();
});
afterAll(() => hub.stop());

/** A way to the database that can be cut. */
async function cuttable(dsn: string): Promise<{ readonly dsn: string; cut(): Promise<void> }> {
  const target = new URL(dsn);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const through = new URL(dsn);
  through.port = String(address.port);
  const cut = async (): Promise<void> => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { dsn: through.href, cut };
}

describe('access', () => {
  it.each([[undefined], ['Bearer'], ['Bearer wrong'], ['Basic abc']])(
    'without the token (%s) nothing below /apis and /hawser answers',
    async (authorization) => {
      const headers = authorization === undefined ? {} : { authorization };
      for (const url of [CLUSTERS, `${CLUSTERS}/x`, '/apis/none', '/hawser/v1/none', '/APIS/x', '/apis', '//apis/x']) {
        const answer = await hub.core.app.inject({ method: 'GET', url, headers });
        expect([401, 404]).toContain(answer.statusCode);
        expect(answer.json()).toMatchObject({ kind: 'Status', status: 'Failure' });
      }
      const answer = await hub.core.app.inject({ method: 'GET', url: CLUSTERS, headers });
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    },
  );

  it('the administrator’s token is in a private file, is kept, and is revoked when the file is lost', async () => {
    const dsn = await hub.postgres.database();
    const first = await startTestHub(dsn);
    const config = loadHubConfig({ stateDir: first.stateDir, port: '0', publicUrl: 'http://127.0.0.1:1' }, {});
    const file = join(first.stateDir, 'admin.token');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const second = await startTestHub(dsn, { config });
    expect(second.adminToken).toBe(first.adminToken);
    await second.stop();
    await rm(file);
    const third = await startTestHub(dsn, { config });
    expect(third.adminToken).not.toBe(first.adminToken);
    const old = await third.core.app.inject({ method: 'GET', url: CLUSTERS, headers: { authorization: `Bearer ${first.adminToken}` } });
    expect(old.statusCode).toBe(401);
    await third.stop();
    // A new database learns the token of the file.
    await writeFile(file, `${third.adminToken}\n`);
    const elsewhere = await startTestHub(await hub.postgres.database(), { config });
    expect(elsewhere.adminToken).toBe(third.adminToken);
    expect((await elsewhere.call('GET', CLUSTERS)).code).toBe(200);
    await elsewhere.stop();
    await first.stop();
  });
});

describe('health', () => {
  it('is open, and metrics name routes', async () => {
    await hub.call('GET', CLUSTERS);
    expect((await hub.core.app.inject('/livez')).body).toBe('ok\n');
    expect((await hub.core.app.inject('/readyz')).statusCode).toBe(200);
    const metrics = (await hub.core.app.inject('/metrics')).body;
    expect(metrics).toContain(`route="${CLUSTERS}",code="200"`);
  });

  it('says when the database is away; the API answers 503', async () => {
    const way = await cuttable(await hub.postgres.database());
    const other = await startTestHub(way.dsn, { registry: new Registry(), readiness: [{ name: 'bus', check: () => undefined }] });
    expect(other.core.databaseUp()).toBe(true);
    await way.cut();
    expect((await other.core.app.inject('/readyz')).body).toBe('the database cannot be reached\n');
    const verbose = await other.core.app.inject('/readyz?verbose');
    expect([verbose.statusCode, verbose.body]).toEqual([
      503,
      '[+]shutdown ok\n[-]database: the database cannot be reached\n[+]bus ok\nreadyz check failed\n',
    ]);
    const json = await other.core.app.inject({ url: '/readyz', headers: { accept: 'application/json' } });
    expect(json.json()).toMatchObject({
      ready: false,
      parts: [
        { name: 'shutdown', ready: true },
        { name: 'database', ready: false },
        { name: 'bus', ready: true },
      ],
    });
    const answer = await other.call('GET', CLUSTERS);
    expect(answer).toMatchObject({ code: 503, body: { kind: 'Status', reason: 'ServiceUnavailable' } });
    expect(other.core.databaseUp()).toBe(false);
    expect((await other.core.app.inject('/livez')).statusCode).toBe(200);
    await other.stop();
  });
});

let listening: Promise<string> | undefined;
function served(): Promise<string> {
  listening ??= hub.core.listen();
  return listening;
}

describe('listening', () => {
  it('serves, and says which port is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const address = squatter.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const config = loadHubConfig({ stateDir: hub.stateDir, port: String(port) }, {});
    const blocked = await startTestHub(await hub.postgres.database(), { config });
    await expect(blocked.core.listen()).rejects.toMatchObject({ code: 'port-taken', message: expect.stringContaining(`port ${port} `) });
    await blocked.stop();
    squatter.close();
    const url = await served();
    expect(await (await fetch(`${url}/livez`)).text()).toBe('ok\n');
    const tooLarge = await fetch(`${url}${CLUSTERS}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await readFile(join(hub.stateDir, 'admin.token'), 'utf8')).trim()}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ a: 'x'.repeat(11 * 1024 * 1024) }),
    });
    expect(tooLarge.status).toBe(413);
    expect(await tooLarge.json()).toMatchObject({ kind: 'Status', reason: 'RequestEntityTooLarge' });
  });

  it.each([
    [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nhost: hub\r\n\r\n`, 431, 'RequestHeaderFieldsTooLarge'],
    [`GET ${CLUSTERS} HTTP/1.1\r\nhost: hub\r\nx-long: ${'x'.repeat(100_000)}\r\n\r\n`, 431, 'RequestHeaderFieldsTooLarge'],
    ['GET / HTTP/1.1\r\nhost : hub\r\n\r\n', 400, 'BadRequest'],
    ['\x16\x03\x01\x02\x00\x01\x00', 400, 'BadRequest'],
  ])('answers what is no request it could route with a Status: %#', async (bytes, code, reason) => {
    const socket = connect(Number(new URL(await served()).port), '127.0.0.1');
    socket.write(bytes, 'latin1');
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
    expect(JSON.parse(body)).toMatchObject({ kind: 'Status', status: 'Failure', code, reason });
  });
});
