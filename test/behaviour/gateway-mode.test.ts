/** Gateway mode: workloads without a sidecar, for which their cluster's gateways speak (decision 0040). */
import { connect } from 'node:net';
import { expect } from 'vitest';
import { askTunnel, sayWithin } from '../datapath/kit/peer.ts';
import { createTrustDomain } from '../datapath/kit/pki.ts';
import { until } from '../datapath/kit/until.ts';
import { authorization, judged } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { startEchoApp } from './kit/echo-app.ts';
import { bareEastern, eastern } from './kit/layout.ts';
import { seen } from './kit/metric-series.ts';
import { policy, type Rig } from './kit/rig.ts';

const NET = 174;
const GATEWAY = `127.81.${NET}.1`;
const [V1, V2, V3] = [`127.81.${NET}.21`, `127.81.${NET}.22`, `127.81.${NET}.23`];
const TCP = 'outbound_tcp|9000|reviews.bookinfo.svc.clusterset.local';
const AUTHORITY = 'reviews.bookinfo.svc.clusterset.local';
const PORTS = [
  { name: 'http', port: 80, protocol: 'http' as const },
  { name: 'grpc', port: 82, protocol: 'http2' as const },
  { name: 'tcp', port: 9000, protocol: 'tcp' as const },
  { port: 8000, protocol: 'http' as const, application: 'auto', target: 9080 },
];
const TARGETS = { '80': 9080, '82': 9082, '9000': 9081, '8000': 9080 };
/** As callers of the TCP port name a Pod to the gateway. */
const named = (address: string) => `envoy://workloads|9000.reviews.bookinfo/${address}:15006`;

const behaviour = behavioursOf({
  net: NET,
  drainsAtOnce: true,
  clusters: ['east', 'west'],
  workloads: [bareEastern('reviews', 'v1', 21), bareEastern('reviews', 'v2', 22), eastern('ratings', 'v1', 24)],
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
    { name: 'cart', namespace: 'shop', cluster: 'east', at: 12 },
    { name: 'details', namespace: 'bookinfo', cluster: 'west', at: 13 },
  ],
  ports: { 'bookinfo/reviews': PORTS, 'bookinfo/ratings': [{ name: 'tcp', port: 9000, protocol: 'tcp' }] },
});

/** Who says again what a connection tells it; undefined where nobody does. Envoy judges a connection by its first byte. */
async function answersTcp(rig: Rig, client: string): Promise<string | undefined> {
  const at = await rig.listener(TCP, client);
  if (at === undefined) throw new Error(`${client} has no listener for the port`);
  const lines = await callTcp(at, 'hello');
  return lines.includes('hello') ? lines[0] : undefined;
}

/** Says which of the reviews are there. */
function reviews(rig: Rig, addresses: Readonly<Record<string, string>>, exported = true): void {
  const endpoints = Object.entries(addresses).map(([version, address]) => ({
    ...{ address, targetPorts: TARGETS, labels: { app: 'reviews', version }, bare: true as const },
  }));
  rig.mesh.service('bookinfo/reviews', 'east', { ports: PORTS.map(({ target: _, ...port }) => port), exported, endpoints });
}

behaviour('GM-001', 'gateway mode: HTTP/1.1', 'callers of another cluster share their requests evenly among the Pods', async (rig) => {
  await rig.policies([]);
  const { by, byStatus } = await rig.tally(400, { from: 'details' });
  expect(byStatus).toEqual({ 200: 400 });
  expect(Math.abs((by['reviews-v1'] ?? 0) - 200)).toBeLessThan(40);
});

behaviour('GM-002', 'gateway mode: the own cluster', 'sidecars of the own cluster call them the same way', async (rig) => {
  await rig.policies([]);
  const { by, byStatus } = await rig.tally(100, { from: 'productpage' });
  expect(byStatus).toEqual({ 200: 100 });
  expect(Object.keys(by).sort()).toEqual(['reviews-v1', 'reviews-v2']);
  expect(await rig.client('productpage').admin('/clusters')).toContain(`envoy://tunnel|east/${V1}:15006`);
});

behaviour('GM-003', 'gateway mode: HTTP/2', 'a port of gRPC is called by HTTP/2 to the end', async (rig) => {
  await rig.policies([]);
  for (const from of ['details', 'productpage']) {
    const { status, servedBy } = await rig.call({ from, host: `${AUTHORITY}:82`, http2: true });
    expect([status, servedBy.slice(0, 8)]).toEqual([200, 'reviews-']);
  }
});

behaviour('GM-004', 'gateway mode: TCP', 'connections are carried byte by byte', async (rig) => {
  await rig.policies([]);
  const answered = new Set<string | undefined>();
  for (let time = 0; time < 20; time += 1) answered.add(await answersTcp(rig, time % 2 === 0 ? 'details' : 'cart'));
  expect([...answered].sort()).toEqual(['reviews-v1', 'reviews-v2']);
});

