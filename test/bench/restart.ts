/** An agent restarts and nothing has changed → its proxies are sent nothing, by their own count. */
import { setTimeout as wait } from 'node:timers/promises';
import { PORTS } from '@hawser/model/ports.ts';
import { mustRun } from '../../deploy/demo/cli.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { hostOf, NAMESPACE } from '../../deploy/demo/topology.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';

const ROUNDS = 3;
/** After the stream is back: longer than anything an agent would still have to say. */
const SETTLE_MS = 3_000;
/** Envoy's counters of what it was sent and took, for listeners, clusters, routes and endpoints (not secrets). */
const COUNTERS = /^(listener_manager\.lds|cluster_manager\.cds|http\..*\.rds\..*|cluster\..*)\.(update_success|update_rejected)$/;

/** The benchmark. */
export const restart: Bench = {
  name: 'restart',
  title: 'listener, route, cluster and endpoint pushes after an agent restart without changes',
  bars: { pushes: { max: 0, samples: 10 } },
  run: (book) =>
    inFederation({ plan: { 'us-east': ['client-v1', 'details-v1', 'details-v2'], 'us-west': ['client-v1', 'details-v1'] } }, (federation) =>
      measure(federation, book),
    ),
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  const { fleet, say } = federation;
  const samples: { round: number; proxy: string; pushes: number; how: string }[] = [];
  await wait(SETTLE_MS);
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const cluster of fleet.clusters) {
      const proxies = [cluster.address, ...cluster.workloads.map(({ address }) => address)];
      const before = await Promise.all(proxies.map(pushes));
      const how = await restartAgent(federation, cluster.name, round);
      await Promise.all(proxies.map(connected));
      await wait(SETTLE_MS);
      const after = await Promise.all(proxies.map(pushes));
      for (const [index, proxy] of proxies.entries())
        samples.push({ round, proxy, how, pushes: (after[index] ?? 0) - (before[index] ?? 0) });
    }
    say.done(`round ${round}: ${samples.filter((one) => one.round === round).reduce((sum, one) => sum + one.pushes, 0)} pushes`);
  }
  await countersSee(federation);
  book.note('pushes', { value: samples.reduce((sum, one) => sum + one.pushes, 0), unit: 'pushes', samples: samples.length }, samples);
}

/** The control: a change that is one must show in the counters, or their zero means nothing. */
async function countersSee({ fleet, cli, say }: Federation): Promise<void> {
  const { address } = fleet.workload('us-east', 'client-v1');
  const before = await pushes(address);
  const spec = { hosts: [hostOf('details')], http: [{ timeout: '9s', route: [{ destination: { host: hostOf('details') } }] }] };
  const metadata = { namespace: NAMESPACE, name: 'control' };
  await mustRun(
    cli,
    ['apply', '-f', '-', '--wait'],
    JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec }),
  );
  const seen = (await pushes(address)) - before;
  if (seen < 1) throw new Error('a VirtualService was applied, yet no counter of Envoy rose: the benchmark measures nothing');
  say.done(`control: a VirtualService is ${seen} push to a sidecar`);
}

/** Stops an agent, in one round of three by SIGKILL, and starts it again. */
async function restartAgent({ fleet }: Federation, cluster: string, round: number): Promise<string> {
  const agents = fleet.named(`${cluster}-agent`);
  if (round === 1) await fleet.processes.kill(...agents);
  else await fleet.processes.stop(agents, 10_000);
  await fleet.restart(agents);
  return round === 1 ? 'SIGKILL' : 'SIGTERM';
}

async function stats(address: string): Promise<Map<string, number>> {
  const { stats: all } = JSON.parse(await ask({ url: `http://${address}:${PORTS.envoyAdmin}/stats?format=json` })) as {
    stats: { name?: string; value?: number }[];
  };
  return new Map(all.flatMap(({ name, value }) => (name !== undefined && value !== undefined ? [[name, value] as const] : [])));
}

async function pushes(address: string): Promise<number> {
  const counted = [...(await stats(address))].filter(([name]) => COUNTERS.test(name));
  return counted.reduce((sum, [, value]) => sum + value, 0);
}

function connected(address: string): Promise<true> {
  const isConnected = async (): Promise<true | undefined> =>
    (await stats(address)).get('control_plane.connected_state') === 1 ? true : undefined;
  return waitFor(`Envoy on ${address} is not connected to its agent again`, isConnected, { timeoutMs: 60_000, everyMs: 200 });
}
