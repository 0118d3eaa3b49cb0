/** The running federation: its processes by their place, and `demo.json` kept in step with them. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT } from '@hawser/model/fleet.ts';
import { type ClusterRecord, writeDemoFile } from './demo-file.ts';
import type { FleetOptions } from './options.ts';
import { isLiving, ownRecord, type ProcessRecord, ProcessSet, type Supervised } from './processes.ts';
import { registryFiles } from './registry.ts';
import { agentSpec, appSpec, clusterFiles, gatewaySpec, hubSpec, kubernetesSpec, sidecarSpec } from './specs.ts';
import { APP_PORT, type DemoCluster, NAMESPACE, type Workload } from './topology.ts';
import { answersOk, waitFor } from './wait.ts';

/** A long wait: several of these run on two cores at once. */
const START_MS = 60_000;

/** A federation that is being started, run and torn apart. */
export class Fleet {
  readonly options: FleetOptions;
  readonly clusters: readonly DemoCluster[];
  readonly processes: ProcessSet;
  readonly #byName = new Map<string, Supervised>();

  constructor(options: FleetOptions, clusters: readonly DemoCluster[], onUnexpectedEnd: (process: Supervised, how: string) => void) {
    this.options = options;
    this.clusters = clusters;
    const logs = join(options.stateDir, 'demo', 'logs');
    rmSync(logs, { recursive: true, force: true });
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    this.processes = new ProcessSet(logs, onUnexpectedEnd);
  }

  /** The demo's cluster of that name; throws when there is none. */
  cluster(name: string): DemoCluster {
    const found = this.clusters.find((cluster) => cluster.name === name);
    if (found === undefined) throw new Error(`the demo has no cluster ${name}`);
    return found;
  }

  /** A workload by cluster and name, such as `reviews-v2`. */
  workload(cluster: string, name: string): Workload {
    const found = this.cluster(cluster).workloads.find((workload) => workload.name === name);
    if (found === undefined) throw new Error(`the demo has no workload ${name} in ${cluster}`);
    return found;
  }

