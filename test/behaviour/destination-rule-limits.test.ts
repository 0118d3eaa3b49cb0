/** DestinationRule: connection pools, circuit breakers and retry budgets. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type Server } from 'node:net';
import { afterAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { BOOKINFO, eastern } from './kit/layout.ts';
import { policy, type Rig, type Tally } from './kit/rig.ts';
import { REVIEWS, upstreamStat } from './kit/upstreams.ts';

const TCP_PORTS = { ...BOOKINFO.ports, 'bookinfo/mongodb': [{ name: 'tcp', port: 27017, protocol: 'tcp' as const }] };
const layout = { workloads: [eastern('reviews', 'v1', 21), eastern('mongodb', 'v1', 25), eastern('mongodb', 'v2', 26)], ports: TCP_PORTS };
const behaviour = behavioursOf({ net: 42, ...layout });
const MONGODB = 'outbound_tcp|27017|mongodb.bookinfo.svc.clusterset.local';
const MUTE = '127.81.42.31';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => void server.close()));

async function rule(rig: Rig, trafficPolicy: unknown, host = 'reviews'): Promise<void> {
  await rig.policies([policy('DestinationRule', { host, trafficPolicy })]);
}

function slowPosts(rig: Rig, delayMs = 300): Promise<Tally> {
  return rig.tally(10, { method: 'POST', body: 'x', reply: { delayMs } });
}

/** How often a counter grew while something was done. */
async function grown(rig: Rig, name: string, during: () => Promise<unknown>): Promise<number> {
  const before = await upstreamStat(rig, name);
  await during();
  return (await upstreamStat(rig, name)) - before;
}

/** Sends a line and waits for the connection's end: milliseconds from its beginning. */
async function lifeOf(rig: Rig, everyMs?: number): Promise<number> {
  const at = await rig.listener(MONGODB);
  if (at === undefined) throw new Error('no listener of mongodb');
  const began = performance.now();
  return new Promise((resolve) => {
    const socket = connectTcp({ host: at.address, port: at.port }, () => void socket.write('x\n'));
    const timer = everyMs === undefined ? undefined : setInterval(() => void socket.write('x\n'), everyMs);
    socket.resume();
    socket.on('error', () => socket.destroy());
    socket.setTimeout(12_000, () => socket.destroy());
    socket.on('close', () => {
      clearInterval(timer);
      resolve(performance.now() - began);
    });
  });
}

behaviour(
  'DR-020',
  'trafficPolicy.connectionPool.tcp.connectTimeout',
  'an endpoint that does not answer the handshake is given up in time',
  async (rig) => {
    const server = createServer((socket) => socket.on('error', () => socket.destroy()));
    servers.push(server);
    await new Promise<void>((resolve) => void server.listen(15_006, MUTE, resolve));
    rig.mesh.service('bookinfo/mute', 'east', { endpoints: [{ address: MUTE }] });
    await rule(rig, { connectionPool: { tcp: { connectTimeout: '100ms' } } }, 'mute');
    const { status, ms } = await rig.call({ host: 'mute.bookinfo.svc.clusterset.local', method: 'POST', body: 'x' });
    expect(status).toBe(503);
    expect(ms).toBeLessThan(1_800);
  },
);

behaviour('DR-021', 'trafficPolicy.connectionPool.tcp.maxConnections', 'no more connections than that are opened', async (rig) => {
  const http = { h2UpgradePolicy: 'DO_NOT_UPGRADE' };
  await rule(rig, { connectionPool: { http, tcp: { maxConnections: 2 } } });
  const opened = await grown(rig, 'upstream_cx_total', () => slowPosts(rig, 100));
  expect(opened).toBeLessThanOrEqual(3);
  await rule(rig, { connectionPool: { http } });
  expect(await grown(rig, 'upstream_cx_total', () => slowPosts(rig, 100))).toBeGreaterThan(3);
});

