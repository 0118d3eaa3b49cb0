/** Brings the federation up: what the first request across regions needs first, then everything else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cli, createCli, mustRun } from './cli.ts';
import { Fleet } from './fleet.ts';
import type { Narrator } from './narrator.ts';
import type { DemoOptions, FleetOptions } from './options.ts';
import type { Supervised } from './processes.ts';
import { ingressSpec } from './specs.ts';
import { type DemoCluster, demoClusters, hostOf, KUBERNETES_REGION, NAMESPACE, REGIONS, sidecarOf, type Workload } from './topology.ts';
import { get, waitFor } from './wait.ts';

/** A federation that is up. */
export interface RunningDemo {
  readonly options: DemoOptions;
  readonly fleet: Fleet;
  readonly cli: Cli;
  readonly say: Narrator;
  /** Setup done → first request answered by another region, seconds. */
  readonly firstRequestS: number;
}

/** What the first request needs: a client in us-east calls ratings, which us-east does not have. */
const FIRST = { from: 'us-east', client: 'client-v1', to: 'us-west', server: 'ratings-v1', service: 'ratings' } as const;
const FIRST_REQUEST_MS = 60_000;

/** How a failover policy and the subsets of reviews are written; scenario and people add to it. */
const BASELINE = [
  {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'FailoverPolicy',
    metadata: { namespace: NAMESPACE, name: 'all-services' },
    // What a region takes of each service is said, so that plans of drains and drills know whether there is room.
    spec: { order: [...REGIONS], capacity: { regions: Object.fromEntries(REGIONS.map((region) => [region, 1_000])) } },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { namespace: NAMESPACE, name: 'reviews' },
    spec: { host: hostOf('reviews'), subsets: ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } })) },
  },
];

/** The bearer token of a hub that keeps its state here. */
export function adminToken(stateDir: string): string {
  return readFileSync(join(stateDir, 'admin.token'), 'utf8').trim();
}

/** The command line against the hub of these options. */
export function cliOf({ hubPort, stateDir }: FleetOptions): Cli {
  return createCli({ HAWSER_SERVER: `http://127.0.0.1:${hubPort}`, HAWSER_STATE_DIR: stateDir, HAWSER_TOKEN: '' });
}

/** The clusters of a demo of these options. */
export function clustersOf({ loopbackBase, kubernetes, stateDir }: DemoOptions): DemoCluster[] {
  return demoClusters(loopbackBase, { kubernetes: kubernetes ? [KUBERNETES_REGION] : [], stateDir });
}

/** Starts everything; `started` is when setup was done (`performance.now()`). `onFleet` gets the fleet before its first process. */
export async function startDemo(
  options: DemoOptions,
  say: Narrator,
  { started, onFleet }: { started: number; onFleet: (fleet: Fleet) => void },
): Promise<RunningDemo> {
  const fleet = new Fleet(options, clustersOf(options), (one, how) =>
    say.warn(`${one.spec.name} (pid ${one.record.pid}) ended by itself: ${how}; log: ${fleet.processes.logFile(one.spec)}`),
  );
  onFleet(fleet);
  const cli = cliOf(options);
  say.part('Starting the federation');
  say.progress('hub, PostgreSQL and NATS start');
  await fleet.writeFiles();
  const onKubernetes = fleet.clusters.filter(({ kubeconfig }) => kubeconfig !== undefined);
  const apiServers = onKubernetes.map((cluster) => fleet.startKubernetes(cluster, options.loopbackBase));
  await Promise.all([fleet.startHub(), startFirstServer(fleet), ...apiServers]);
  say.done(`hub is ready on http://127.0.0.1:${options.hubPort}, with PostgreSQL and NATS`);
  for (const { name, kubeconfig } of onKubernetes)
    say.done(`${name} is a cluster on Kubernetes: kubectl --kubeconfig ${kubeconfig} get pods -A`);
  await joinFirst(fleet, cli, say);
  const firstRequestS = await firstRequest(fleet, started, say);
  await startRest(fleet, { cli, say, ingressPort: options.ingressPort });
  return { options, fleet, cli, say, firstRequestS };
}

function startFirstServer(fleet: Fleet): Promise<void> {
  return fleet.startApp(fleet.cluster(FIRST.to), fleet.workload(FIRST.to, FIRST.server));
}

