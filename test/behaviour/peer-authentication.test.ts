/** PeerAuthentication: a captured workload in a network namespace, called by the mesh and by a caller that speaks plain. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PlainCaller, PlainCallers, type PlainReading } from '@hawser/agent/plain/plain-callers.ts';
import { ProxyReader } from '@hawser/agent/traffic/read-proxy.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import { MOST_PLAIN_SERIES } from '@hawser/model/plain-stats.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Mesh } from '../datapath/kit/mesh.ts';
import { until } from '../datapath/kit/until.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { available } from '../kit/requirements.ts';
import { callHttp, callTcp } from './kit/clients.ts';
import { type Namespace, Network } from './kit/namespaces.ts';
import { policy } from './kit/rig.ts';

const MAIN = join(import.meta.dirname, '../../services/cli/src/main.ts');
const [HOST, CLIENT, SERVER] = ['10.79.0.1', '127.81.139.11', '10.79.1.12'];
const [HTTP, TCP, NOBODYS] = [9080, 9000, 9090];
const REVIEWS = 'reviews.bookinfo.svc.clusterset.local';
/** An application: HTTP that says which certificate its caller showed, bytes said again, and a port that no service has. */
const APPLICATION = `
const say = (request, response) => response.end('by ' + (request.headers['x-forwarded-client-cert'] ?? 'nobody'));
for (const port of [${HTTP}, ${NOBODYS}]) require('http').createServer(say).listen(port, '${SERVER}');
require('net').createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket)).listen(${TCP}, '${SERVER}');`;

/** Status of each caller's request (0: no answer), and whether bytes come back. */
interface Seen {
  readonly mesh?: number;
  readonly plain?: number;
  readonly nobodys?: number;
  readonly meshTcp?: boolean;
  readonly plainTcp?: boolean;
}

const OPEN: Seen = { mesh: 200, plain: 200, nobodys: 200, meshTcp: true, plainTcp: true };
const CLOSED: Seen = { mesh: 200, plain: 0, nobodys: 0, meshTcp: true, plainTcp: false };

const peers = (spec: object, name = 'default', namespace = 'bookinfo'): Resource => policy('PeerAuthentication', spec, { name, namespace });
const mode = (value: string): object => ({ mtls: { mode: value } });
const ofReviews = { selector: { matchLabels: { app: 'reviews' } } };

function behaviour(id: string, field: string, seen: string, show: () => Promise<void>): void {
  test(`${id} ${field}: ${seen}`, show);
}