behaviour(
  'GM-005',
  'gateway mode: a port of no named protocol',
  'HTTP is told from other connections by what the caller found out',
  async (rig) => {
    await rig.policies([]);
    expect((await rig.call({ from: 'details', host: `${AUTHORITY}:8000` })).status).toBe(200);
  },
);

behaviour('GM-006', 'gateway mode: DestinationRule.subsets', 'a subset is the Pods that bear its labels', async (rig) => {
  const route = [{ destination: { host: 'reviews', subset: 'two' } }];
  await rig.policies([
    policy('DestinationRule', { host: 'reviews', subsets: [{ name: 'two', labels: { version: 'v2' } }] }),
    policy('VirtualService', { hosts: ['reviews'], http: [{ route }] }),
  ]);
  expect((await rig.tally(40, { from: 'details' })).by).toEqual({ 'reviews-v2': 40 });
});

behaviour(
  'GM-007',
  'gateway mode: AuthorizationPolicy.selector',
  'a policy for one version holds for its Pods alone, and sees who calls',
  async (rig) => {
    const principals = ['cluster.local/ns/bookinfo/sa/productpage', 'west.hawser/ns/bookinfo/sa/details'];
    const subsets = ['v1', 'v2'].map((version) => ({ name: version, labels: { version } }));
    const http = ['v1', 'v2'].map((subset) => ({
      match: [{ uri: { prefix: `/${subset}` } }],
      route: [{ destination: { host: 'reviews', subset } }],
    }));
    await judged(
      rig,
      [
        policy('DestinationRule', { host: 'reviews', subsets }),
        policy('VirtualService', { hosts: ['reviews'], http }),
        authorization({ selector: { matchLabels: { version: 'v2' } }, rules: [{ from: [{ source: { principals } }] }] }),
      ],
      [
        [{ from: 'details', path: '/v1' }, 200],
        [{ from: 'details', path: '/v2' }, 200],
        [{ from: 'productpage', path: '/v2' }, 200],
        [{ from: 'cart', path: '/v1' }, 200],
        [{ from: 'cart', path: '/v2' }, 403],
      ],
    );
  },
);

behaviour('GM-008', 'gateway mode: AuthorizationPolicy of TCP', 'holds for connections of one version alone as well', async (rig) => {
  await rig.policies([authorization({ action: 'DENY', selector: { matchLabels: { version: 'v2' } }, rules: [{}] })]);
  await until(
    async () => {
      const answered = await Promise.all(Array.from({ length: 12 }, () => answersTcp(rig, 'details')));
      return answered.includes('reviews-v1') && !answered.includes('reviews-v2');
    },
    () => 'v2 is still answering',
  );
});

behaviour(
  'GM-009',
  'gateway mode: identities',
  'callers see the gateway, metrics of the gateway see the caller and the Pod',
  async (rig) => {
    await rig.policies([]);
    await rig.tally(20, { from: 'details' });
    const gateway = 'spiffe://east.hawser/ns/hawser-system/sa/gateway';
    const caller = 'spiffe://west.hawser/ns/bookinfo/sa/details';
    const there = await seen(rig.mesh.envoyAt(GATEWAY), 'istio_requests_total', {
      ...{ reporter: 'destination', source_principal: caller, destination_principal: gateway },
      ...{ destination_workload: 'reviews-v1', destination_version: 'v1', destination_service_name: 'reviews', response_code: '200' },
    });
    expect(there.value).toBeGreaterThan(0);
    await seen(rig.client('details'), 'istio_requests_total', { reporter: 'source', destination_principal: gateway });
  },
);

behaviour(
  'GM-010',
  'gateway mode: what is refused',
  'an address that is no such workload is 503; a stranger is refused, and whoever says the name of another service is judged all the same',
  async (rig) => {
    await rig.policies([]);
    const west = await rig.mesh.domain('west').issue('spiffe://west.hawser/ns/bookinfo/sa/details');
    const to = { authority: `${AUTHORITY}:9000`, endpoint: named(V1), servername: '9000.reviews.bookinfo' };
    expect(await sayWithin(GATEWAY, west, to)).toBe('reviews-v1\nhello\n');
    for (const endpoint of [named(V3), `${V1}:15006`, named(V1).replace('15006', '9081'), named(V1).replace('9000', '80')])
      expect(await sayWithin(GATEWAY, west, { ...to, endpoint })).toBe('503');
    const stranger = await (await createTrustDomain('west.hawser')).issue('spiffe://west.hawser/ns/bookinfo/sa/details');
    expect(await sayWithin(GATEWAY, stranger, to)).toBe('refused');
    expect(await askTunnel(GATEWAY, stranger, to)).toBe('refused');
    const denied = { action: 'DENY', selector: { matchLabels: { app: 'reviews' } }, rules: [{ to: [{ operation: { ports: ['9081'] } }] }] };
    await rig.policies([authorization(denied)]);
    for (const servername of [to.servername, '9000.ratings.bookinfo', '80.reviews.bookinfo'])
      await until(
        async () => (await sayWithin(GATEWAY, west, { ...to, servername })) === 'refused',
        () => `${servername} is answered`,
      );
  },
);