  /** Processes by name, of those that were started: `us-east-agent`, `us-east-reviews-v1-app`, `us-east-reviews-v1-proxy`. */
  named(...names: readonly string[]): Supervised[] {
    return names.flatMap((name) => this.#byName.get(name) ?? []);
  }

  /** Applications and sidecars of every instance of a service in a cluster. */
  instances(cluster: string, service: string): { apps: Supervised[]; proxies: Supervised[] } {
    const names = this.cluster(cluster)
      .workloads.filter((workload) => workload.service === service)
      .map(({ name }) => `${cluster}-${name}`);
    return { apps: this.named(...names.map((name) => `${name}-app`)), proxies: this.named(...names.map((name) => `${name}-proxy`)) };
  }

  /** Everything of one region: agent, gateway, sidecars, workloads. */
  region(cluster: string): Supervised[] {
    return [...this.#byName.values()].filter(({ spec }) => spec.name.startsWith(`${cluster}-`));
  }

  /** Writes registries and proxy tokens; both are there before anything reads them. */
  async writeFiles(): Promise<void> {
    for (const cluster of this.clusters) {
      const files = clusterFiles(this.options.stateDir, cluster.name);
      for (const folder of [files.registryDir, join(files.postsOf('x'), '..'), join(files.tokenOf('x'), '..')]) {
        rmSync(folder, { recursive: true, force: true });
        mkdirSync(folder, { recursive: true, mode: 0o700 });
      }
      if (cluster.kubeconfig === undefined)
        for (const [name, content] of registryFiles(cluster)) writeFileSync(join(files.registryDir, name), content);
      const agentDir = join(this.options.stateDir, 'agents', cluster.name);
      const accounts = new Set(cluster.workloads.map(({ service }) => service));
      const mint = async (namespace: string, serviceAccount: string): Promise<void> => {
        const token = await mintProxyToken({ agentDir, cluster: cluster.name, namespace, serviceAccount });
        writeFileSync(files.tokenOf(serviceAccount), `${token}\n`, { mode: 0o600 });
      };
      await mint(GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT);
      if (cluster.kubeconfig === undefined) for (const account of accounts) await mint(NAMESPACE, account);
    }
  }

  /** Starts the hub (and with it, where they are not given, PostgreSQL and NATS); resolves when it is ready. */
  async startHub(): Promise<void> {
    const hub = this.#byName.get('hub');
    if (hub === undefined) this.#keep(this.processes.start(hubSpec(this.options)));
    else this.processes.restart(hub);
    this.save();
    await this.ready('hub', '/readyz');
    this.save(); // now its database and NATS are known
  }

  /** Starts the API server of a cluster on Kubernetes; resolves when it holds all objects, and tokens and kubeconfig are written. */
  startKubernetes(cluster: DemoCluster, loopbackBase: string): Promise<void> {
    const { spec } = this.#keep(this.processes.start(kubernetesSpec(cluster, { stateDir: this.options.stateDir, loopbackBase })));
    return this.ready(spec.name, '/healthz');
  }

  /** Starts a cluster's agent with a join token; resolves when it is ready. */
  async startAgent(cluster: DemoCluster, token: string): Promise<void> {
    const agent = this.#keep(this.processes.start(agentSpec(cluster, this.options, token)));
    await this.ready(agent.spec.name, '/readyz');
  }

  /** Starts a gateway; resolves when Envoy is live. */
  startGateway(cluster: DemoCluster): Promise<void> {
    const gateway = this.#keep(this.processes.start(gatewaySpec(cluster, this.options.stateDir)));
    return this.ready(gateway.spec.name, '/ready');
  }

  /** Starts a workload's application; resolves when it answers (a load client has nothing to answer). */
  startApp(cluster: DemoCluster, workload: Workload): Promise<void> {
    const app = this.#keep(this.processes.start(appSpec(cluster, workload, this.options.stateDir)));
    return workload.service === 'client' ? Promise.resolve() : this.ready(app.spec.name, '/healthz');
  }

  /** Starts a workload's sidecar; resolves when Envoy is live. */
  startProxy(cluster: DemoCluster, workload: Workload): Promise<void> {
    const proxy = this.#keep(this.processes.start(sidecarSpec(cluster, workload, this.options.stateDir)));
    return this.ready(proxy.spec.name, '/ready');
  }

  /** Starts killed processes again, as they were, and waits until each answers. */
  async restart(victims: readonly Supervised[]): Promise<void> {
    for (const one of victims) this.processes.restart(one);
    this.save();
    await Promise.all(victims.map(({ spec }) => this.#readyAgain(spec.name)));
  }

  /** Resolves when the process answers 200 at a path of its admin port; throws with the end of its log when it ended. */
  async ready(name: string, path: string): Promise<void> {
    const one = this.#byName.get(name);
    if (one === undefined) throw new Error(`${name} was not started`);
    const url = `http://${one.spec.address}:${one.spec.adminPort}${path}`;
    const hopeless = (): string | undefined => (isLiving(one) ? undefined : `it ended\n${this.processes.logTail(one)}`);
    await waitFor(`${name} is not ready`, () => answersOk(url), { timeoutMs: START_MS, hopeless }).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n(log: ${this.processes.logFile(one.spec)})`);
    });
  }

  #readyAgain(name: string): Promise<void> {
    if (name.endsWith('-client-v1-app')) return Promise.resolve();
    return this.ready(name, name.endsWith('-app') ? '/healthz' : name.endsWith('-agent') || name === 'hub' ? '/readyz' : '/ready');
  }

  #keep(one: Supervised): Supervised {
    this.#byName.set(one.spec.name, one);
    this.save();
    return one;
  }

  /** PostgreSQL or NATS that the hub started, by the hub's own record; null when there is none. */
  serverOf(name: 'postgres' | 'nats'): ProcessRecord | null {
    try {
      const all = JSON.parse(readFileSync(join(this.options.stateDir, 'hub', 'processes.json'), 'utf8')) as Partial<
        Record<string, ProcessRecord>
      >;
      const record = all[name];
      if (record === undefined) return null;
      const port = name === 'postgres' ? this.options.postgresPort : this.options.natsPort;
      return { ...record, address: '127.0.0.1', adminPort: port };
    } catch {
      return null;
    }
  }

  /** Writes `demo.json` as things are now. */
  save(): void {
    const { stateDir, databaseUrl, natsUrl } = this.options;
    const record = (name: string): ProcessRecord | null => this.#byName.get(name)?.record ?? null;
    const clusters = this.clusters.map(
      ({ name, region, workloads }): ClusterRecord => ({
        name,
        region,
        registryDir: clusterFiles(stateDir, name).registryDir,
        agent: record(`${name}-agent`),
        gateway: record(`${name}-gateway`),
        workloads: workloads.map(({ service, version, address, name: workload }) => {
          const [app, proxy] = [record(`${name}-${workload}-app`), record(`${name}-${workload}-proxy`)];
          return { service, version, namespace: NAMESPACE, address, port: APP_PORT, app, proxy };
        }),
      }),
    );
    const placed = new Set([...this.#byName.values()].filter(({ spec }) => !spec.name.startsWith('kubernetes-')));
    const others = this.processes.all.filter((one) => !placed.has(one)).map((one) => one.record);
    const demo = ownRecord();
    const postgres = databaseUrl === undefined ? this.serverOf('postgres') : null;
    const nats = natsUrl === undefined ? this.serverOf('nats') : null;
    writeDemoFile(stateDir, { hub: record('hub'), postgres, nats, clusters, demo, others });
  }
}