/** Joins a cluster by a token of its own, and starts its agent. */
export async function joinCluster(fleet: Fleet, cli: Cli, cluster: DemoCluster): Promise<void> {
  const args = ['cluster', 'join', cluster.name, '--region', cluster.region, '--zone', cluster.zone, '--provider', 'demo'];
  const token = await mustRun(cli, args);
  await fleet.startAgent(cluster, token.trim());
}

async function joinFirst(fleet: Fleet, cli: Cli, say: Narrator): Promise<void> {
  const [from, to] = [fleet.cluster(FIRST.from), fleet.cluster(FIRST.to)];
  say.progress(`${from.name} and ${to.name} join`);
  await Promise.all([
    joinCluster(fleet, cli, from).then(() => fleet.startProxy(from, fleet.workload(from.name, FIRST.client))),
    joinCluster(fleet, cli, to).then(() =>
      Promise.all([fleet.startGateway(to), fleet.startProxy(to, fleet.workload(to.name, FIRST.server))]),
    ),
  ]);
  fleet.save();
  say.done(`${from.name} and ${to.name} have joined: an agent each, a gateway, the first sidecars`);
}

async function firstRequest(fleet: Fleet, started: number, say: Narrator): Promise<number> {
  const url = `http://${sidecarOf(fleet.workload(FIRST.from, FIRST.client))}/ratings/0`;
  const ask = async (): Promise<string | undefined> => {
    const { status, headers } = await get(url, { host: hostOf(FIRST.service) });
    return status === 200 ? String(headers['x-hawser-region']) : undefined;
  };
  const region = await waitFor(`${FIRST.service} does not answer ${FIRST.from}`, ask, { timeoutMs: FIRST_REQUEST_MS });
  const seconds = (performance.now() - started) / 1_000;
  say.done(
    `first request across regions: a client in ${FIRST.from} was answered by ${FIRST.service} in ${region}, ${seconds.toFixed(1)} s after setup`,
  );
  return seconds;
}

async function startRest(fleet: Fleet, { cli, say, ingressPort }: { cli: Cli; say: Narrator; ingressPort: number }): Promise<void> {
  const [from, to] = [fleet.cluster(FIRST.from), fleet.cluster(FIRST.to)];
  const last = fleet.clusters.filter((cluster) => cluster !== from && cluster !== to);
  await Promise.all([...last.map((cluster) => joinCluster(fleet, cli, cluster)), fleet.startGateway(from)]);
  await applyBaseline(cli); // it names every region, so every region is there first
  say.done(`${last.map(({ name }) => name).join(', ')} joined; failover policy and the versions of reviews are applied`);
  for (const cluster of fleet.clusters) {
    say.progress(`workloads of ${cluster.name} start, a sidecar each`);
    const gateway = last.includes(cluster) ? [fleet.startGateway(cluster)] : [];
    await Promise.all([...gateway, ...cluster.workloads.map((workload) => startWorkload(fleet, cluster, workload))]);
    fleet.save();
    say.done(
      `${cluster.name}: ${cluster.workloads
        .filter(({ service }) => service !== 'client')
        .map(({ name }) => name)
        .join(', ')}`,
    );
  }
  const ingress = fleet.processes.start(ingressSpec(fleet.clusters, ingressPort));
  await waitFor('the ingress does not answer', async () => ((await get(pageUrl(ingress))).status === 200 ? true : undefined), {
    timeoutMs: 30_000,
  });
  fleet.save();
}

function pageUrl(ingress: Supervised): string {
  return `http://${ingress.spec.address}:${ingress.spec.adminPort}/`;
}

/** Starts what a workload lacks of application and sidecar. */
export async function startWorkload(fleet: Fleet, cluster: DemoCluster, workload: Workload): Promise<void> {
  const running = (kind: string): boolean => fleet.named(`${cluster.name}-${workload.name}-${kind}`).length > 0;
  await Promise.all([
    running('app') ? undefined : fleet.startApp(cluster, workload),
    running('proxy') ? undefined : fleet.startProxy(cluster, workload),
  ]);
}

async function applyBaseline(cli: Cli): Promise<void> {
  await mustRun(cli, ['apply', '-f', '-'], BASELINE.map((resource) => JSON.stringify(resource)).join('\n---\n'));
}
