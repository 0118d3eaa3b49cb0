/**
 * gRPC's own xDS client against the ADS server: it names listeners and clusters, which Envoy never does. Random changes of
 * routes, clusters and endpoints; the backends that it picks must be those that are served.
 */
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { type AdsRelay, startAdsRelay } from '../../../../test/kit/ads-relay.ts';
import { edsCluster, loopbackEndpoints, rdsListener, routeTo } from '../../../../test/kit/ads-resources.ts';
import { histories, SEED } from '../../../../test/kit/random-histories.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const METHOD = '/test.Backend/Who';
const raw = (bytes: Buffer): Buffer => bytes;
const store = new SnapshotStore();
const backends: { readonly server: Server; readonly port: number }[] = [];
let agent: TestAdsAgent;
let relay: AdsRelay;
let client: Client;

beforeAll(async () => {
  for (let index = 0; index < 3; index += 1) backends.push(await startBackend(index));
  agent = await startAdsAgent({ store });
  relay = await startAdsRelay(() => agent.server().port, await agent.token());
  const metadata = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', namespace: 'bookinfo', serviceAccount: 'reviews' };
  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify({
    xds_servers: [{ server_uri: `127.0.0.1:${relay.port}`, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'reviews-1', locality: { region: 'test' }, metadata: { ...metadata, cluster: agent.cluster } },
  });
  // Loaded with its bootstrap in place.
  const { register } = await import('@grpc/grpc-js-xds');
  register();
  put(rdsListener('backend.test', 'r'), routeTo('r', 'c0'), edsCluster('c0', '1s'), edsCluster('c1', '1s'));
  put(loopbackEndpoints('c0', [portOf(0)]), loopbackEndpoints('c1', [portOf(1)]));
  client = new Client('xds:///backend.test', credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  relay.stop();
  for (const { server } of backends) server.forceShutdown();
  await agent.stop();
});

async function startBackend(index: number): Promise<{ server: Server; port: number }> {
  const server = new Server();
  const codec = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };
  server.addService(
    { who: { path: METHOD, requestStream: false, responseStream: false, ...codec } },
    { who: (_call: unknown, callback: (error: null, answer: Buffer) => void) => callback(null, Buffer.from(String(index))) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port };
}

function portOf(index: number): number {
  return backends[index]?.port ?? 0;
}

function put(...resources: XdsResource[]): void {
  store.apply(resources.map((resource) => ({ layer: 'sidecar', put: resource })));
}

/** The backends that answer 9 calls in turn, or how the first failed call ended. */
async function picked(): Promise<string> {
  const answers = new Set<string>();
  for (let count = 0; count < 9; count += 1) {
    answers.add(
      await new Promise<string>((resolve) => {
        client.makeUnaryRequest(METHOD, raw, raw, Buffer.alloc(0), { deadline: Date.now() + 10_000 }, (error, answer) => {
          resolve(error === null ? String(answer) : `${error.code} ${error.details}`);
        });
      }),
    );
  }
  return [...answers].sort().join();
}

test('the backends that gRPC picks are those that are served, after any change and reconnect', async () => {
  await expect.poll(picked, { timeout: 20_000 }).toBe('0');
  const subset = fc.subarray([0, 1, 2], { minLength: 1 });
  const change = fc.record({
    cluster: fc.constantFrom('c0', 'c1'),
    endpoints: subset,
    seconds: fc.integer({ min: 1, max: 9 }),
    cut: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  });
  for (const burst of fc.sample(fc.array(change, { minLength: 1, maxLength: 5 }), histories(8))) {
    // Several changes at once: those in the middle may never be sent, the last must arrive.
    for (const { cluster, endpoints, seconds, cut } of burst) {
      if (cut) relay.cut();
      put(edsCluster(cluster, `${seconds}s`), loopbackEndpoints(cluster, endpoints.map(portOf)), routeTo('r', cluster));
    }
    const message = `seed ${SEED}: ${JSON.stringify(burst)}`;
    await expect.poll(picked, { timeout: 20_000, interval: 20, message }).toBe(burst.at(-1)?.endpoints.join());
  }
  expect(agent.server().streams.all.size).toBe(1);
  expect(agent.server().proxies()[0]?.types['LDS']?.state).toBe('SYNCED');
}, 60_000);
