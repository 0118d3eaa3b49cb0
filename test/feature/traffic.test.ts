/**
 * Measured traffic against the client's own log: real hub, NATS, agents and Envoys as processes. What is counted must be exact, also
 * when the agent and the hub are killed in between.
 */
import type { TrafficAnswer } from '@hawser/wire/traffic-api.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type App, startApp } from '../datapath/kit/app.ts';
import { burst, call, type Tally } from '../datapath/kit/load.ts';
import { until } from '../datapath/kit/until.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';

const HOST = 'reviews.bookinfo.svc.clusterset.local';
const CLIENT = '127.84.7.11';
const VERSIONS = { v1: '127.84.7.12', v2: '127.84.7.22' } as const;
const ONE_NETWORK = ['--network', 'lan'];
const to = { via: CLIENT, host: HOST };

const federation = new HawserProcesses();
let east: RunningCluster;
const startedAt = Date.now();
const apps = new Map<string, App>();
/** What the client saw. */
const log = { requests: 0, failures: 0, by: new Map<string, number>() };

function workload(service: string, address: string, version: string): object {
  const spec = { address, labels: { app: service, version }, serviceAccount: service, ports: { http: 9080 } };
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { name: `${service}-${version}`, namespace: 'bookinfo' },
    spec,
  };
}

function registry(...workloads: readonly object[]): Record<string, string> {
  const metadata = { name: 'reviews', namespace: 'bookinfo' };
  const ports = [{ name: 'http', port: 80, targetPort: 9080 }];
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: 'reviews' }, ports } };
  const exported = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata };
  return { 'reviews.yaml': [service, exported, ...workloads].map((document) => stringify(document)).join('---\n') };
}

const POLICY = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: bookinfo}
spec:
  host: reviews
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 0}}
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec:
  hosts: [reviews]
  http:
    - retries: {attempts: 1, retryOn: 5xx}
      route:
        - {destination: {host: reviews, subset: v1}, weight: 70}
        - {destination: {host: reviews, subset: v2}, weight: 30}
