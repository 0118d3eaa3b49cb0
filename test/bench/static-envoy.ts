/** An Envoy with a bootstrap of its own and no agent: what is measured beside it is the mesh's, not Envoy's or the machine's. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { until } from '../datapath/kit/until.ts';
import { freePort } from '../kit/ports.ts';

const TYPES = 'type.googleapis.com/envoy.extensions.filters';

/** Where requests go on to. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** One listener that sends every HTTP request to one upstream. */
export interface StaticEnvoy {
  /** Of 127.0.0.1. */
  readonly port: number;
  /** URL of its admin endpoint. */
  readonly admin: string;
  stop(): void;
}

/** What a bootstrap has beyond the least, in Envoy's JSON, by the part that it is added to. */
export interface StaticExtras {
  readonly bootstrap?: object;
  readonly cluster?: object;
  readonly lbEndpoint?: object;
  readonly localityLbEndpoints?: object;
  readonly manager?: object;
  readonly router?: object;
}

/** Starts it, with one worker as sidecars have, and waits until it is ready. */
export async function startStaticEnvoy(upstream: Upstream, extras: StaticExtras = {}): Promise<StaticEnvoy> {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-static-envoy-'));
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, JSON.stringify(bootstrap({ port, adminPort, upstream, extras })));
  const flags = ['-c', file, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'error'];
  const child = spawn(envoyBinary(), flags, { stdio: 'ignore' });
  const admin = `http://127.0.0.1:${adminPort}`;
  const stop = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = (): Promise<boolean> =>
    fetch(`${admin}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    await until(ready, () => 'Envoy does not start');
  } catch (error) {
    stop();
    throw error;
  }
  return { port, admin, stop };
}

interface Parts {
  readonly port: number;
  readonly adminPort: number;
  readonly upstream: Upstream;
  readonly extras: StaticExtras;
}

function bootstrap({ port, adminPort, upstream, extras }: Parts): object {
  const address = (at: string, of: number): object => ({ socket_address: { address: at, port_value: of } });
  const lbEndpoint = { endpoint: { address: address(upstream.address, upstream.port) }, ...extras.lbEndpoint };
  const endpoints = [{ ...extras.localityLbEndpoints, lb_endpoints: [lbEndpoint] }];
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }];
  const manager = {
    '@type': `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPES}.http.router.v3.Router`, ...extras.router } }],
    ...extras.manager,
  };
  const cluster = { name: 'upstream', type: 'STATIC', load_assignment: { cluster_name: 'upstream', endpoints }, ...extras.cluster };
  const listener = {
    name: 'outbound',
    address: address('127.0.0.1', port),
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
  return {
    admin: { address: address('127.0.0.1', adminPort) },
    static_resources: { clusters: [cluster], listeners: [listener] },
    ...extras.bootstrap,
  };
}
