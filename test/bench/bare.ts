/** `bench bare`: what thousands of Pods without a sidecar ask of the one real Envoy that speaks for them (decision 0040). */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import { callHttp } from '../behaviour/kit/clients.ts';
import { Mesh } from '../datapath/kit/mesh.ts';
import { until } from '../datapath/kit/until.ts';
import type { Bench } from './bench.ts';
import { MANY, serviceName } from './many-services.ts';
import { rssMiB } from './xds-rig.ts';

const [SERVICES, PODS, ARRIVALS] = [500, 10, 100];
const CLUSTER = 'east';
const [GATEWAY, CLIENT] = ['127.83.100.1', '127.83.100.2'];
/** All Pods are one process, which listens at all addresses of this machine. */
const PORT = 29_080;
/** One service in so many is called. */
const CALLED_EVERY = 10;

/** The benchmark. It fails where the gateway refuses its configuration, or does not lead to a service. */
export const bare: Bench = {
  name: 'bare',
  title: `a gateway in the place of ${SERVICES * PODS} sidecars, of ${SERVICES} services: started; a Pod comes → it has the way; its memory`,
  bars: {},
  run: async (book) => {
    const pods = createServer(({ socket }, response) => void response.end(socket.localAddress)).listen(PORT, '0.0.0.0');
    await once(pods, 'listening');
    const mesh = await Mesh.start([{ name: CLUSTER, gateways: [`${GATEWAY}:15443`] }]);
    try {
      await measure(mesh, book);
    } finally {
      await mesh.stop();
      pods.close();
      pods.closeAllConnections();
    }
  },
};

async function measure(mesh: Mesh, book: FigureBook): Promise<void> {
  for (let index = 0; index < SERVICES; index += 1) tell(mesh, index, PODS);
  const started = performance.now();
  const gateway = await mesh.gateway(CLUSTER, GATEWAY);
  await gateway.untilStat('listener_manager.total_listeners_active', (listeners) => listeners > SERVICES);
  await taken(mesh);
  book.note('full_ms', { value: performance.now() - started, unit: 'ms', samples: 1 });
  book.note('rss_mib', { value: rssMiB(gateway.pid), unit: 'MiB', samples: 1 });
  await callAll(mesh);
  const times: number[] = [];
  for (let arrival = 0; arrival < ARRIVALS; arrival += 1) {
    const before = performance.now();
    tell(mesh, arrival, PODS + 1);
    await taken(mesh);
    times.push(performance.now() - before);
  }
  const raw = times.map((ms) => ({ ms }));
  book.note('arrival_p50_ms', { value: percentile(times, 50), unit: 'ms', samples: ARRIVALS }, raw);
  book.note('arrival_p99_ms', { value: percentile(times, 99), unit: 'ms', samples: ARRIVALS });
  book.note('rss_after_mib', { value: rssMiB(gateway.pid), unit: 'MiB', samples: 1 });
}

/** Says that a service has so many Pods. */
function tell(mesh: Mesh, index: number, pods: number): void {
  const endpoints = Array.from({ length: pods }, (_, pod) => ({
    ...{ address: addressOf(index, pod), bare: true as const },
    ...{ labels: { app: serviceName(index), version: `v${pod % 2}` }, targetPorts: { '80': PORT } },
  }));
  mesh.service(`${MANY}/${serviceName(index)}`, CLUSTER, { endpoints });
}

function addressOf(index: number, pod: number): string {
  const number = index * (PODS + 1) + pod;
  return `127.83.${101 + Math.floor(number / 250)}.${1 + (number % 250)}`;
}

/** Resolves when every proxy has acknowledged everything. */
async function taken(mesh: Mesh): Promise<void> {
  while (!mesh.synced(CLUSTER)) {
    if (mesh.nacks.length > 0) throw new Error(`refused by Envoy: ${mesh.nacks.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Some of the services, through a sidecar that begins to listen. */
async function callAll(mesh: Mesh): Promise<void> {
  await mesh.sidecar(CLUSTER, CLIENT, `${MANY}/client`);
  for (let index = 0; index < SERVICES; index += CALLED_EVERY) {
    const host = `${serviceName(index)}.${MANY}.svc.clusterset.local`;
    const own = Array.from({ length: PODS }, (_, pod) => addressOf(index, pod));
    let seen = '';
    await until(
      async () => {
        const { status, body } = await callHttp({ address: CLIENT, port: 15_001 }, { host });
        seen = `${status} ${body}`;
        return status === 200 && own.includes(body);
      },
      () => `${host} is not led to: ${seen}`,
    );
  }
}
