/** The ADS server with a real Envoy: what RELIABILITY.md 2.5 asks of the two together. */
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import type { Change, LayerName, XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { typeRegistry } from './type-registry.ts';

const NODE = {
  ...{ role: 'sidecar', address: '127.0.0.1', name: 'reviews-1' },
  ...{ namespace: 'bookinfo', serviceAccount: 'reviews', cluster: 'us-east' },
};
const TYPE = 'type.googleapis.com/envoy.extensions';
const ADS = { ads: {}, resourceApiVersion: 'V3' };

let upstream: Server;
let agent: TestAdsAgent;
let envoy: TestEnvoy;
let store: SnapshotStore;
let port: number;

beforeAll(async () => {
  upstream = createServer((_request, response) => response.end('reached'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => upstream.close(resolve)));

beforeEach(async () => {
  port = await freePort();
  store = storeWith(everything());
  agent = await startAdsAgent({ store });
});

afterEach(async () => {
  await envoy.stop();
  await agent.stop();
});

let variant: 'DELTA_GRPC' | 'GRPC';

async function start(token?: string): Promise<void> {
  envoy = await startEnvoy({ xdsPort: agent.server().port, token: token ?? (await agent.token()), node: NODE, variant });
}

describe.each(['DELTA_GRPC', 'GRPC'] as const)('an Envoy that speaks %s', (spoken) => {
  beforeAll(() => {
    variant = spoken;
  });

  test('cluster, endpoints, listener, route and identity arrive, and a request passes', async () => {
    await start();
    expect(await call()).toEqual({ body: '200 reached', identity: 'URI:spiffe://us-east.hawser/ns/bookinfo/sa/reviews' });
    const dump = await envoy.configDump();
    for (const name of ['a', 'l', 'r', 'identity']) expect(dump).toContain(`"name": "${name}"`);
    expect(dump).toContain('"cluster_name": "a"');
    expect(dump).not.toContain('BEGIN PRIVATE KEY');
    await until(() => agent.server().proxies()[0]?.types['RDS']?.state === 'SYNCED');
    expect(agent.server().proxies()).toMatchObject([
      { proxy: 'reviews-1', role: 'sidecar', types: { CDS: { state: 'SYNCED' }, EDS: { state: 'SYNCED' }, LDS: { state: 'SYNCED' } } },
    ]);
  });

  test('26, 35: the agent restarts with the same state: no cluster, endpoint or listener is pushed', async () => {
    await start();
    await call();
    const before = await updates();
    await agent.restart(storeWith(everything()));
    // The certificate is new, because keys live in memory only: it tells that the stream is back and answered.
    await envoy.untilStat('control_plane.connected_state', (value) => value === 1);
    await until(() => Object.values(agent.server().proxies()[0]?.types ?? { none: undefined }).every((type) => type?.state === 'SYNCED'));
    // Routes are told again to a client whose version of them stands for more than one set.
    const routes = variant === 'GRPC' ? { 'http.in.rds.r.update_success': 2 } : {};
    expect(await updates()).toEqual({ ...before, ...routes });
    expect((await call()).body).toBe('200 reached');
  });

  test('a wrong token gets nothing', async () => {
    await start('nonsense');
    await envoy.untilStat('cluster_manager.cds.update_attempt', (value) => value >= 1);
    await envoy.untilStat('cluster.xds.upstream_rq_total', (value) => value >= 2);
    expect(await envoy.stat('cluster_manager.cds.update_success')).toBe(0);
    expect(await envoy.stat('listener_manager.lds.update_success')).toBe(0);
    expect(await envoy.configDump()).not.toContain('BEGIN CERTIFICATE');
    expect(agent.attached.size).toBe(0);
  });

  test('32: a changed cluster is warm at once, because its endpoints come along', async () => {
    await start();
    await call();
    store.apply([put(cluster('2s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'SYNCED');
    expect(await envoy.stat('cluster_manager.warming_clusters')).toBe(0);
    // Without them, warming ends by the 15 s of initial_fetch_timeout, and this counts it.
    expect(await envoy.stat('cluster.a.init_fetch_timeout')).toBe(0);
    expect(await envoy.configDump()).toContain('"connect_timeout": "2s"');
  });

  test('33: a listener whose sds_config changed its bytes keeps its certificate (G4)', async () => {
    await start();
    await call();
    store.apply([put(listener({ ...ADS, initialFetchTimeout: '14s' }))]);
    await until(() => agent.server().proxies()[0]?.types['LDS']?.state === 'SYNCED');
    await envoy.untilStat('listener_manager.total_listeners_warming', (value) => value === 0);
    expect(await envoy.configDump()).toContain('"initial_fetch_timeout": "14s"');
    expect((await call()).body).toBe('200 reached');
  });

  test('30, 31: a route moves to a new cluster and the old one goes, with no failed request', async () => {
    await start();
    await call();
    const codes = new Set<string>();
    let [calling, moves] = [true, 0];
    const load = (async () => {
      while (calling) codes.add(await call().then(({ body }) => body, String));
    })();
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b'],
    ] as const) {
      const removals = ['CDS', 'EDS'].map((type): Change => ({ layer: 'sidecar', remove: { type: type as XdsType, name: from } }));
      store.apply([...removals, put(cluster('1s', to)), put(endpoints(to)), put(route(to))]);
      moves += 1;
      await envoy.untilStat('cluster_manager.cluster_removed', (value) => value === moves);
    }
    calling = false;
    await load;
    expect([...codes]).toEqual(['200 reached']);
  });

  test('28: a bad cluster is refused, the old one serves, and the next version is taken', async () => {
    await start();
    await call();
    store.apply([put(cluster('-1s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'NACKED');
    expect(agent.server().proxies()[0]?.types['CDS']?.error).toContain('Invalid duration');
    expect((await call()).body).toBe('200 reached');
    store.apply([put(cluster('3s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'SYNCED');
    expect(await envoy.configDump()).toContain('"connect_timeout": "3s"');
  });

  test('36: a stopped Envoy costs no memory, and catches up with the latest', async () => {
    await start();
    await call();
    envoy.kill('SIGSTOP');
    const sent: string[] = [];
    const stop = agent.server().onChange(() => sent.push(agent.server().proxies()[0]?.types['EDS']?.sent ?? ''));
    for (let weight = 2; weight < 1_002; weight += 1) store.apply([put(endpoints('a', weight))]);
    expect(new Set(sent).size).toBe(1);
    stop();
    envoy.kill('SIGCONT');
    await until(() => agent.server().proxies()[0]?.types['EDS']?.state === 'SYNCED');
    expect(await envoy.configDump()).toContain('"load_balancing_weight": 1001');
    expect(await envoy.stat('cluster.a.update_success')).toBeLessThan(5);
  });
});

function everything(): XdsResource[] {
  return [cluster('1s'), endpoints('a'), listener(ADS), route('a')];
}

function storeWith(resources: XdsResource[]): SnapshotStore {
  const filled = new SnapshotStore();
  filled.apply(resources.map(put));
  return filled;
}

function put(resource: XdsResource): Change {
  return { layer: resource.type === 'LDS' ? (`sidecar:${NODE.address}` satisfies LayerName) : 'sidecar', put: resource };
}

function built(type: XdsType, schema: DescMessage, json: { [field: string]: JsonValue }): XdsResource {
  const bytes = toBinary(schema, fromJson(schema, json, { registry: typeRegistry() }));
  return { type, name: String(json['name'] ?? json['clusterName']), version: sha256(bytes).slice(0, 16), bytes };
}

function cluster(connectTimeout: string, name = 'a'): XdsResource {
  return built('CDS', ClusterSchema, { name, type: 'EDS', edsClusterConfig: { edsConfig: ADS }, connectTimeout });
}

function endpoints(clusterName: string, loadBalancingWeight = 1): XdsResource {
  const socketAddress = { address: '127.0.0.1', portValue: (upstream.address() as AddressInfo).port };
  const lbEndpoints = [{ endpoint: { address: { socketAddress } }, loadBalancingWeight }];
  return built('EDS', ClusterLoadAssignmentSchema, { clusterName, endpoints: [{ lbEndpoints }] });
}

function route(to: string): XdsResource {
  const routes = [{ match: { prefix: '/' }, route: { cluster: to } }];
  return built('RDS', RouteConfigurationSchema, { name: 'r', virtualHosts: [{ name: 'all', domains: ['*'], routes }] });
}

/** A TLS listener with the proxy's own certificate. */
function listener(sdsConfig: { [field: string]: JsonValue }): XdsResource {
  const manager = {
    ...{ '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`, statPrefix: 'in' },
    rds: { routeConfigName: 'r', configSource: ADS },
    httpFilters: [{ name: 'router', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
  };
  const tls = {
    '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: 'identity', sdsConfig }] },
  };
  return built('LDS', ListenerSchema, {
    name: 'l',
    address: { socketAddress: { address: '127.0.0.1', portValue: port } },
    filterChains: [{ filters: [{ name: 'http', typedConfig: manager }], transportSocket: { name: 'tls', typedConfig: tls } }],
  });
}

/** Pushes that Envoy took in, by type. */
async function updates(): Promise<Record<string, number>> {
  const names = ['cluster_manager.cds.update_success', 'cluster.a.update_success', 'listener_manager.lds.update_success'];
  const all = [...names, 'http.in.rds.r.update_success'];
  return Object.fromEntries(await Promise.all(all.map(async (name) => [name, await envoy.stat(name)])));
}

/** A new connection through Envoy, verified against the trust bundle; waits for the listener at first. */
async function call(): Promise<{ body: string; identity: string | undefined }> {
  await envoy.untilStat('listener_manager.workers_started', (value) => value === 1);
  await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ca: [...agent.authority.trustBundle], checkServerIdentity: () => undefined, agent: false };
    const asked = request(options, (response) => {
      const identity = (response.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName;
      let body = `${response.statusCode} `;
      response.on('data', (text) => {
        body += String(text);
      });
      response.on('end', () => resolve({ body, identity }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Resolves at the first change of the server at which the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (condition()) resolve();
  };
  const stop = agent.server().onChange(check);
  check();
  await promise;
  stop();
}
