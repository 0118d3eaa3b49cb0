/** Real Envoys for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBinary } from '@hawser/runtime/binaries.ts';

export interface Envoy {
  readonly process: ChildProcess;
  /** Answer of its admin endpoint. */
  admin(path: string): Promise<string>;
  /** Ends it at once, as a crash does, and waits until it is gone. */
  kill(): Promise<void>;
  /** Its log so far. */
  log(): string;
}

export interface EnvoyOptions {
  readonly node: string;
  readonly address: string;
  readonly ads: { readonly address: string; readonly port: number };
}

export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const dir = mkdtempSync(join(tmpdir(), 'hawser-envoy-'));
  const config = join(dir, 'bootstrap.json');
  const logFile = join(dir, 'envoy.log');
  writeFileSync(config, JSON.stringify(bootstrap(options)));
  const log = openSync(logFile, 'w');
  const argv = ['-c', config, '--concurrency', '1', '--disable-hot-restart', '--log-level', process.env['ENVOY_LOG'] ?? 'warning'];
  const child = spawn(envoyBinary(), argv, { stdio: ['ignore', log, log] });
  const exited = once(child, 'exit');
  const envoy: Envoy = {
    process: child,
    admin: (path) => get(options.address, 15000, path),
    log: () => readFileSync(logFile, 'utf8'),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
      if (process.env['KEEP'] === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
  await until(
    async () => (await envoy.admin('/ready').catch(() => '')).includes('LIVE'),
    () => `Envoy ${options.node} is not live: ${envoy.log()}`,
  );
  return envoy;
}

/** Polls until a condition holds; fails with `why` after 15 s. */
export async function until(condition: () => Promise<boolean> | boolean, why: () => string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(why());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function get(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.on('end', () => resolve(body));
    });
    call.on('error', reject).end();
  });
}

function bootstrap({ node, address, ads }: EnvoyOptions): unknown {
  const socket = (host: string, port: number): unknown => ({ socket_address: { address: host, port_value: port } });
  const internal = 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener';
  const http2 = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    node: { id: node, cluster: 'test' },
    admin: { address: socket(address, 15000) },
    bootstrap_extensions: [{ name: 'envoy.bootstrap.internal_listener', typed_config: { '@type': internal } }],
    dynamic_resources: {
      ads_config: { api_type: 'GRPC', transport_api_version: 'V3', grpc_services: [{ envoy_grpc: { cluster_name: 'ads' } }] },
      cds_config: { resource_api_version: 'V3', ads: {} },
      lds_config: { resource_api_version: 'V3', ads: {} },
    },
    static_resources: {
      clusters: [
        {
          name: 'ads',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': http2,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'ads',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(ads.address, ads.port) } }] }],
          },
        },
      ],
    },
  };
}
