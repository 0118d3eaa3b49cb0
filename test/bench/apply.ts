/** A VirtualService is PUT → all of 12 proxies have acknowledged it, by the API's account, and each shows it. */
import { PORTS } from '@hawser/model/ports.ts';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import { hostOf, NAMESPACE } from '../../deploy/demo/topology.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';

const SAMPLES = 60;
const PROXIES = 12;
const NAME = 'details-bench';

/** The benchmark. */
export const apply: Bench = {
  name: 'apply',
  title: `VirtualService PUT → all of ${PROXIES} proxies acknowledged`,
  bars: { p50_ms: { max: 50, samples: 50 }, p99_ms: { max: 250, samples: 50 } },
  run: (book) => {
    const four = ['client-v1', 'details-v1', 'details-v2', 'productpage-v1'];
    return inFederation({ plan: { 'us-east': four, 'us-west': four, 'eu-west': four } }, (federation) => measure(federation, book));
  },
};

interface Rollout {
  readonly complete: boolean;
  readonly durationMs: number;
  readonly proxies: { readonly expected: number; readonly acked: number; readonly nacked: number };
}

interface Stored {
  readonly metadata: { readonly resourceVersion: string };
}

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  const { hub, say } = federation;
  const collection = `${hub.url}/apis/networking.istio.io/v1/namespaces/${NAMESPACE}/virtualservices`;
  let stored = JSON.parse(await ask({ method: 'POST', url: collection, token: hub.token, body: virtualService(100) })) as Stored;
  const samples: { ms: number; apiMs: number; proxies: number }[] = [];
  for (let number = 0; number < SAMPLES; number += 1) {
    const timeout = 101 + number; // seconds: a value that no other sample has
    const started = performance.now();
    const body = virtualService(timeout, stored.metadata.resourceVersion);
    stored = JSON.parse(await ask({ method: 'PUT', url: `${collection}/${NAME}`, token: hub.token, body })) as Stored;
    const rollout = JSON.parse(
      await ask({ url: `${hub.url}/hawser/v1/rollouts/${stored.metadata.resourceVersion}?timeout=10s`, token: hub.token }),
    ) as Rollout;
    const ms = performance.now() - started;
    const { expected, acked, nacked } = rollout.proxies;
    if (!rollout.complete || acked < PROXIES || acked !== expected || nacked > 0)
      throw new Error(`sample ${number}: the API says ${JSON.stringify(rollout)}`);
    await confirm(federation, `${timeout}s`);
    samples.push({ ms, apiMs: rollout.durationMs, proxies: acked });
  }
  const times = samples.map(({ ms }) => ms);
  say.done(`${times.length} changes: ${[50, 90, 99, 100].map((p) => `p${p} ${percentile(times, p).toFixed(1)} ms`).join(', ')}`);
  for (const p of [50, 99])
    book.note(`p${p}_ms`, { value: percentile(times, p), unit: 'ms', samples: times.length }, p === 50 ? samples : []);
}

function virtualService(timeoutSeconds: number, resourceVersion?: string): object {
  const http = [{ timeout: `${timeoutSeconds}s`, route: [{ destination: { host: hostOf('details') } }] }];
  const metadata = { namespace: NAMESPACE, name: NAME, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec: { hosts: [hostOf('details')], http } };
}

/** Looks into every sidecar: it must have the route by now, without a second look. */
async function confirm({ fleet }: Federation, timeout: string): Promise<void> {
  const sidecars = fleet.clusters.flatMap(({ workloads }) => workloads);
  const dumps = await Promise.all(
    sidecars.map(({ address }) => ask({ url: `http://${address}:${PORTS.envoyAdmin}/config_dump?resource=dynamic_route_configs` })),
  );
  const without = sidecars.filter((_, index) => dumps[index]?.includes(`"timeout": "${timeout}"`) !== true);
  if (without.length > 0)
    throw new Error(`acknowledged, yet not in the configuration of ${without.map(({ cluster, name }) => `${cluster}/${name}`).join(', ')}`);
}
