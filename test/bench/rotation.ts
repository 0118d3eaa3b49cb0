/**
 * Roots and intermediates are replaced under traffic between three regions, undisturbed and with the hub or NATS killed in each
 * phase; then once more among 1,000 exported services. Connections live for ten requests, so that handshakes never cease.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { stringify } from 'yaml';
import { mustRun } from '../../deploy/demo/cli.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import type { Fleet } from '../../deploy/demo/fleet.ts';
import { DEADLINE_MS, failed, type LoadEntry } from '../../deploy/demo/load-log.ts';
import { startLoad } from '../../deploy/demo/load-run.ts';
import { clusterFiles } from '../../deploy/demo/specs.ts';
import { hostOf, NAMESPACE } from '../../deploy/demo/topology.ts';
import { get, waitFor } from '../../deploy/demo/wait.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation, type Plan } from './federation.ts';
import { ask } from './kept-alive.ts';
import { MANY, serviceName, writeServices } from './many-services.ts';
import { killIn, PHASES, type Rotated, rotate, type Victim } from './rotation-runs.ts';

const PER_SECOND = 200;
const REQUESTS_PER_CONNECTION = 10;
const SERVICES = 1_000;
const SETTLE_MS = 3_000;

/** Every region calls a service that only the next one has; with the gateways, 12 proxies. */
const PLAN: Plan = {
  'us-east': ['client-v1', 'reviews-v1', 'reviews-v2'],
  'us-west': ['client-v1', 'details-v1', 'details-v2'],
  'eu-west': ['client-v1', 'ratings-v1', 'ratings-v2'],
};
const CALLS = { 'us-east': 'details', 'us-west': 'ratings', 'eu-west': 'reviews' } as const;
const CLUSTERS = ['us-east', 'us-west', 'eu-west'] as const;
/** Listeners and clusters alone: what a rotation must leave as it is. */
const COUNTERS = /^(listener_manager\.lds|cluster_manager\.cds)\.(update_success|update_rejected)$/;

/** The benchmark. */
export const rotation: Bench = {
  name: 'rotation',
  title: `roots and intermediates replaced under ${PER_SECOND} requests/s between three regions, hub and NATS killed in each phase`,
  bars: {
    failed: { max: 0, samples: 5_000 },
    prepare_to_activate_s: { max: 10, samples: 3 },
    failed_1000: { max: 0, samples: 1_000 },
    pushes_1000: { max: 0, samples: 12 },
  },
  run: async (book) => {
    await inFederation({ plan: PLAN }, (federation) => undisturbedAndKilled(federation, book));
    // Every sidecar holds the trust of all services, which it would not be sent otherwise (decision 0017).
    const agentFlags = ['--send-all-up-to', String(2 * SERVICES)];
    await inFederation({ plan: PLAN, agentFlags, prepare: (fleet) => exportMany(fleet) }, (federation) => amongMany(federation, book));
  },
};

async function undisturbedAndKilled(federation: Federation, book: FigureBook): Promise<void> {
  const { say } = federation;
  const load = await startTraffic(federation, 'rotation');
  const runs: Rotated[] = [];
  for (const cluster of CLUSTERS) runs.push(await rotate(federation, { cluster, kind: 'root' }));
  for (const cluster of CLUSTERS) runs.push(await rotate(federation, { cluster, kind: 'intermediate' }));
  const quick = runs.filter(({ kind }) => kind === 'root').map(({ cluster, activatedS }) => ({ cluster, seconds: activatedS }));
  const victims: readonly Victim[] = ['hub', 'nats'];
  for (const [index, phase] of PHASES.entries())
    for (const victim of victims)
      runs.push(await killIn(federation, { cluster: CLUSTERS[index % 3] ?? 'us-east', kind: 'root' }, { phase, victim }));
  await settle();
  const entries = await load.stop();
  noteFailed(book, 'failed', entries, federation);
  const seconds = Math.max(...quick.map((one) => one.seconds));
  book.note('prepare_to_activate_s', { value: seconds, unit: 's', samples: quick.length }, quick);
  say.done(`${runs.length} rotations; prepared and activated in ${quick.map((one) => one.seconds.toFixed(1)).join(', ')} s`);
}

