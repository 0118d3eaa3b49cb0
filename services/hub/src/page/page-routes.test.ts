import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, proxyOf, shardOf, statusOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { pageRoutes } from './page-routes.ts';
import { PageSessions } from './page-session.ts';

let app: FastifyInstance;
let now: number;

beforeEach(() => {
  now = Date.parse('2026-01-01T12:00:00Z');
  app = Fastify();
  app.setErrorHandler((error: { status?: number; message: string }, _request, reply) =>
    reply.code(error.status ?? 500).send(error.message),
  );
  pageRoutes(app, context(), new PageSessions(() => now));
});

afterEach(() => app.close());

function context(): FleetContext {
  const fleet = new FleetState(() => now);
  const members = [memberOf('us-east'), memberOf('us-west')];
  fleet.setMembers(members);
  fleet.heard('us-east', now);
  fleet.putShard('us-east', shardOf('us-east', 'reviews', ['HEALTHY', 'UNHEALTHY']));
  fleet.putShard('us-west', shardOf('us-west', 'reviews', ['HEALTHY']));
  const accounts = new AgentAccounts();
  accounts.putStatus('us-east', statusOf(3, [proxyOf('a', 3), proxyOf('b', 2, 'no such cluster')]), now);
  return {
    fleet,
    accounts,
    distribution: { desired: { epoch: 7, revision: 3, members, resources: [] }, published: 3, committedAt: () => undefined },
    bus: { connected: true },
    busConnectedSince: () => now,
    startRevision: () => 0,
    databaseUp: () => true,
    version: '0.1.0',
    startedAt: now,
    now: () => now,
  };
}

async function cookie(): Promise<string> {
  const page = await app.inject({ url: '/', headers: { host: '127.0.0.1:8080' } });
  return String(page.headers['set-cookie']).split(';')[0] ?? '';
}

describe('pageRoutes', () => {
  it('serves the page and its files under a strict content policy', async () => {
    for (const [url, type] of [
      ['/', 'text/html'],
      ['/page/page.css', 'text/css'],
      ['/page/page.js', 'text/javascript'],
    ] as const) {
      const file = await app.inject({ url, headers: { host: 'localhost' } });
      expect(file.statusCode).toBe(200);
      expect(file.headers['content-type']).toContain(type);
      expect(file.headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  it('shows the fleet to a browser on this machine', async () => {
    const answer = await app.inject({ url: '/page/overview', headers: { host: '127.0.0.1:8080', cookie: await cookie() } });
    expect(answer.json()).toMatchObject({
      hub: { revision: 3, published: 3, database: true, bus: true },
      clusters: [
        { name: 'us-east', state: 'KNOWN', proxies: { connected: 2, synced: 1, nacked: 1 }, endpoints: { total: 2, healthy: 1 } },
        { name: 'us-west', state: 'UNKNOWN', lastHeardAt: '' },
      ],
      services: [
        {
          service: 'bookinfo/reviews',
          cells: [
            { cluster: 'us-east', endpoints: 2, healthy: 1 },
            { cluster: 'us-west', endpoints: 1, healthy: 1 },
          ],
        },
      ],
    });
  });

  it('gives a session that scripts cannot read, other sites cannot use, and the API does not see', async () => {
    const page = await app.inject({ url: '/', headers: { host: 'localhost:8080' } });
    expect(page.headers['set-cookie']).toMatch(/HttpOnly; SameSite=Strict/);
    expect(page.headers['set-cookie']).toContain('Path=/page;');
  });

  const strangers: [string, Record<string, string>, string?][] = [
    ['called by a name of the network', { host: 'hub.example.com' }],
    ['called by a name that begins like loopback', { host: '127.0.0.1.example.com' }],
    ['behind a proxy', { host: 'localhost', 'x-forwarded-for': '203.0.113.9' }],
    ['from another machine', { host: '127.0.0.1' }, '203.0.113.9'],
  ];
  it.each(strangers)('gives no session to a browser %s, and refuses it one that it has', async (_name, headers, remoteAddress) => {
    const peer = remoteAddress === undefined ? {} : { remoteAddress };
    expect((await app.inject({ url: '/', headers, ...peer })).headers['set-cookie']).toBeUndefined();
    const answer = await app.inject({ url: '/page/overview', headers: { ...headers, cookie: await cookie() }, ...peer });
    expect(answer.statusCode).toBe(401);
  });

  it('refuses no session, a forged one and one that is over', async () => {
    const host = '127.0.0.1:8080';
    const valid = await cookie();
    const ask = async (value: string): Promise<number> =>
      (await app.inject({ url: '/page/overview', headers: { host, cookie: value } })).statusCode;
    expect(await ask('')).toBe(401);
    expect(await ask(valid.replace(/=\d+/, `=${now * 2}`))).toBe(401);
    expect(await ask(valid)).toBe(200);
    now += 13 * 3_600_000;
    expect(await ask(valid)).toBe(401);
  });
});
