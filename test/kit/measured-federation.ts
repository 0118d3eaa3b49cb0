/** A service of two versions in two clusters, a client that calls it, and what the hub measured of that: all of it as processes. */
import type { TrafficAnswer } from '@hawser/wire/traffic-api.ts';
import { stringify } from 'yaml';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, type Tally } from '../datapath/kit/load.ts';
import { until } from '../datapath/kit/until.ts';
import { HawserProcesses, type Running, type RunningCluster } from './hawser-processes.ts';

const HOST = 'reviews.bookinfo.svc.clusterset.local';
const ONE_NETWORK = ['--network', 'lan'];
/** A third number of addresses for each that runs at the same time. */
const addressesOf = (net: number) => ({ client: `127.84.${net}.11`, v1: `127.84.${net}.12`, v2: `127.84.${net}.22` });

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

/** It runs. */
export class MeasuredFederation {
  readonly processes = new HawserProcesses();
  readonly apps = new Map<string, App>();
  /** What the client saw. */
  readonly log = { requests: 0, failures: 0 };
  readonly startedAt = Date.now();
  readonly #addresses: ReturnType<typeof addressesOf>;
  readonly #clusters = new Map<string, RunningCluster>();

  constructor(net: number) {
    this.#addresses = addressesOf(net);
  }

  /** Where the client calls. */
  get to() {
    return { via: this.#addresses.client, host: HOST };
  }

  get east(): RunningCluster {
    return this.#cluster('east');
  }

  /** The whole time, and a time so long that it is answered from the database. */
  get since() {
    return { from: new Date(this.startedAt).toISOString() };
  }

  get past() {
    return { from: new Date(this.startedAt - 20 * 60_000).toISOString() };
  }

  /** Starts it and calls until both versions answer; the log begins with what was called by then. */
  async start(): Promise<void> {
    await this.processes.startHub();
    const { client, v1, v2 } = this.#addresses;
    const joined = await Promise.all([
      this.processes.join('east', registry(workload('reviews', v1, 'v1'), workload('client', client, 'v1')), ONE_NETWORK),
      this.processes.join('west', registry(workload('reviews', v2, 'v2')), ONE_NETWORK),
    ]);
    for (const cluster of joined) this.#clusters.set(cluster.name, cluster);
    for (const [version, address] of Object.entries({ v1, v2 })) {
      const app = await startApp(version, address);
      app.answer = answersOf(app, version);
      this.apps.set(version, app);
    }
    await Promise.all([this.clientProxy(), this.serverProxy('v1'), this.serverProxy('v2')]);
    const applied = await this.processes.run(['apply', '-f', '-', '--wait'], { input: POLICY });
    const served = new Set<string>();
    await until(
      async () => {
        served.add((await call(this.to)).servedBy);
        return served.has('v1') && served.has('v2');
      },
      () => `served by ${[...served].join()}: ${applied.stderr}`,
    );
    await this.#settle();
  }

  async stop(): Promise<void> {
    await this.processes.stop();
    await Promise.all([...this.apps.values()].map((app) => app.crash()));
  }

  clientProxy(): Promise<Running> {
    const agents = [`127.0.0.1:${this.#cluster('east').xdsPort}`];
    return this.processes.proxy('east', { serviceAccount: 'client', address: this.#addresses.client, agents });
  }

  serverProxy(version: 'v1' | 'v2'): Promise<Running> {
    const cluster = this.#cluster(version === 'v1' ? 'east' : 'west');
    const agents = [`127.0.0.1:${cluster.xdsPort}`];
    const workload = { serviceAccount: 'reviews', address: this.#addresses[version], agents, name: `reviews-${version}` };
    return this.processes.proxy(cluster.name, workload);
  }

  /** Enters what a client sent. */
  note(tally: Tally): void {
    this.log.requests += tally.sent;
    this.log.failures += tally.failed;
  }

  /** What the hub says of the client's calls. */
  async traffic(more: Readonly<Record<string, string>> = {}): Promise<TrafficAnswer> {
    const query = new URLSearchParams({ service: 'bookinfo/reviews', source: 'east', by: 'cluster,version', ...more });
    return JSON.parse(await this.processes.api(`/hawser/v1/traffic?${query}`)) as TrafficAnswer;
  }

  /** Waits until the hub has counted as many requests as the client sent. */
  async counted(more: Readonly<Record<string, string>>): Promise<TrafficAnswer> {
    let seen: TrafficAnswer | undefined;
    await until(
      async () => {
        seen = await this.traffic(more).catch(() => undefined);
        return total(seen?.rows ?? [], 'requests') >= this.log.requests;
      },
      () => `the hub counts ${JSON.stringify(seen)}, the client ${JSON.stringify(this.log)}`,
    );
    return seen as TrafficAnswer;
  }

  /** What came before is counted: from here on, the client's log begins with that. */
  async #settle(): Promise<void> {
    const last = Date.now();
    let quiet: TrafficAnswer | undefined;
    await until(
      async () => {
        quiet = await this.traffic({ window: '2s' });
        const [coverage] = quiet.coverage ?? [];
        const isKnown = coverage?.seconds === 2 && coverage.unreadProxies === 0;
        return isKnown && quiet.rows.length === 0 && Date.parse(quiet.from) > last + 1_000;
      },
      () => `it is never quiet: ${JSON.stringify(quiet)}`,
    );
    const { rows } = await this.traffic(this.since);
    this.log.requests = total(rows, 'requests');
    this.log.failures = total(rows, 'failures');
  }

  #cluster(name: string): RunningCluster {
    const found = this.#clusters.get(name);
    if (found === undefined) throw new Error(`${name} has not joined`);
    return found;
  }
}

/** A count of all rows. */
export function total(rows: TrafficAnswer['rows'], count: 'requests' | 'failures' | 'attempts' | 'retries'): number {
  return rows.reduce((sum, row) => sum + row[count], 0);
}
