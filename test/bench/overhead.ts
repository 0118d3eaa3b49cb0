/**
 * What a pair of sidecars adds to a request, and the memory of an Envoy: 200 requests a second through both, and as many directly.
 * The two take turns, request by request, so that what the machine or this client does meanwhile falls on both alike.
 */

import { Agent, request } from 'node:http';
import { PORTS } from '@hawser/model/ports.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { hostOf } from '../../deploy/demo/topology.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { atPace } from './pace.ts';
import { envoyOf } from './paused.ts';
import { rssMiB } from './xds-rig.ts';

const CLUSTER = 'us-east';
const PER_SECOND = 200;
const SECONDS = 30;
const WARM_UP = 200;

/** The benchmark. */
export const overhead: Bench = {
  name: 'overhead',
  title: `latency that two sidecars add at ${PER_SECOND} requests/s, p99 over a direct call; memory of an Envoy`,
  bars: { added_p99_ms: { max: 3, samples: 1_000 }, envoy_mib: { max: 80, samples: 2 } },
  run: (book) => inFederation({ plan: { [CLUSTER]: ['client-v1', 'details-v1'] } }, (federation) => measure(federation, book)),
};

async function measure({ fleet, say }: Federation, book: FigureBook): Promise<void> {
  const client = fleet.workload(CLUSTER, 'client-v1').address;
  const server = fleet.workload(CLUSTER, 'details-v1');
  const host = hostOf('details');
  const ways = {
    direct: { host: server.address, port: 9080, path: '/' },
    meshed: { host: client, port: PORTS.outbound, path: `http://${host}/` },
  };
  const took = await timesOf([ways.direct, ways.meshed], host);
  const [direct, meshed] = [p99(took.direct), p99(took.meshed)];
  const sizes = ['client-v1', 'details-v1'].map((name) => rssMiB(envoyOf(fleet.named(`${CLUSTER}-${name}-proxy`)[0]?.record.pid ?? 0)));
  say.done(
    `p99 ${direct.toFixed(1)} ms directly, ${meshed.toFixed(1)} ms through both sidecars; Envoys ${sizes.map((one) => one.toFixed(0)).join(', ')} MiB`,
  );
  book.note(
    'added_p99_ms',
    { value: meshed - direct, unit: 'ms', samples: took.meshed.length },
    took.meshed.map((ms) => ({ ms })),
  );
  book.note('added_p50_ms', { value: median(took.meshed) - median(took.direct), unit: 'ms', samples: took.meshed.length });
  book.note(
    'envoy_mib',
    { value: Math.max(...sizes), unit: 'MiB', samples: sizes.length },
    sizes.map((mib) => ({ mib })),
  );
}

interface Way {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Milliseconds of each request, sent by turns at a steady pace whatever the answers. Throws when one fails. */
async function timesOf([direct, meshed]: readonly [Way, Way], host: string): Promise<{ direct: number[]; meshed: number[] }> {
  const agents = new Map([direct, meshed].map((way) => [way, new Agent({ keepAlive: true, maxSockets: 50 })]));
  const call = (to: Way): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const sent = request({ ...to, agent: agents.get(to), headers: { host }, timeout: 5_000 }, (response) => {
        response.resume();
        response.on('end', () => resolve(performance.now() - began));
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end();
    });
  // Connections, and the compilers of client and server, warm up first.
  for (let index = 0; index < WARM_UP; index += 1) await Promise.all([call(direct), call(meshed)]);
  const pending: { readonly direct: Promise<number>[]; readonly meshed: Promise<number>[] } = { direct: [], meshed: [] };
  await atPace({ count: 2 * PER_SECOND * SECONDS, perSecond: 2 * PER_SECOND }, (index) => {
    if (index % 2 === 0) pending.direct.push(call(direct));
    else pending.meshed.push(call(meshed));
  });
  const took = { direct: await Promise.all(pending.direct), meshed: await Promise.all(pending.meshed) };
  for (const agent of agents.values()) agent.destroy();
  return took;
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
