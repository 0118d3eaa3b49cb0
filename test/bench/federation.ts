/** A small federation of real processes for one benchmark, apart from any demo: own addresses, own ports, own state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cli } from '../../deploy/demo/cli.ts';
import { Fleet } from '../../deploy/demo/fleet.ts';
import { createNarrator, type Narrator } from '../../deploy/demo/narrator.ts';
import type { FleetOptions } from '../../deploy/demo/options.ts';
import { takenPorts } from '../../deploy/demo/ports.ts';
import { adminToken, cliOf, joinCluster, startWorkload } from '../../deploy/demo/start.ts';
import { stopFleet, sweepFleet } from '../../deploy/demo/stop.ts';
import { type DemoCluster, listenersOf } from '../../deploy/demo/topology.ts';

/** What runs in a cluster: `details-v1`, `client-v1`. */
export type Plan = Readonly<Record<string, readonly string[]>>;

/** A federation that is up. */
export interface Federation {
  readonly options: FleetOptions;
  readonly fleet: Fleet;
  readonly cli: Cli;
  readonly say: Narrator;
  readonly hub: { readonly url: string; readonly token: string };
}

/** Clusters after a plan: number i on `BASE.i.1`, its workloads from `BASE.i.10` on. */
export function planned(base: string, plan: Plan): DemoCluster[] {
  return Object.entries(plan).map(([name, workloads], index) => {
    const net = `${base}.${index + 1}`;
    const placed = workloads.map((workload, number) => {
      const [service = workload, version = 'v1'] = workload.split('-');
      return { cluster: name, service, version, address: `${net}.${10 + number}`, name: workload };
    });
    return { name, region: name, zone: `${name}-a`, address: `${net}.1`, workloads: placed };
  });
}

/** Addresses `BASE.x.y` and ports of 127.0.0.1 that nothing else uses. */
export interface Place {
  readonly base: string;
  readonly hubPort: number;
  readonly postgresPort: number;
  readonly natsPort: number;
}

/** How a benchmark's federation comes up. */
export interface FederationParts {
  readonly plan: Plan;
  /** As the environment says unless given. */
  readonly place?: Place;
  /** Called when the files are written and nothing runs yet. */
  readonly prepare?: (fleet: Fleet) => void;
  /** Flags of every `hawser agent run`. */
  readonly agentFlags?: readonly string[];
  /** Of clusters on Kubernetes, by name. */
  readonly kubeconfigs?: Readonly<Record<string, string>>;
}

/** Starts a federation, runs the work in it, and takes it down whatever happens. */
export async function inFederation<T>(parts: FederationParts, work: (federation: Federation) => Promise<T>): Promise<T> {
  const { plan, place = placeIn(process.env), prepare, agentFlags = [], kubeconfigs = {} } = parts;
  const { base, ...ports } = place;
  const stateDir = mkdtempSync(join(tmpdir(), 'hawser-bench-'));
  const options: FleetOptions = { stateDir, databaseUrl: undefined, natsUrl: undefined, ...ports, agentFlags };
  const say = createNarrator(process.stderr);
  const clusters = planned(base, plan).map((cluster) => {
    const kubeconfig = kubeconfigs[cluster.name];
    return kubeconfig === undefined ? cluster : { ...cluster, kubeconfig };
  });
  const fleet = new Fleet(options, clusters, (one, how) =>
    say.warn(`${one.spec.name} ended by itself: ${how}\n${fleet.processes.logTail(one)}`),
  );
  const sweep = (): void => sweepFleet(fleet);
  const interrupt = (): void => process.exit(130);
  process.on('exit', sweep);
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  let kept = true;
  try {
    await portsFree(fleet, options);
    await fleet.writeFiles();
    prepare?.(fleet);
    const federation = await start(fleet, options, say);
    const result = await work(federation);
    kept = false;
    return result;
  } finally {
    await stopFleet(fleet, say);
    process.off('exit', sweep).off('SIGINT', interrupt).off('SIGTERM', interrupt);
    if (kept) say.warn(`logs are kept in ${options.stateDir}/demo/logs`);
    else rmSync(options.stateDir, { recursive: true, force: true });
  }
}

function placeIn(env: NodeJS.ProcessEnv): Place {
  return {
    base: env['HAWSER_LOOPBACK_BASE'] || '127.78',
    hubPort: Number(env['HAWSER_HUB_PORT'] || 18_080),
    postgresPort: Number(env['HAWSER_POSTGRES_PORT'] || 15_432),
    natsPort: Number(env['HAWSER_NATS_PORT'] || 14_222),
  };
}

async function portsFree(fleet: Fleet, options: FleetOptions): Promise<void> {
  const control = [options.hubPort, options.postgresPort, options.natsPort].map((port) => ({
    address: '127.0.0.1',
    port,
    user: 'the benchmark',
  }));
  const taken = await takenPorts([...control, ...fleet.clusters.flatMap(listenersOf)]);
  if (taken.length > 0) throw new Error(`the benchmark cannot start: ${taken[0]}`);
}

async function start(fleet: Fleet, options: FleetOptions, say: Narrator): Promise<Federation> {
  say.part('Starting a federation');
  const cli = cliOf(options);
  await fleet.startHub();
  await Promise.all(fleet.clusters.map((cluster) => joinCluster(fleet, cli, cluster)));
  await Promise.all(fleet.clusters.map((cluster) => fleet.startGateway(cluster)));
  for (const cluster of fleet.clusters) await Promise.all(cluster.workloads.map((workload) => startWorkload(fleet, cluster, workload)));
  say.done(`${fleet.clusters.length} clusters, ${fleet.clusters.reduce((sum, { workloads }) => sum + workloads.length, 0)} workloads`);
  return { options, fleet, cli, say, hub: { url: `http://127.0.0.1:${options.hubPort}`, token: adminToken(options.stateDir) } };
}