behaviour('GM-011', 'gateway mode: ServiceExport', 'what a cluster keeps to itself is served to its own callers alone', async (rig) => {
  await rig.policies([]);
  reviews(rig, { v1: V1 }, false);
  await rig.settled();
  const to = { authority: `${AUTHORITY}:9000`, endpoint: named(V1), servername: '9000.reviews.bookinfo' };
  const caller = (cluster: string) => rig.mesh.domain(cluster).issue(`spiffe://${cluster}.hawser/ns/bookinfo/sa/details`);
  const [east, west] = [await caller('east'), await caller('west')];
  await until(
    async () => (await sayWithin(GATEWAY, west, to)) === 'refused',
    () => 'a caller of another trust domain is still served',
  );
  expect(await sayWithin(GATEWAY, east, to)).toBe('reviews-v1\nhello\n');
  expect((await rig.call({ from: 'productpage', host: 'reviews.bookinfo.svc.cluster.local' })).status).toBe(200);
  reviews(rig, { v1: V1, v2: V2 });
  await rig.settled();
});

behaviour('GM-012', 'gateway mode: Pods come and go', 'connections to the others stay, and the new one is called', async (rig) => {
  await rig.policies([]);
  // A connection that comes to a chain which is just being replaced is asked to leave with it: not what is looked at here.
  for (const envoy of [rig.mesh.envoyAt(GATEWAY), rig.client('details')])
    await until(
      async () => !/total_\w+_(draining|warming): [1-9]/.test(await envoy.admin('/stats?filter=listener_manager')),
      () => 'listeners are being replaced',
    );
  const at = await rig.listener(TCP, 'details');
  if (at === undefined) throw new Error('no listener for the port');
  const lines: string[] = [];
  let isClosed = false;
  const socket = connect(at.port, at.address);
  socket.on('data', (part: Buffer) => lines.push(part.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
  });
  socket.write('one\n');
  await until(
    () => lines.join('').endsWith('one\n'),
    () => 'no echo',
  );
  const third = await startEchoApp('reviews-v3', V3);
  reviews(rig, { v1: V1, v2: V2, v3: V3 });
  await rig.settled();
  await until(
    async () => (await rig.tally(30, { from: 'details' })).by['reviews-v3'] !== undefined,
    () => 'the new one is not called',
  );
  reviews(rig, { v1: V1, v2: V2 });
  await rig.settled();
  await third.stop();
  socket.write('two\n');
  await until(
    () => lines.join('').endsWith('two\n'),
    () => 'no echo any more',
  );
  expect(isClosed).toBe(false);
  socket.destroy();
});

behaviour('GM-013', 'gateway mode: a Pod dies', 'no request fails', async (rig) => {
  await rig.policies([]);
  reviews(rig, { v1: V1, v2: V2, v3: V3 });
  const third = await startEchoApp('reviews-v3', V3);
  await rig.settled();
  const running = rig.tally(3_000, { from: 'details' });
  await until(
    () => third.received.length > 50,
    () => 'the third one is not called',
  );
  await third.stop();
  expect((await running).byStatus).toEqual({ 200: 3_000 });
  expect((await rig.tally(60, { from: 'details', method: 'POST' })).byStatus).toEqual({ 200: 60 });
  reviews(rig, { v1: V1, v2: V2 });
  await rig.settled();
});

behaviour(
  'GM-014',
  'gateway mode: drills',
  'what a drill does to a service its gateways do to its workloads, and it is lifted',
  async (rig) => {
    const once = policy('VirtualService', {
      hosts: ['reviews'],
      http: [{ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 0 } }],
    });
    const outlierDetection = { consecutiveGatewayErrors: 0, consecutiveLocalOriginFailures: 0 };
    const noEjection = policy('DestinationRule', { host: 'reviews', trafficPolicy: { outlierDetection } });
    const run = (fault: object) => {
      const inject = { scope: { region: 'east' }, services: ['bookinfo/reviews'], fault };
      return { ...policy('DrillRun', { run: 'run', lease: '15s', inject }), metadata: { name: 'run' } };
    };
    await judged(rig, [once, run({ error: 500 })], [[{ from: 'details' }, 500]]);
    await judged(rig, [once, run({ refuse: true }), noEjection], [[{ from: 'details' }, 503]]);
    await judged(rig, [once, noEjection], [[{ from: 'details' }, 200]]);
  },
);