behaviour(
  'DR-022',
  'trafficPolicy.connectionPool.http.http1MaxPendingRequests',
  'requests that find no connection and no place to wait are refused',
  async (rig) => {
    const http = { h2UpgradePolicy: 'DO_NOT_UPGRADE', http1MaxPendingRequests: 1 };
    await rule(rig, { connectionPool: { http, tcp: { maxConnections: 1 } } });
    const { byStatus } = await slowPosts(rig);
    expect(byStatus[200]).toBeGreaterThanOrEqual(1);
    expect(byStatus[503]).toBeGreaterThanOrEqual(5);
  },
);

behaviour(
  'DR-023',
  'trafficPolicy.connectionPool.http.http2MaxRequests',
  'no more requests than that are under way at once',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { http2MaxRequests: 2 } } });
    const { byStatus } = await slowPosts(rig);
    expect(byStatus[200]).toBeGreaterThanOrEqual(2);
    expect(byStatus[503]).toBeGreaterThanOrEqual(4);
  },
);

behaviour(
  'DR-024',
  'trafficPolicy.connectionPool.http.maxRequestsPerConnection',
  'a connection carries so many requests and no more',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { maxRequestsPerConnection: 1 } } });
    const opened = await grown(rig, 'upstream_cx_total', async () => {
      for (let index = 0; index < 5; index += 1) expect((await rig.call()).status).toBe(200);
    });
    expect(opened).toBeGreaterThanOrEqual(4);
  },
);

behaviour('DR-025', 'trafficPolicy.connectionPool.http.maxRetries', 'no more retries than that are under way at once', async (rig) => {
  const failing = { reply: { status: 503, delayMs: 100 } };
  await rule(rig, { connectionPool: { http: { maxRetries: 1 } } });
  expect(await grown(rig, 'upstream_rq_retry_overflow', () => rig.tally(20, failing))).toBeGreaterThan(0);
  await rule(rig, {});
  expect(await grown(rig, 'upstream_rq_retry_overflow', () => rig.tally(20, failing))).toBe(0);
});

behaviour(
  'DR-026',
  'trafficPolicy.retryBudget.percent',
  'a budget of nothing retries nothing; without one a failed GET is tried thrice',
  async (rig) => {
    const triesOf = async (): Promise<number> => {
      rig.app('reviews-v1').received.length = 0;
      await rig.call({ reply: { status: 503 } });
      return rig.app('reviews-v1').received.length;
    };
    await rule(rig, { retryBudget: { percent: 0, minRetryConcurrency: 0 } });
    expect(await triesOf()).toBe(1);
    await rule(rig, {});
    expect(await triesOf()).toBe(3);
  },
);

behaviour(
  'DR-027',
  'trafficPolicy.retryBudget.minRetryConcurrency',
  'so many retries are allowed however little the budget is',
  async (rig) => {
    await rule(rig, { retryBudget: { percent: 0, minRetryConcurrency: 1 } });
    rig.app('reviews-v1').received.length = 0;
    await rig.call({ reply: { status: 503 } });
    expect(rig.app('reviews-v1').received).toHaveLength(3);
  },
);

behaviour(
  'DR-028',
  'trafficPolicy.connectionPool.http.idleTimeout',
  'a connection without requests is closed after that time',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { idleTimeout: '50ms' } } });
    const before = await upstreamStat(rig, 'upstream_cx_idle_timeout');
    expect((await rig.call()).status).toBe(200);
    await until(
      async () => (await upstreamStat(rig, 'upstream_cx_idle_timeout')) > before,
      () => 'the connection stays',
    );
  },
);

behaviour(
  'DR-029',
  'trafficPolicy.connectionPool.http.h2UpgradePolicy',
  'DO_NOT_UPGRADE calls by HTTP/1.1, which is else HTTP/2 between sidecars',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { h2UpgradePolicy: 'DO_NOT_UPGRADE' } } });
    expect(await grown(rig, 'upstream_cx_http1_total', () => rig.call())).toBe(1);
    await rule(rig, { connectionPool: { http: { h2UpgradePolicy: 'UPGRADE' } } });
    expect(await grown(rig, 'upstream_cx_http2_total', () => rig.call())).toBe(1);
  },
);

