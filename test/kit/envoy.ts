/** A real Envoy for a test: started with a bootstrap, asked through its admin endpoint, ended with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { metricNames } from '@hawser/cli/proxy/metric-names.ts';
import { envoyBinary } from '@hawser/runtime/binaries.ts';

/** A running Envoy. */
export interface TestEnvoy {
  readonly pid: number;
  readonly adminPort: number;
  /** `GET` on the admin endpoint. */
  admin(path: string): Promise<string>;
  /** Value of a counter or gauge; 0 while it does not exist. */
  stat(name: string): Promise<number>;
  /** Polls a counter or gauge, every 10 ms for at most 15 s, until the condition holds. */
  untilStat(name: string, condition: (value: number) => boolean): Promise<void>;
  /** The whole dump, endpoints included, in protobuf JSON. */
  configDump(): Promise<string>;
  /** What Envoy wrote to stderr. */
  log(): string;
  /** What it wrote to stdout: access logs. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Where it finds its agent, and who it is. */
export interface EnvoyOptions {
  readonly xdsPort: number;
  /** Loopback unless given. */
  readonly xdsAddress?: string;
  readonly token: string;
  readonly node: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  /** Delta unless given. */
  readonly variant?: 'DELTA_GRPC' | 'GRPC';
  /** Loopback address of the admin endpoint. */
  readonly address?: string;
  /** Where names are asked for; what the system has unless given. */
  readonly dns?: { readonly address: string; readonly port: number } | undefined;
  /** Connections of a filter chain that is gone end with their next answer, as `hawser proxy run` has it; else one after the other. */
  readonly drainsAtOnce?: boolean | undefined;
}

const DEADLINE_MS = 40_000;

/** Starts it and waits until its admin endpoint answers. */
export async function startEnvoy(options: EnvoyOptions): Promise<TestEnvoy> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-envoy-'));
  const [config, adminFile] = [join(folder, 'bootstrap.json'), join(folder, 'admin.txt')];
  await writeFile(config, JSON.stringify(bootstrap(options)), { mode: 0o600 });
  const flags = [
    '--use-dynamic-base-id',
    '--concurrency',
    '1',
    '--log-level',
    'warning',
    '--file-flush-interval-msec',
    '50',
    '--admin-address-path',
    adminFile,
    ...(options.drainsAtOnce === true ? ['--drain-strategy', 'immediate', '--drain-time-s', '5'] : []),
  ];
  const child = spawn(envoyBinary(), ['-c', config, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [log, output] = ['', ''];
  child.stdout.on('data', (text: Buffer) => {
    output = (output + text.toString()).slice(-1_000_000);
  });
  child.stderr.on('data', (text: Buffer) => {
    log = (log + text.toString()).slice(-100_000);
  });
  const adminAddress = await until(
    child,
    () => readFile(adminFile, 'utf8').catch(() => ''),
    () => log,
  );
  const admin = async (path: string): Promise<string> => (await fetch(`http://${adminAddress}${path}`)).text();
  const stat = async (name: string): Promise<number> => {
    const line = (await admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`)).trim();
    return Number(line.split(': ')[1] ?? 0);
  };
  return {
    pid: child.pid ?? 0,
    adminPort: Number(adminAddress.slice(adminAddress.lastIndexOf(':') + 1)),
    ...{ admin, stat },
    untilStat: async (name, condition) => {
      await until(
        child,
        async () => (condition(await stat(name)) ? 'yes' : ''),
        () => `${name} does not get there\n${log}`,
      );
    },
    configDump: () => admin('/config_dump?include_eds'),
    log: () => log,
    output: () => output,
    kill: (signal) => child.kill(signal),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Polls until the answer is not empty; fails when the process ends or 15 s pass. */
async function until(child: ChildProcess, ask: () => Promise<string>, explain: () => string): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== '') return answer;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`Envoy is not there (exit ${child.exitCode}): ${explain()}`);
    }
    await wait(10);
  }
}

const RECONNECTS = { retry_back_off: { base_interval: '0.25s', max_interval: '5s' } };

/** A span goes out when it is there, and not with four others or after 5 s. */
const SPANS_AT_ONCE = { 'tracing.zipkin.min_flush_spans': 1, 'tracing.opentelemetry.min_flush_spans': 1 };

function bootstrap({
  xdsPort,
  xdsAddress = '127.0.0.1',
  token,
  node,
  variant = 'DELTA_GRPC',
  address = '127.0.0.1',
  dns,
}: EnvoyOptions): unknown {
  const socket = (at: string, port: number): unknown => ({ socket_address: { address: at, port_value: port } });
  const ads = { ads: {}, resource_api_version: 'V3' };
  const names = metricNames();
  return {
    stats_flush_on_admin: true,
    layered_runtime: { layers: [{ name: 'static', static_layer: SPANS_AT_ONCE }] },
    node: { id: node['name'], cluster: node['cluster'], metadata: node },
    admin: { address: socket(address, 0) },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener' },
      },
      names.extension,
    ],
    ...(dns === undefined ? {} : { typed_dns_resolver_config: resolver(socket(dns.address, dns.port)) }),
    dynamic_resources: {
      ads_config: {
        api_type: variant,
        transport_api_version: 'V3',
        // As soon again as the product's own bootstrap has it.
        grpc_services: [
          {
            envoy_grpc: { cluster_name: 'xds', retry_policy: RECONNECTS },
            initial_metadata: [{ key: 'authorization', value: `Bearer ${token}` }],
          },
        ],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        names.cluster,
        {
          ...{ name: 'xds', type: 'STATIC', connect_timeout: '1s' },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(xdsAddress, xdsPort) } }] }],
          },
        },
      ],
    },
  };
}

/** Asked at every turn: a test's names change. */
function resolver(server: unknown): unknown {
  return {
    name: 'envoy.network.dns_resolver.cares',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
      resolvers: [server],
      dns_resolver_options: { use_tcp_for_dns_lookups: false, no_default_search_domain: true },
    },
  };
}