`;

/** Every tenth request is answered 503 the first time it comes; every twenty-fifth always 500. */
function answersOf(app: App, version: string): App['answer'] {
  let arrived = 0;
  const failing = new Set<string>();
  return (request, response) => {
    arrived += 1;
    const id = String(request.headers['x-request-id']);
    const isAgain = Number(request.headers['x-envoy-attempt-count'] ?? 1) > 1;
    if (!isAgain && arrived % 25 === 0) failing.add(id);
    const status = failing.has(id) ? 500 : !isAgain && arrived % 10 === 0 ? 503 : 200;
    app.received.set('attempts', (app.received.get('attempts') ?? 0) + 1);
    response.writeHead(status, { 'x-served-by': version }).end();
  };
}

async function send(count: number): Promise<void> {
  const tally: Tally = await burst(to, count, 10);
  log.requests += tally.sent;
  log.failures += tally.failed;
  for (const [version, served] of tally.by) log.by.set(version, (log.by.get(version) ?? 0) + served);
}

async function traffic(more: Readonly<Record<string, string>> = {}): Promise<TrafficAnswer> {
  const query = new URLSearchParams({ service: 'bookinfo/reviews', source: 'east', by: 'cluster,version', ...more });
  return JSON.parse(await federation.api(`/hawser/v1/traffic?${query}`)) as TrafficAnswer;
}

function total(rows: TrafficAnswer['rows'], count: 'requests' | 'failures' | 'attempts' | 'retries'): number {
  return rows.reduce((sum, row) => sum + row[count], 0);
}

/** Waits until the hub has counted what the client sent, then holds it against both ends. */
async function expectExact(more: Readonly<Record<string, string>>): Promise<TrafficAnswer> {
  let seen: TrafficAnswer | undefined;
  await until(
    async () => {
      seen = await traffic(more);
      return total(seen.rows ?? [], 'requests') >= log.requests;
    },
    () => `the hub counts ${JSON.stringify(seen)}, the client ${JSON.stringify(log)}`,
  );
  const { rows } = seen as TrafficAnswer;
  const attempts = [...apps.values()].reduce((sum, app) => sum + (app.received.get('attempts') ?? 0), 0);
  expect({ requests: total(rows, 'requests'), failures: total(rows, 'failures') }).toEqual({
    requests: log.requests,
    failures: log.failures,
  });
  expect(total(rows, 'attempts')).toBe(attempts);
  expect(total(rows, 'retries')).toBe(attempts - log.requests);
  for (const version of ['v1', 'v2']) {
    const row = rows.find(({ destination }) => destination.version === version);
    expect([version, row?.destination.cluster]).toEqual([version, version === 'v1' ? 'east' : 'west']);
    expect([version, row?.attempts]).toEqual([version, apps.get(version)?.received.get('attempts')]);
    expect(row?.share).toBeCloseTo((row?.attempts ?? 0) / attempts, 4);
  }
  return seen as TrafficAnswer;
}

const since = (): Record<string, string> => ({ from: new Date(startedAt).toISOString() });

beforeAll(async () => {
  await federation.startHub();
  const client = workload('client', CLIENT, 'v1');
  let west: RunningCluster;
  [east, west] = await Promise.all([
    federation.join('east', registry(workload('reviews', VERSIONS.v1, 'v1'), client), ONE_NETWORK),
    federation.join('west', registry(workload('reviews', VERSIONS.v2, 'v2')), ONE_NETWORK),
  ]);
  for (const [version, address] of Object.entries(VERSIONS)) {
    const app = await startApp(version, address);
    app.answer = answersOf(app, version);
    apps.set(version, app);
  }
  const agent = (cluster: RunningCluster): readonly string[] => [`127.0.0.1:${cluster.xdsPort}`];
  await Promise.all([
    federation.proxy('east', { serviceAccount: 'client', address: CLIENT, agents: agent(east) }),
    federation.proxy('east', { serviceAccount: 'reviews', address: VERSIONS.v1, agents: agent(east), name: 'reviews-v1' }),
    federation.proxy('west', { serviceAccount: 'reviews', address: VERSIONS.v2, agents: agent(west), name: 'reviews-v2' }),
  ]);
  const applied = await federation.run(['apply', '-f', '-', '--wait'], { input: POLICY });
  expect(applied.stderr).not.toContain('refused');
  // Both answer, by the policy.
  const served = new Set<string>();
  await until(
    async () => {
      served.add((await call(to)).servedBy);
      return served.has('v1') && served.has('v2');
    },
    () => `served by ${[...served].join()}: ${applied.stderr}`,
  );
  await settled();
}, 120_000);

afterAll(async () => {
  await federation.stop();
  await Promise.all([...apps.values()].map((app) => app.crash()));
});

/** What came before is counted: from here on, the client's log begins with that. */
async function settled(): Promise<void> {
  const last = Date.now();
  let quiet: TrafficAnswer | undefined;
  await until(
    async () => {
      quiet = await traffic({ window: '2s' });
      const [coverage] = quiet.coverage ?? [];
      const isKnown = coverage?.seconds === 2 && coverage.unreadProxies === 0;
      return isKnown && quiet.rows.length === 0 && Date.parse(quiet.from) > last + 1_000;
    },
    () => `it is never quiet: ${JSON.stringify(quiet)}`,
  );
  const { rows } = await traffic(since());
  log.requests = total(rows, 'requests');
  log.failures = total(rows, 'failures');
}

it('counts client requests, failures, attempts and retries apart, by destination', async () => {
  await send(1_000);
  const { coverage, resolution } = await expectExact(since());
  expect(resolution).toBe('second');
  expect(coverage).toMatchObject([{ cluster: 'east', unreadProxies: 0 }]);
  expect(log.failures).toBeGreaterThan(0);
  // Envoy merges latencies when it is asked: they come with the second after.
  const counted = async (): Promise<boolean> => {
    const latencies = (await traffic(since())).rows.map(({ buckets }) => buckets.reduce((sum, count) => sum + count, 0));
    return latencies.reduce((sum, count) => sum + count, 0) === log.requests;
  };
  await until(counted, () => 'latencies are missing');
  for (const { latency } of (await traffic(since())).rows) expect(latency.p50).toBeGreaterThan(0);
  const top = await federation.run(['top', 'bookinfo/reviews', '--window', '5m']);
  expect(top.stdout).toMatch(/east\s+west\s+v2/);
}, 60_000);

it('says that nothing is known of a cluster that is silent', async () => {
  const { coverage } = await traffic({ source: 'north', window: '5s' });
  expect(coverage).toEqual([{ cluster: 'north', seconds: 0, unreadProxies: 0 }]);
});

it('loses no request when the agent is killed, nor when the hub is', async () => {
  await east.agent.end('SIGKILL');
  await send(300);
  await east.startAgain();
  await expectExact(since());
  // Written by the minute: what the next hub goes on from.
  const past = { from: new Date(startedAt - 20 * 60_000).toISOString() };
  const written = async (): Promise<number> => total((await traffic(past).catch(() => undefined))?.rows ?? [], 'requests');
  await until(
    async () => (await written()) === log.requests,
    () => 'nothing was written',
  );
  await send(200);
  await federation.hub?.end('SIGKILL');
  await send(300);
  await federation.startHubAgain();
  let last = 0;
  await until(
    async () => {
      last = await written();
      return last >= log.requests;
    },
    () => `the hub counts ${last} of ${log.requests} requests`,
  );
  const { rows, resolution } = await traffic(past);
  expect(resolution).toBe('minute');
  expect([total(rows, 'requests'), total(rows, 'failures')]).toEqual([log.requests, log.failures]);
}, 120_000);
