/**
 * What a pair of sidecars adds to a request, and the memory of an Envoy: 200 requests a second through both, as many directly, and as many
 * through two Envoys that only pass them on, in plain text and without an agent: what is added there is the machine's and Envoy's own.
 * The three take turns, request by request.
 */
import { PORTS } from '@hawser/model/ports.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { hostOf } from '../../deploy/demo/topology.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { quantile, timesInTurns } from './in-turns.ts';
import { envoyOf } from './paused.ts';
import { startStaticEnvoy } from './static-envoy.ts';
import { rssMiB } from './xds-rig.ts';

const CLUSTER = 'us-east';
const TURNS = { perSecond: 200, seconds: 30, warmUp: 2_000 };
const SERVER_PORT = 9080;

/** The benchmark. */
export const overhead: Bench = {
  name: 'overhead',
  title: `latency that two sidecars add at ${TURNS.perSecond} requests/s, p99 over a direct call, beside two bare Envoys; memory of an Envoy`,
  bars: { added_p99_ms: { max: 3, samples: 1_000 }, envoy_mib: { max: 80, samples: 2 } },
  run: (book) => inFederation({ plan: { [CLUSTER]: ['client-v1', 'details-v1'] } }, (federation) => measure(federation, book)),
};

async function measure({ fleet, say }: Federation, book: FigureBook): Promise<void> {
  const client = fleet.workload(CLUSTER, 'client-v1').address;
  const server = { address: fleet.workload(CLUSTER, 'details-v1').address, port: SERVER_PORT };
  const authority = hostOf('details');
  const second = await startStaticEnvoy(server);
  const first = await startStaticEnvoy({ address: '127.0.0.1', port: second.port });
  const ways = {
    direct: { host: server.address, port: server.port, authority },
    bare: { host: '127.0.0.1', port: first.port, authority },
    meshed: { host: client, port: PORTS.outbound, path: `http://${authority}/`, authority },
  };
  const { direct, bare, meshed } = await timesInTurns(ways, TURNS).finally(() => {
    first.stop();
    second.stop();
  });
  const added = (times: readonly number[], share: number): number => quantile(times, share) - quantile(direct, share);
  const sizes = ['client-v1', 'details-v1'].map((name) => rssMiB(envoyOf(fleet.named(`${CLUSTER}-${name}-proxy`)[0]?.record.pid ?? 0)));
  const [p99, bareP99] = [quantile(meshed, 0.99), quantile(bare, 0.99)].map((ms) => ms.toFixed(1));
  const mib = sizes.map((one) => one.toFixed(0)).join(', ');
  say.done(
    `p99 ${quantile(direct, 0.99).toFixed(1)} ms directly, ${p99} ms through both sidecars, ${bareP99} ms through bare Envoys; Envoys ${mib} MiB`,
  );
  const samples = meshed.length;
  book.note(
    'added_p99_ms',
    { value: added(meshed, 0.99), unit: 'ms', samples },
    meshed.map((ms) => ({ ms })),
  );
  book.note('added_p50_ms', { value: added(meshed, 0.5), unit: 'ms', samples });
  book.note('bare_p99_ms', { value: added(bare, 0.99), unit: 'ms', samples });
  book.note('bare_p50_ms', { value: added(bare, 0.5), unit: 'ms', samples });
  book.note(
    'envoy_mib',
    { value: Math.max(...sizes), unit: 'MiB', samples: sizes.length },
    sizes.map((one) => ({ mib: one })),
  );
}
