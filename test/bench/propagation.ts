/** A registry file of one cluster changes → a real Envoy of another has it. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PORTS } from '@hawser/model/ports.ts';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import { registryFiles } from '../../deploy/demo/registry.ts';
import { clusterFiles } from '../../deploy/demo/specs.ts';
import { APP_PORT } from '../../deploy/demo/topology.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';

/** An add and a removal each. */
const ROUNDS = 60;
const POLL_MS = 5;
const MOST_MS = 10_000;

/** The benchmark. */
export const propagation: Bench = {
  name: 'propagation',
  title: "a registry file of one cluster changes → another cluster's Envoy has it",
  bars: { p50_ms: { max: 20, samples: 100 }, p99_ms: { max: 100, samples: 100 } },
  run: (book) => inFederation({ plan: { 'us-east': ['client-v1'], 'us-west': ['details-v1'] } }, (federation) => measure(federation, book)),
};

async function measure({ fleet, options, say }: Federation, book: FigureBook): Promise<void> {
  const server = fleet.workload('us-west', 'details-v1');
  const added = { ...server, name: 'details-v2', version: 'v2', address: server.address.replace(/\d+$/, '50') };
  const content = registryFiles({ ...fleet.cluster('us-west'), workloads: [added] }).get('workload-details-v2.yaml') ?? '';
  const path = join(clusterFiles(options.stateDir, 'us-west').registryDir, 'workload-details-v2.yaml');
  const dump = `http://${fleet.workload('us-east', 'client-v1').address}:${PORTS.envoyAdmin}/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex=.*details.*`;
  const listener = createServer((socket) => socket.destroy()).listen(APP_PORT, added.address); // so that it is healthy
  const samples: { change: 'add' | 'remove'; ms: number }[] = [];
  await seen(dump, server.address, true);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const change of ['add', 'remove'] as const) {
      writeFileSync(`${path}.new`, content);
      const started = performance.now();
      if (change === 'add') renameSync(`${path}.new`, path);
      else rmSync(path);
      await seen(dump, added.address, change === 'add');
      samples.push({ change, ms: performance.now() - started });
      rmSync(`${path}.new`, { force: true });
      await wait(100 + Math.random() * 100); // changes do not come in step with anything
    }
  }
  listener.close();
  const times = samples.map(({ ms }) => ms);
  say.done(`${times.length} changes: ${[50, 90, 99, 100].map((p) => `p${p} ${percentile(times, p).toFixed(1)} ms`).join(', ')}`);
  for (const p of [50, 99])
    book.note(`p${p}_ms`, { value: percentile(times, p), unit: 'ms', samples: times.length }, p === 50 ? samples : []);
}

/** Resolves when Envoy's endpoints hold the address, or hold it no longer. */
export async function seen(url: string, address: string, wanted: boolean): Promise<void> {
  const end = performance.now() + MOST_MS;
  while (performance.now() < end) {
    if ((await ask({ url })).includes(`${address}:`) === wanted) return;
    await wait(POLL_MS);
  }
  throw new Error(`Envoy ${wanted ? 'has not' : 'still has'} ${address} after ${MOST_MS / 1_000} s`);
}