behaviour(
  'DR-030',
  'trafficPolicy.connectionPool.http.useClientProtocol',
  'the next hop hears the version of HTTP that the caller speaks',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { useClientProtocol: true } } });
    expect(await grown(rig, 'upstream_cx_http1_total', async () => expect((await rig.call()).status).toBe(200))).toBe(1);
    expect(await grown(rig, 'upstream_cx_http2_total', async () => expect((await rig.call({ http2: true })).status).toBe(200))).toBe(1);
  },
);

behaviour(
  'DR-031',
  'trafficPolicy.connectionPool.http.maxConcurrentStreams',
  'a connection carries so many requests at once; more get another',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { maxConcurrentStreams: 1 } } });
    let answered: Tally | undefined;
    const opened = await grown(rig, 'upstream_cx_total', async () => {
      answered = await slowPosts(rig, 200);
    });
    expect(answered?.byStatus).toEqual({ 200: 10 });
    expect(opened).toBeGreaterThanOrEqual(5);
  },
);

behaviour(
  'DR-032',
  'trafficPolicy.connectionPool.tcp.maxConnectionDuration',
  'a connection is closed at that age, however busy',
  async (rig) => {
    await rule(rig, { connectionPool: { tcp: { maxConnectionDuration: '400ms' } } }, 'mongodb');
    expect(await lifeOf(rig, 50)).toBeLessThan(5_000);
  },
);

behaviour(
  'DR-033',
  'trafficPolicy.connectionPool.tcp.idleTimeout',
  'a silent TCP connection is closed after that time, another is not',
  async (rig) => {
    await rule(rig, { connectionPool: { tcp: { idleTimeout: '300ms' } } }, 'mongodb');
    expect(await lifeOf(rig)).toBeLessThan(5_000);
  },
);

behaviour('DR-034', 'trafficPolicy.connectionPool.tcp.tcpKeepalive', 'the system probes connections to endpoints', async (rig) => {
  await rule(rig, { connectionPool: { tcp: { tcpKeepalive: { probes: 3, time: '30s', interval: '5s' } } } });
  expect((await rig.call()).status).toBe(200);
  // While an answer is on its way the socket's timer is another one.
  await until(
    () => probedTo('127.81.42.21', 15_006) > 0,
    () => 'no connection is probed',
  );
  await rule(rig, {});
  expect((await rig.call()).status).toBe(200);
});

/** Established connections to an address that the system probes: timer 02 of proc(5) tcp. */
function probedTo(address: string, port: number): number {
  const hex = [...address.split('.')].reverse().map((part) => Number(part).toString(16).padStart(2, '0'));
  const remote = `${hex.join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows.filter(([, , to, state, , timer]) => to === remote && state === '01' && timer?.startsWith('02') === true).length;
}

behaviour(
  'DR-035',
  'trafficPolicy.loadBalancer.consistentHash.useSourceIp',
  'TCP connections from one address lead to one endpoint',
  async (rig) => {
    await rule(rig, { loadBalancer: { consistentHash: { useSourceIp: true } } }, 'mongodb');
    const at = await rig.listener(MONGODB);
    if (at === undefined) throw new Error('no listener of mongodb');
    const answers = await Promise.all(Array.from({ length: 12 }, () => callTcp(at, 'hello')));
    expect(new Set(answers.map(([name]) => name)).size).toBe(1);
  },
);

behaviour(
  'DR-036',
  'trafficPolicy.connectionPool.http.http2MaxRequests',
  'limits are of one service alone, and what is refused says so',
  async (rig) => {
    await rule(rig, { connectionPool: { http: { http2MaxRequests: 1 } } });
    const [first, second] = await Promise.all([1, 2].map(() => rig.call({ method: 'POST', body: 'x', reply: { delayMs: 200 } })));
    expect([first?.status, second?.status].sort()).toEqual([200, 503]);
    expect((first?.status === 503 ? first : second)?.headers['x-envoy-overloaded']).toBe('true');
    expect(await upstreamStat(rig, 'upstream_rq_pending_overflow', REVIEWS)).toBeGreaterThan(0);
  },
);