async function amongMany(federation: Federation, book: FigureBook): Promise<void> {
  const { say } = federation;
  await knowMany(federation);
  const load = await startTraffic(federation, 'rotation-1000');
  const proxies = federation.fleet.clusters.flatMap(({ address, workloads }) => [address, ...workloads.map((one) => one.address)]);
  const before = await Promise.all(proxies.map(pushes));
  const runs = [
    await rotate(federation, { cluster: 'us-west', kind: 'root' }),
    await rotate(federation, { cluster: 'us-west', kind: 'intermediate' }),
  ];
  await settle();
  const after = await Promise.all(proxies.map(pushes));
  noteFailed(book, 'failed_1000', await load.stop(), federation);
  const samples = proxies.map((proxy, index) => ({ proxy, pushes: (after[index] ?? 0) - (before[index] ?? 0) }));
  book.note('pushes_1000', { value: samples.reduce((sum, one) => sum + one.pushes, 0), unit: 'pushes', samples: samples.length }, samples);
  say.done(`among ${SERVICES} services: ${runs.map(({ kind, doneS }) => `${kind} in ${doneS.toFixed(1)} s`).join(', ')}`);
}

function noteFailed(book: FigureBook, key: string, entries: readonly LoadEntry[], { say }: Federation): void {
  const lost = entries.filter(failed);
  for (const entry of lost.slice(0, 5)) say.warn(`failed: ${JSON.stringify(entry)}`);
  const late = lost.filter(({ ms }) => ms > DEADLINE_MS).length;
  say.done(`${lost.length} of ${entries.length} requests failed, ${late} of them by being late`);
  book.note(key, { value: lost.length, unit: 'requests', samples: entries.length }, lost);
}

/** Traffic in all three directions, once every direction answers. */
async function startTraffic({ fleet, cli }: Federation, name: string): Promise<{ stop(): Promise<LoadEntry[]> }> {
  const rules = Object.values(CALLS).map((service) => {
    const spec = {
      host: hostOf(service),
      trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: REQUESTS_PER_CONNECTION } } },
    };
    return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace: NAMESPACE, name: service }, spec };
  });
  await mustRun(cli, ['apply', '--wait', '-f', '-'], rules.map((rule) => JSON.stringify(rule)).join('\n---\n'));
  for (const from of CLUSTERS) {
    const url = `http://${fleet.workload(from, 'client-v1').address}:${PORTS.outbound}/ping`;
    const answers = async (): Promise<true | undefined> =>
      (await get(url, { host: hostOf(CALLS[from]) })).status === 200 ? true : undefined;
    await waitFor(`${CALLS[from]} does not answer ${from}`, answers, { timeoutMs: 60_000 });
  }
  const rate = Math.ceil(PER_SECOND / CLUSTERS.length);
  const runs = CLUSTERS.map((from) =>
    startLoad(fleet, { name: `${name}-${from}`, from, service: CALLS[from], path: '/ping', rate, postEvery: 20 }),
  );
  await settle();
  return { stop: async () => (await Promise.all(runs.map((run) => run.stop()))).flat() };
}

function exportMany(fleet: Fleet): void {
  const { registryDir } = clusterFiles(fleet.options.stateDir, 'us-west');
  writeServices(registryDir, SERVICES);
  const exported = Array.from({ length: SERVICES }, (_, index) =>
    stringify({
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { name: serviceName(index), namespace: MANY },
    }),
  );
  writeFileSync(join(registryDir, 'many-exports.yaml'), exported.join('---\n'));
}

/** Every other cluster's sidecars have all of them, and every proxy has acknowledged. */
async function knowMany({ fleet, hub }: Federation): Promise<void> {
  const { address } = fleet.workload('us-east', 'client-v1');
  const last = `trust|${MANY}/${serviceName(SERVICES - 1)}`;
  const known = async (): Promise<true | undefined> => {
    const dump = await ask({
      url: `http://${address}:${PORTS.envoyAdmin}/config_dump?resource=dynamic_active_secrets&name_regex=${encodeURIComponent(last.replace('|', '\\|'))}`,
    });
    if (!dump.includes(last)) return undefined;
    const { proxies } = JSON.parse(await ask({ url: `${hub.url}/hawser/v1/proxies`, token: hub.token })) as Proxies;
    const isSettled = proxies.length >= 12 && proxies.every(({ types }) => Object.values(types).every(({ state }) => state !== 'PENDING'));
    return isSettled ? true : undefined;
  };
  await waitFor(`the proxies do not have ${SERVICES} services`, known, { timeoutMs: 180_000, everyMs: 1_000 });
}

interface Proxies {
  readonly proxies: readonly { readonly types: Readonly<Record<string, { readonly state: string }>> }[];
}

async function pushes(address: string): Promise<number> {
  const { stats } = JSON.parse(await ask({ url: `http://${address}:${PORTS.envoyAdmin}/stats?format=json&filter=update_` })) as {
    stats: { name?: string; value?: number }[];
  };
  return stats.reduce((sum, { name = '', value = 0 }) => (COUNTERS.test(name) ? sum + value : sum), 0);
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
