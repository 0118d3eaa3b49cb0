/** An Envoy is stopped (SIGSTOP) for a minute of 10,000 updates: what its agent grows by, and how it catches up. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { PORTS } from '@hawser/model/ports.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { clusterFiles } from '../../deploy/demo/specs.ts';
import { hostOf, NAMESPACE } from '../../deploy/demo/topology.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';
import { assignmentName, changedAddress, changeEndpoint, writeServices } from './many-services.ts';
import { atPace } from './pace.ts';
import { rssMiB } from './xds-rig.ts';

const CLUSTER = 'us-east';
const SERVICES = 1_000;
const UPDATES = 10_000;
const PAUSE_S = 60;
/** The same updates before, while Envoy takes them: the agent has its working size then. */
const WARM_UP_S = 15;
/** How many times the routes change meanwhile. */
const ROUTE_CHANGES = 5;

/** The benchmark. */
export const paused: Bench = {
  name: 'paused',
  title: `an Envoy is stopped for ${PAUSE_S} s of ${UPDATES} updates → growth of its agent; pushes of each type when it goes on`,
  bars: { growth_mib: { max: 20, samples: 1 }, pushes: { max: 1, samples: 2 } },
  run: (book) =>
    inFederation(
      {
        plan: { [CLUSTER]: ['client-v1', 'details-v1'] },
        // Nobody calls these services, and what is not sent to the Envoy cannot pile up for it (decision 0017).
        agentFlags: ['--send-all-up-to', String(2 * SERVICES)],
        prepare: ({ options }) => writeServices(clusterFiles(options.stateDir, CLUSTER).registryDir, SERVICES),
      },
      (federation) => measure(federation, book),
    ),
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  const { fleet, say } = federation;
  const envoy = envoyOf(fleet.named(`${CLUSTER}-client-v1-proxy`)[0]?.record.pid ?? 0);
  const agent = fleet.named(`${CLUSTER}-agent`)[0]?.record.pid ?? 0;
  const perSecond = UPDATES / PAUSE_S;
  const updates = new Updates(federation);
  await updates.run(WARM_UP_S * perSecond, perSecond);
  await caughtUp(federation, updates);
  const before = rssMiB(agent);
  const sizes: { second: number; rssMiB: number }[] = [];
  process.kill(envoy, 'SIGSTOP');
  const watching = setInterval(() => sizes.push({ second: sizes.length, rssMiB: rssMiB(agent) }), 1_000);
  let atContinue: ReadonlyMap<string, number>;
  try {
    await Promise.all([updates.run(UPDATES, perSecond), changeRoutes(federation)]);
    await wait(1_000);
    atContinue = await pushes(federation);
  } finally {
    clearInterval(watching);
    process.kill(envoy, 'SIGCONT');
  }
  await caughtUp(federation, updates);
  await wait(2_000); // longer than anything that would still follow
  const after = await pushes(federation);
  const counted = [...after].map(([type, count]) => ({ type, pushes: count - (atContinue.get(type) ?? 0) }));
  const moved = counted.filter((one) => one.pushes > 0);
  say.done(`${moved.map((one) => `${one.type} ${one.pushes}`).join(', ')} after SIGCONT; agent ${before.toFixed(0)} MiB before`);
  book.note('growth_mib', { value: Math.max(...sizes.map((one) => one.rssMiB)) - before, unit: 'MiB', samples: sizes.length }, sizes);
  book.note('pushes', { value: Math.max(...moved.map((one) => one.pushes)), unit: 'pushes', samples: moved.length }, counted);
  book.note('updates', { value: UPDATES, unit: 'updates', samples: 1 });
}

/** Changes to endpoints, one service after another. */
class Updates {
  readonly #registryDir: string;
  #next = 0;

  constructor({ options }: Federation) {
    this.#registryDir = clusterFiles(options.stateDir, CLUSTER).registryDir;
  }

  /** Makes changes at a steady rate. */
  async run(count: number, perSecond: number): Promise<void> {
    await atPace({ count, perSecond }, () => {
      changeEndpoint(this.#registryDir, this.#next % SERVICES, changedAddress(this.#next));
      this.#next += 1;
    });
  }

  /** The newest address of each service that a full turn has reached. */
  newest(): { service: number; address: string }[] {
    return Array.from({ length: Math.min(SERVICES, this.#next) }, (_, index) => {
      const number = this.#next - 1 - index;
      return { service: number % SERVICES, address: changedAddress(number) };
    });
  }
}

/** Resolves when the Envoy has every service's newest address, as its admin endpoint shows it. */
async function caughtUp({ fleet }: Federation, updates: Updates): Promise<void> {
  const { address } = fleet.workload(CLUSTER, 'client-v1');
  const url = `http://${address}:${PORTS.envoyAdmin}/config_dump?include_eds&resource=dynamic_endpoint_configs`;
  const wanted = updates.newest().map((one) => ({ ...one, name: assignmentName(one.service) }));
  const look = async (): Promise<true | undefined> => {
    const dump = await ask({ url, timeoutMs: 20_000 });
    return wanted.every((one) => dump.includes(`"${one.address}"`)) ? true : undefined;
  };
  await waitFor('Envoy does not catch up', look, { timeoutMs: 60_000, everyMs: 200 });
}

/** A VirtualService that is written anew every few seconds. */
async function changeRoutes({ hub }: Federation): Promise<void> {
  const collection = `${hub.url}/apis/networking.istio.io/v1/namespaces/${NAMESPACE}/virtualservices`;
  let resourceVersion: string | undefined;
  for (let change = 0; change < ROUTE_CHANGES; change += 1) {
    const http = [{ timeout: `${30 + change}s`, route: [{ destination: { host: hostOf('details') } }] }];
    const metadata = { namespace: NAMESPACE, name: 'paused', ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const body = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec: { hosts: [hostOf('details')], http } };
    const [method, url] = change === 0 ? ['POST', collection] : ['PUT', `${collection}/paused`];
    const stored = JSON.parse(await ask({ method, url, token: hub.token, body })) as { metadata: { resourceVersion: string } };
    resourceVersion = stored.metadata.resourceVersion;
    await wait((PAUSE_S / ROUTE_CHANGES / 2) * 1_000);
  }
}

/** Responses that the agent has written, by type; nobody else is sent anything while nothing changes. */
async function pushes({ fleet }: Federation): Promise<ReadonlyMap<string, number>> {
  const { address } = fleet.cluster(CLUSTER);
  const metrics = await ask({ url: `http://${address}:${PORTS.agentAdmin}/metrics` });
  return new Map(
    [...metrics.matchAll(/^agent_xds_pushes_total\{type="(\w+)"\} (\d+)$/gm)].map(([, type = '', count]) => [type, Number(count)]),
  );
}

/** The Envoy below `hawser proxy run`, by its process id. */
export function envoyOf(parent: number): number {
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const stat = statOf(pid);
    if (stat === undefined) continue;
    if (stat.parent === parent) return /envoy/.test(stat.name) ? pid : envoyOf(pid);
  }
  throw new Error(`no Envoy below process ${parent}`);
}

function statOf(pid: number): { name: string; parent: number } | undefined {
  try {
    const [, name = '', parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    return undefined; // it ended meanwhile
  }
}
