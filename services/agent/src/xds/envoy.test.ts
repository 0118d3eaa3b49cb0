/** The ADS server with a real Envoy: what RELIABILITY.md 2.5 asks of the two together. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { XdsType } from '@hawser/wire/messages.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent, untilServer } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, loopbackEndpoints, routeTo, tlsListener } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { newConnections, type TlsAnswer, tlsGet } from '../../../../test/kit/tls-get.ts';
import type { Change, LayerName, XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const NODE = {
  ...{ role: 'sidecar', address: '127.0.0.1', name: 'reviews-1' },
  ...{ namespace: 'bookinfo', serviceAccount: 'reviews', cluster: 'us-east' },
};

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
    expect(await call()).toMatchObject({ body: '200 reached', identity: 'URI:spiffe://us-east.hawser/ns/bookinfo/sa/reviews' });
    const dump = await envoy.configDump();
    for (const name of ['a', 'l', 'r', 'identity']) expect(dump).toContain(`"name": "${name}"`);
    expect(dump).toContain('"cluster_name": "a"');
    expect(dump).not.toContain('BEGIN PRIVATE KEY');
    await until(() => agent.server().proxies()[0]?.types['RDS']?.state === 'SYNCED');
    expect(agent.server().proxies()).toMatchObject([
      { proxy: 'reviews-1', role: 'sidecar', types: { CDS: { state: 'SYNCED' }, EDS: { state: 'SYNCED' }, LDS: { state: 'SYNCED' } } },
    ]);
  });

  test('case 26: another agent serves the same state: no cluster, endpoint or listener is pushed', async () => {
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

  test('case 32: a changed cluster is warm at once, because its endpoints come along', async () => {
    await start();
    await call();
    store.apply([put(edsCluster('a', '2s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'SYNCED');
    expect(await envoy.stat('cluster_manager.warming_clusters')).toBe(0);
    // Without them, warming ends by the 15 s of initial_fetch_timeout, and this counts it.
    expect(await envoy.stat('cluster.a.init_fetch_timeout')).toBe(0);
    expect(await envoy.configDump()).toContain('"connect_timeout": "2s"');
  });

  test('case 33: a listener whose sds_config changed its bytes keeps its certificate (G4)', async () => {
    await start();
    await call();
    store.apply([put(tlsListener('l', 'r', { port, sds: { initialFetchTimeout: '14s' } }))]);
    await until(() => agent.server().proxies()[0]?.types['LDS']?.state === 'SYNCED');
    await envoy.untilStat('listener_manager.total_listeners_warming', (value) => value === 0);
    expect(await envoy.configDump()).toContain('"initial_fetch_timeout": "14s"');
    expect((await call()).body).toBe('200 reached');
  });

  test('case 30: a route moves to a cluster that is new, with no failed request', async () => {
    await start();
    await call();
    const answers = await underLoad(async () => {
      for (const to of ['b', 'c', 'd']) {
        store.apply([put(edsCluster(to, '1s')), put(endpoints(to)), put(routeTo('r', to))]);
        await until(() => synced('CDS', 'EDS', 'RDS'));
        await expect.poll(() => envoy.stat(`cluster.${to}.upstream_rq_total`), { timeout: 20_000 }).toBeGreaterThan(0);
      }
    });
    expect([...answers]).toEqual(['200 reached']);
  });

  test('case 31: a cluster goes together with the routes to it, with no failed request', async () => {
    await start();
    await call();
    let moves = 0;
    const answers = await underLoad(async () => {
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'b'],
      ] as const) {
        const removals = ['CDS', 'EDS'].map((type): Change => ({ layer: 'sidecar', remove: { type: type as XdsType, name: from } }));
        store.apply([...removals, put(edsCluster(to, '1s')), put(endpoints(to)), put(routeTo('r', to))]);
        moves += 1;
        await envoy.untilStat('cluster_manager.cluster_removed', (value) => value === moves);
      }
    });
    expect([...answers]).toEqual(['200 reached']);
  });

  test('case 28: a bad cluster is refused, the old one serves, and the next version is taken', async () => {
    await start();
    await call();
    store.apply([put(edsCluster('a', '-1s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'NACKED');
    expect(agent.server().proxies()[0]?.types['CDS']?.error).toContain('Invalid duration');
    expect((await call()).body).toBe('200 reached');
    store.apply([put(edsCluster('a', '3s'))]);
    await until(() => agent.server().proxies()[0]?.types['CDS']?.state === 'SYNCED');
    expect(await envoy.configDump()).toContain('"connect_timeout": "3s"');
  });
});

function everything(): XdsResource[] {
  return [edsCluster('a', '1s'), endpoints('a'), tlsListener('l', 'r', { port }), routeTo('r', 'a')];
}

function storeWith(resources: XdsResource[]): SnapshotStore {
  const filled = new SnapshotStore();
  filled.apply(resources.map(put));
  return filled;
}

function put(resource: XdsResource): Change {
  return { layer: resource.type === 'LDS' ? (`sidecar:${NODE.address}` satisfies LayerName) : 'sidecar', put: resource };
}

function endpoints(clusterName: string): XdsResource {
  return loopbackEndpoints(clusterName, [(upstream.address() as AddressInfo).port]);
}

function synced(...types: XdsType[]): boolean {
  return types.every((type) => agent.server().proxies()[0]?.types[type]?.state === 'SYNCED');
}

/** Makes calls, one after another, until the work is done; what they were answered or how they failed. */
async function underLoad(work: () => Promise<void>): Promise<ReadonlySet<string>> {
  const answers = new Set<string>();
  let calling = true;
  const load = (async () => {
    while (calling) answers.add(await call().then(({ body }) => body, String));
  })();
  try {
    await work();
  } finally {
    calling = false;
    await load;
  }
  return answers;
}

/** Pushes that Envoy took in, by type. */
async function updates(): Promise<Record<string, number>> {
  const names = ['cluster_manager.cds.update_success', 'cluster.a.update_success', 'listener_manager.lds.update_success'];
  const all = [...names, 'http.in.rds.r.update_success'];
  return Object.fromEntries(await Promise.all(all.map(async (name) => [name, await envoy.stat(name)])));
}

/** A new connection through Envoy, verified against the trust bundle; waits for the listener at first. */
async function call(): Promise<TlsAnswer> {
  await envoy.untilStat('listener_manager.workers_started', (value) => value === 1);
  await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
  return tlsGet(port, newConnections(agent.authority.trustBundle));
}

function until(condition: () => boolean): Promise<void> {
  return untilServer(agent.server(), condition);
}