describe.skipIf(!available('root') || !available('iptables'))('callers of a captured workload', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-peers-'));
  let network: Network;
  let mesh: Mesh;
  let server: Namespace;
  let client: TestEnvoy;
  const reader = new ProxyReader();
  const watched = new PlainCallers();
  let log = (): string => '';

  beforeAll(async () => {
    network = await Network.create([HOST]);
    mesh = await Mesh.start([{ name: 'east', gateways: [] }], HOST);
    server = await network.namespace('p', SERVER, `nameserver ${HOST}\n`);
    mesh.service('bookinfo/reviews', 'east', {
      ports: [
        { name: 'http', port: 80, protocol: 'http' },
        { name: 'tcp', port: TCP, protocol: 'tcp' },
      ],
      endpoints: [{ address: SERVER, targetPorts: { '80': HTTP, [TCP]: TCP }, labels: { app: 'reviews' } }],
    });
    mesh.service('bookinfo/productpage', 'east', { endpoints: [{ address: CLIENT }] });
    server.start([process.execPath, '-e', APPLICATION]);
    const capture = [process.execPath, MAIN, 'proxy', 'capture', '--install', '--proxy-user', '0'];
    expect(await server.run(capture, 'root')).toMatchObject({ code: 0 });
    log = startSidecar();
    client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
    await seen([], OPEN);
  }, 120_000);

  afterAll(async () => {
    reader.close();
    await mesh?.stop();
    await network?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function startSidecar(): () => string {
    const tokenFile = join(folder, 'token');
    const claims = { cluster: 'east', namespace: 'bookinfo', serviceAccount: 'reviews' };
    writeFileSync(tokenFile, Buffer.from(JSON.stringify(claims)).toString('base64'), { mode: 0o600 });
    const who = ['--cluster', 'east', '--name', 'reviews', '--namespace', 'bookinfo', '--service-account', 'reviews', '--address', SERVER];
    const where = ['--agent', `${HOST}:${mesh.adsPort('east')}`, '--token-file', tokenFile, '--state-dir', folder];
    const command = [process.execPath, MAIN, 'proxy', 'run', '--capture', ...who, ...where];
    return server.start(command, { HAWSER_ALLOW_PLAINTEXT: '1' });
  }

  /** Makes these the only policies, the first the oldest, and waits until every caller sees what it shall, all in one round. */
  async function seen(policies: readonly Resource[], expected: Seen): Promise<void> {
    for (const one of policies) {
      const kind = kindNamed(one.kind);
      if (kind === undefined || 'issues' in validateResource(one, kind)) throw new Error(`the hub refuses ${JSON.stringify(one)}`);
    }
    const dated = policies.map((one, index) => ({
      ...one,
      metadata: { ...one.metadata, creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString() },
    }));
    mesh.replacePolicies(dated);
    await until(
      () => mesh.nacks.length > 0 || mesh.synced('east'),
      () => 'an Envoy does not acknowledge',
    );
    expect(mesh.nacks).toEqual([]);
    await vi.waitFor(async () => expect(await sees(expected), log()).toEqual(expected), { timeout: 40_000, interval: 50 });
  }

  async function sees(expected: Seen): Promise<Seen> {
    const asks: Readonly<Record<keyof Seen, () => Promise<number | boolean>>> = {
      mesh: async () => (await called('/')).status,
      plain: async () => (await plainly('/')).status,
      nobodys: async () => (await callHttp({ address: SERVER, port: NOBODYS }, { host: 'reviews' })).status,
      meshTcp: async () => (await callTcp(await tcpListener(), 'hello')).includes('hello'),
      plainTcp: async () => (await callTcp({ address: SERVER, port: TCP }, 'hello')).includes('hello'),
    };
    const all = (Object.keys(expected) as (keyof Seen)[]).map(async (key) => [key, await asks[key]()] as const);
    return Object.fromEntries(await Promise.all(all)) as Seen;
  }

  const called = (path: string) => callHttp({ address: CLIENT, port: 15001 }, { host: REVIEWS, path });
  const plainly = (path: string) => callHttp({ address: SERVER, port: HTTP }, { host: 'reviews', path });

  /** Where the client's sidecar takes connections to the TCP port. */
  async function tcpListener(): Promise<{ address: string; port: number }> {
    const { listener_statuses: all = [] } = JSON.parse(await client.admin('/listeners?format=json')) as {
      listener_statuses?: { name: string; local_address: { socket_address: { address: string; port_value: number } } }[];
    };
    const found = all.find(({ name }) => name === `outbound_tcp|${TCP}|${REVIEWS}`)?.local_address.socket_address;
    return { address: found?.address ?? CLIENT, port: found?.port_value ?? 1 };
  }

  async function statistics(path: string): Promise<string> {
    return (await server.run(['curl', '-sS', `http://${SERVER}:15000${path}`], 'root')).out;
  }

  /** Who called in plain since the sidecar began, as its agent would say. */
  async function plainCallers(): Promise<readonly PlainCaller[]> {
    watched.take('reviews', await plainReading());
    return watched.account('reviews', { now: Date.now(), windowMs: 600_000 })?.callers ?? [];
  }

  async function plainReading(): Promise<PlainReading> {
    const { plain, uptime } = await reader.read(SERVER, 5_000);
    return { counts: plain, uptime, now: Date.now(), fromBeginning: true };
  }

  behaviour(
    'PA-001',
    'PeerAuthentication',
    'without one, callers of the mesh prove who they are, and what comes to other ports passes in plain',
    async () => {
      await seen([], OPEN);
      expect((await called('/')).body).toContain('URI=spiffe://east.hawser/ns/bookinfo/sa/productpage');
      expect((await plainly('/')).body).toBe('by nobody');
      expect((await callHttp({ address: SERVER, port: 15006 }, { host: REVIEWS })).status).toBe(0);
    },
  );

  behaviour('PA-002', 'mtls.mode', 'STRICT refuses who speaks plain, at ports of services and at any other', async () => {
    await seen([peers(mode('STRICT'))], CLOSED);
    expect(await statistics('/stats?filter=tcp.plain_refused.downstream_cx_total')).toMatch(/: [1-9]/);
  });

  behaviour('PA-003', 'mtls.mode', 'PERMISSIVE takes both', async () => {
    await seen([peers(mode('STRICT'))], CLOSED);
    await seen([peers(mode('PERMISSIVE'))], OPEN);
    expect((await called('/')).body).toContain('URI=spiffe://east.hawser/ns/bookinfo/sa/productpage');
    expect((await plainly('/')).body).toBe('by nobody');
  });

  behaviour('PA-004', 'mtls.mode', 'DISABLE takes plain text, and callers of the mesh prove who they are all the same', async () => {
    await seen([peers(mode('STRICT'))], CLOSED);
    await seen([peers(mode('DISABLE'))], OPEN);
    expect((await called('/')).body).toContain('URI=spiffe://east.hawser/ns/bookinfo/sa/productpage');
    expect((await callHttp({ address: SERVER, port: 15006 }, { host: REVIEWS })).status).toBe(0);
  });

  behaviour(
    'PA-005',
    'mtls.mode of the mesh',
    'a policy of the root namespace is for every namespace, one of another for none',
    async () => {
      await seen([peers(mode('STRICT'), 'default', 'shop')], OPEN);
      await seen([peers(mode('STRICT'), 'default', 'hawser-system')], CLOSED);
    },
  );

  behaviour('PA-006', 'mtls.mode of a namespace', 'is before that of the mesh', async () => {
    await seen([peers(mode('STRICT'), 'default', 'hawser-system'), peers(mode('PERMISSIVE'))], OPEN);
    await seen([peers(mode('DISABLE'), 'default', 'hawser-system'), peers(mode('STRICT'))], CLOSED);
  });

  behaviour(
    'PA-007',
    'selector.matchLabels',
    'a policy of the workload is before that of its namespace, one of others is nothing',
    async () => {
      await seen([peers(mode('PERMISSIVE')), peers({ ...ofReviews, ...mode('STRICT') }, 'own')], CLOSED);
      const others = { selector: { matchLabels: { app: 'ratings' } }, ...mode('STRICT') };
      await seen([peers(mode('PERMISSIVE')), peers(others, 'others')], OPEN);
      await seen([peers({ ...ofReviews, ...mode('STRICT') }, 'own', 'hawser-system')], CLOSED);
    },
  );

  behaviour('PA-008', 'portLevelMtls.*.mode', 'a port of the application is open where all others are STRICT', async () => {
    await seen([peers({ ...ofReviews, ...mode('STRICT'), portLevelMtls: { [HTTP]: { mode: 'PERMISSIVE' } } })], { ...CLOSED, plain: 200 });
    await seen([peers({ ...ofReviews, ...mode('STRICT'), portLevelMtls: { [NOBODYS]: { mode: 'DISABLE' } } })], {
      ...CLOSED,
      nobodys: 200,
    });
  });

  behaviour('PA-009', 'portLevelMtls.*.mode', 'a port is STRICT where others are open, or nobody says anything of them', async () => {
    const strict = { portLevelMtls: { [TCP]: { mode: 'STRICT' } } };
    await seen([peers({ ...ofReviews, ...strict })], { ...OPEN, plainTcp: false });
    await seen([peers({ ...ofReviews, ...mode('PERMISSIVE'), portLevelMtls: { [HTTP]: { mode: 'STRICT' } } })], { ...OPEN, plain: 0 });
  });

  behaviour('PA-010', 'mtls.mode', 'UNSET is what is farther says, for a workload and for a port', async () => {
    await seen([peers(mode('STRICT')), peers({ ...ofReviews, ...mode('UNSET') }, 'own')], CLOSED);
    const unset = { portLevelMtls: { [HTTP]: { mode: 'UNSET' } } };
    await seen([peers(mode('STRICT')), peers({ ...ofReviews, ...mode('PERMISSIVE'), ...unset }, 'own')], OPEN);
  });

  behaviour('PA-011', 'PeerAuthentication', 'of several of one level the oldest alone counts', async () => {
    await seen([peers(mode('STRICT'), 'older'), peers(mode('PERMISSIVE'), 'newer')], CLOSED);
    await seen([peers(mode('PERMISSIVE'), 'older'), peers(mode('STRICT'), 'newer')], OPEN);
  });

  behaviour('PA-012', 'AuthorizationPolicy', 'judges plain requests to a port that is PERMISSIVE, and they have no principal', async () => {
    const rules = [{ from: [{ source: { principals: ['*'] } }] }, { to: [{ operation: { paths: ['/open'] } }] }];
    const access = policy('AuthorizationPolicy', { ...ofReviews, rules }, { name: 'access' });
    await seen([peers(mode('PERMISSIVE')), access], { mesh: 200, plain: 403, meshTcp: true, plainTcp: false });
    const headers = { 'x-forwarded-client-cert': 'URI=spiffe://east.hawser/ns/bookinfo/sa/productpage' };
    expect((await callHttp({ address: SERVER, port: HTTP }, { host: 'reviews', path: '/open', headers })).body).toBe('by nobody');
  });

  behaviour('PA-013', 'mtls.mode', 'a change leaves the connections of the mesh alone', async () => {
    await seen([peers(mode('PERMISSIVE'))], OPEN);
    const socket = connect({ host: CLIENT, ...(await tcpListener()) });
    expect(await echoed(socket, 'before')).toBe('before');
    await seen([peers(mode('STRICT'))], CLOSED);
    expect(await echoed(socket, 'after')).toBe('after');
    socket.destroy();
  });

  behaviour('PA-015', 'mtls.mode', 'connections in plain end when STRICT comes', async () => {
    await seen([peers(mode('PERMISSIVE'))], OPEN);
    const socket = connect({ host: SERVER, port: TCP });
    expect(await echoed(socket, 'before')).toBe('before');
    let hasEnded = false;
    socket.once('close', () => {
      hasEnded = true;
    });
    await seen([peers(mode('STRICT'))], CLOSED);
    await until(
      () => hasEnded,
      () => 'the connection lasts',
    );
  });

  behaviour('PA-016', 'mtls.mode', 'who would be cut off by STRICT is counted by port and address, and the mesh is not', async () => {
    await seen([peers(mode('PERMISSIVE'))], OPEN);
    const held = connect({ host: SERVER, port: TCP });
    expect(await echoed(held, 'here')).toBe('here');
    await vi.waitFor(
      async () => {
        const found = await plainCallers();
        for (const port of [HTTP, TCP, NOBODYS])
          expect(found).toContainEqual(expect.objectContaining({ way: 'passed', port, address: HOST }));
        expect(found.find(({ way, port }) => way === 'passed' && port === TCP)?.open).toBeGreaterThan(0);
        // 15006 is where the mesh comes to, and nobody else called.
        expect(found.filter(({ port, address }) => port === 15006 || address !== HOST)).toEqual([]);
      },
      { timeout: 30_000, interval: 100 },
    );
    held.destroy();
    await seen([peers(mode('STRICT'))], CLOSED);
    await vi.waitFor(
      async () => {
        const found = await plainCallers();
        for (const port of [HTTP, TCP, NOBODYS])
          expect(found).toContainEqual(expect.objectContaining({ way: 'refused', port, address: HOST }));
        expect(found.filter(({ open }) => open > 0)).toEqual([]);
      },
      { timeout: 30_000, interval: 100 },
    );
  });

  behaviour(
    'PA-017',
    'mtls.mode',
    'a scan of all ports takes bounded memory of the sidecar, and its caller is named all the same',
    async () => {
      await seen([peers(mode('STRICT'))], CLOSED);
      for (let first = 20_000; first < 21_500; first += 100)
        await Promise.all(Array.from({ length: 100 }, (_, index) => knock(first + index)));
      await vi.waitFor(
        async () => {
          const { counts } = await plainReading();
          expect(counts.at.size).toBeGreaterThan(900);
          expect(counts.at.size).toBeLessThanOrEqual(2 * MOST_PLAIN_SERIES);
          expect(counts.by.get(`refused|${HOST}`)).toBeGreaterThanOrEqual(1_500);
          const found = await plainCallers();
          expect(found).toContainEqual(expect.objectContaining({ way: 'refused', port: undefined, address: HOST }));
        },
        { timeout: 30_000, interval: 100 },
      );
    },
  );

  behaviour('PA-014', 'mtls.mode', 'who still speaks plain to a service is counted, as Istio counts it, before it is refused', async () => {
    await seen([peers(mode('PERMISSIVE'))], OPEN);
    const counted = async (security: string, name: string): Promise<boolean> => {
      const lines = (await statistics('/stats/prometheus')).split('\n').filter((line) => line.startsWith(name));
      return lines.some(
        (line) => line.includes(`connection_security_policy="${security}"`) && line.includes('destination_service_name="reviews"'),
      );
    };
    await vi.waitFor(
      async () => {
        for (const security of ['none', 'mutual_tls'])
          for (const name of ['istio_requests_total', 'istio_tcp_connections_opened_total'])
            expect([security, name, await counted(security, name)]).toEqual([security, name, true]);
      },
      { timeout: 30_000, interval: 200 },
    );
  });
});

/** What comes back on an open connection; rejects when that ends. */
function echoed(socket: Socket, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (part: Buffer) => resolve(part.toString()));
    socket.once('close', () => reject(new Error('the connection is cut')));
    socket.once('error', reject);
    socket.write(word);
  });
}

/** Connects, and lets itself be refused. */
function knock(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: SERVER, port });
    socket.once('error', () => resolve());
    socket.once('close', () => resolve());
  });
}
