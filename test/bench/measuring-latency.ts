/** The same requests through an Envoy that counts them, and is read each second, and through one that does not; by turns. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJson } from '@bufbuild/protobuf';
import { ATTEMPT_LOGS, REQUEST_LOG } from '@hawser/agent/translate/telemetry/traffic-logs.ts';
import { typeRegistry } from '@hawser/agent/xds/type-registry.ts';
import { TRAFFIC_ADMIN_PATH, TRAFFIC_BOUNDS_US, TRAFFIC_SCOPE } from '@hawser/model/traffic-stats.ts';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { type AccessLog, AccessLogSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { until } from '../datapath/kit/until.ts';
import { freePort } from '../kit/ports.ts';
import { atPace } from './pace.ts';

const PER_SECOND = 400;
const SECONDS = 30;
const WARM_UP = 500;

interface Proxy {
  readonly port: number;
  readonly admin: string;
}

/** Notes `added_p99_ms`. */
export async function addedLatency(book: FigureBook): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-measuring-'));
  const app = createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const upstream = (app.address() as AddressInfo).port;
  const children: ReturnType<typeof spawn>[] = [];
  const start = async (counts: boolean): Promise<Proxy> => {
    const [port, admin] = [await freePort(), await freePort()];
    const file = join(folder, `${port}.json`);
    writeFileSync(file, JSON.stringify(bootstrap({ port, admin, upstream, counts })));
    const flags = ['-c', file, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'error'];
    children.push(spawn(envoyBinary(), flags, { stdio: 'ignore' }));
    const ready = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${admin}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(ready, () => 'Envoy does not start');
    return { port, admin: `http://127.0.0.1:${admin}` };
  };
  try {
    const [plain, counting] = [await start(false), await start(true)];
    const reading = setInterval(() => void fetch(counting.admin + TRAFFIC_ADMIN_PATH).then((answer) => answer.text()), 1_000);
    const took = await timesOf(plain.port, counting.port);
    clearInterval(reading);
    const samples = took.counting.length;
    const value = at(took.counting, 0.99) - at(took.plain, 0.99);
    book.note('added_p99_ms', { value, unit: 'ms', samples }, [
      { plainP99: at(took.plain, 0.99), countingP99: at(took.counting, 0.99) },
      { plainP50: at(took.plain, 0.5), countingP50: at(took.counting, 0.5) },
    ]);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    app.closeAllConnections();
    app.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timesOf(plain: number, counting: number): Promise<{ plain: number[]; counting: number[] }> {
  const agents = new Map([plain, counting].map((port) => [port, new Agent({ keepAlive: true, maxSockets: 50 })]));
  const call = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const sent = request({ host: '127.0.0.1', port, agent: agents.get(port), timeout: 5_000 }, (response) => {
        response.resume();
        response.on('end', () => resolve(performance.now() - began));
      });
      sent.on('error', reject);
      sent.end();
    });
  for (let index = 0; index < WARM_UP; index += 1) await Promise.all([call(plain), call(counting)]);
  const pending: { readonly plain: Promise<number>[]; readonly counting: Promise<number>[] } = { plain: [], counting: [] };
  await atPace({ count: PER_SECOND * SECONDS, perSecond: PER_SECOND }, (index) => {
    if (index % 2 === 0) pending.plain.push(call(plain));
    else pending.counting.push(call(counting));
  });
  const took = { plain: await Promise.all(pending.plain), counting: await Promise.all(pending.counting) };
  for (const agent of agents.values()) agent.destroy();
  return took;
}

function at(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

const TYPES = 'type.googleapis.com/envoy.extensions';

function bootstrap({ port, admin, upstream, counts }: { port: number; admin: number; upstream: number; counts: boolean }): object {
  const address = (of: number): object => ({ socket_address: { address: '127.0.0.1', port_value: of } });
  const json = (logs: readonly Parameters<typeof create<typeof AccessLogSchema>>[1][]): unknown[] =>
    logs.map((log) =>
      toJson(AccessLogSchema, create(AccessLogSchema, log) as AccessLog, { registry: typeRegistry(), useProtoFieldName: true }),
    );
  const endpoint = { address: address(upstream) };
  const metadata = { filter_metadata: { 'hawser.peer': { workload: 'reviews-v1', app: 'reviews', version: 'v1' } } };
  const locality = { region: 'us-east', zone: 'a', sub_zone: 'us-east' };
  const endpoints = [{ locality, lb_endpoints: [{ endpoint, metadata }] }];
  const router = counts ? { upstream_log: json(ATTEMPT_LOGS), upstream_log_options: { flush_upstream_log_on_upstream_stream: true } } : {};
  const manager = {
    '@type': `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound',
    ...(counts ? { access_log: json([REQUEST_LOG]) } : {}),
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'reviews' } }] }] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPES}.filters.http.router.v3.Router`, ...router } }],
  };
  return {
    admin: { address: address(admin) },
    stats_flush_on_admin: true,
    stats_config: { histogram_bucket_settings: [{ match: { prefix: `${TRAFFIC_SCOPE}.` }, buckets: TRAFFIC_BOUNDS_US }] },
    static_resources: {
      clusters: [
        {
          ...{ name: 'reviews', type: 'STATIC', load_assignment: { cluster_name: 'reviews', endpoints } },
          metadata: { filter_metadata: { 'hawser.peer': { host: 'reviews', service: 'reviews', namespace: 'bookinfo' } } },
        },
      ],
      listeners: [{ name: 'outbound', address: address(port), filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] }],
    },
  };
}
