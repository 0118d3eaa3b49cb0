/** The same requests through an Envoy that counts them, and is read each second, and through one that does not; by turns. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, toJson } from '@bufbuild/protobuf';
import { ATTEMPT_LOGS, REQUEST_LOG } from '@hawser/agent/translate/telemetry/traffic-logs.ts';
import { typeRegistry } from '@hawser/agent/xds/type-registry.ts';
import { TRAFFIC_ADMIN_PATH, TRAFFIC_BOUNDS_US, TRAFFIC_SCOPE } from '@hawser/model/traffic-stats.ts';
import { type AccessLog, AccessLogSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { quantile, timesInTurns } from './in-turns.ts';
import { type StaticEnvoy, type StaticExtras, startStaticEnvoy } from './static-envoy.ts';

const TURNS = { perSecond: 200, seconds: 30, warmUp: 500 };

/** What every endpoint of the mesh says of itself, so that counts can be told apart; both have it. */
const LABELLED: StaticExtras = {
  bootstrap: {
    stats_flush_on_admin: true,
    stats_config: { histogram_bucket_settings: [{ match: { prefix: `${TRAFFIC_SCOPE}.` }, buckets: TRAFFIC_BOUNDS_US }] },
  },
  cluster: { metadata: { filter_metadata: { 'hawser.peer': { host: 'reviews', service: 'reviews', namespace: 'bookinfo' } } } },
  lbEndpoint: { metadata: { filter_metadata: { 'hawser.peer': { workload: 'reviews-v1', app: 'reviews', version: 'v1' } } } },
  localityLbEndpoints: { locality: { region: 'us-east', zone: 'a', sub_zone: 'us-east' } },
};

const COUNTING: StaticExtras = {
  ...LABELLED,
  manager: { access_log: json([REQUEST_LOG]) },
  router: { upstream_log: json(ATTEMPT_LOGS), upstream_log_options: { flush_upstream_log_on_upstream_stream: true } },
};

/** Notes `added_p99_ms`. */
export async function addedLatency(book: FigureBook): Promise<void> {
  const app = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const upstream = { address: '127.0.0.1', port: (app.address() as AddressInfo).port };
  const envoys: StaticEnvoy[] = [];
  const start = async (extras: StaticExtras): Promise<StaticEnvoy> => {
    const envoy = await startStaticEnvoy(upstream, extras);
    envoys.push(envoy);
    return envoy;
  };
  try {
    const [plain, counting] = [await start(LABELLED), await start(COUNTING)];
    const reading = setInterval(() => void fetch(counting.admin + TRAFFIC_ADMIN_PATH).then((answer) => answer.text()), 1_000);
    const way = ({ port }: StaticEnvoy) => ({ host: '127.0.0.1', port });
    const took = await timesInTurns({ plain: way(plain), counting: way(counting) }, TURNS);
    clearInterval(reading);
    const value = quantile(took.counting, 0.99) - quantile(took.plain, 0.99);
    book.note('added_p99_ms', { value, unit: 'ms', samples: took.counting.length }, [
      { plainP99: quantile(took.plain, 0.99), countingP99: quantile(took.counting, 0.99) },
      { plainP50: quantile(took.plain, 0.5), countingP50: quantile(took.counting, 0.5) },
    ]);
  } finally {
    for (const envoy of envoys) envoy.stop();
    app.closeAllConnections();
    app.close();
  }
}

function json(logs: readonly Parameters<typeof create<typeof AccessLogSchema>>[1][]): unknown[] {
  return logs.map((log) =>
    toJson(AccessLogSchema, create(AccessLogSchema, log) as AccessLog, { registry: typeRegistry(), useProtoFieldName: true }),
  );
}
