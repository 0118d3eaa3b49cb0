/** Streams that come after others: what a client brings along of an earlier stream, over real gRPC. */
import { afterEach, describe, expect, test } from 'vitest';
import { fakeResource, startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { connectSotwAds, type ReceivedSet, type SotwAdsClient } from '../../../../test/kit/sotw-ads-client.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const sotwClients: SotwAdsClient[] = [];
let agent: TestAdsAgent;

afterEach(async () => {
  await Promise.all(sotwClients.splice(0).map((client) => client.close()));
  await agent.stop();
});

function storeOf(...resources: XdsResource[]): SnapshotStore {
  const store = new SnapshotStore();
  put(store, ...resources);
  return store;
}

function put(store: SnapshotStore, ...resources: XdsResource[]): void {
  store.apply(resources.map((resource) => ({ layer: 'sidecar', put: resource })));
}

async function connectSotw(): Promise<SotwAdsClient> {
  const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
  const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
  const client = connectSotwAds({ port: agent.server().port, token: await agent.token(), node });
  sotwClients.push(client);
  return client;
}

/** A stream on which clusters and endpoints were asked for and accepted. */
async function settledSotw(): Promise<{ client: SotwAdsClient; clusters: ReceivedSet; endpoints: ReceivedSet }> {
  const client = await connectSotw();
  client.send('CDS');
  const clusters = await client.next();
  client.send('CDS', clusters);
  client.send('EDS', { names: ['a'] });
  const endpoints = await client.next();
  client.send('EDS', { ...endpoints, names: ['a'] });
  return { client, clusters, endpoints };
}

describe('state of the world', () => {
  test('case 7: no nonce of a stream is one of another', async () => {
    agent = await startAdsAgent({ store: storeOf(fakeResource('CDS', 'a', '1'), fakeResource('EDS', 'a', '1')) });
    const [first, second] = [await settledSotw(), await settledSotw()];
    const nonces = [first.clusters, first.endpoints, second.clusters, second.endpoints].map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(4);
  });

  test('case 14: version and nonce of an earlier stream in a first request: the version counts, the nonce answers nothing', async () => {
    const store = storeOf(fakeResource('CDS', 'a', '1'), fakeResource('EDS', 'a', '1'), fakeResource('RDS', 'r', '1'));
    agent = await startAdsAgent({ store });
    const { client, clusters, endpoints } = await settledSotw();
    await client.close();
    const again = await connectSotw();
    again.send('CDS', clusters);
    again.send('EDS', { ...endpoints, names: ['a', 'new'] });
    put(store, fakeResource('EDS', 'new', '1'));
    // That clusters are not told before shows that their version was believed.
    const answer = await again.next();
    expect(answer).toMatchObject({ type: 'EDS', resources: expect.arrayContaining([fakeResource('EDS', 'new', '1').bytes]) });
    // The nonce of the earlier stream is no ACK of this stream's first response: the next response is that of another type.
    put(store, fakeResource('EDS', 'new', '2'));
    again.send('EDS', { ...endpoints, names: ['a', 'new'] });
    again.send('RDS', { names: ['r'] });
    expect((await again.next()).type).toBe('RDS');
    again.send('EDS', { ...answer, names: ['a', 'new'] });
    expect(await again.next()).toMatchObject({ type: 'EDS', resources: expect.arrayContaining([fakeResource('EDS', 'new', '2').bytes]) });
  });

  test('case 14: a refusal that comes again with the nonce of an earlier stream is no refusal of this one', async () => {
    const store = storeOf(fakeResource('CDS', 'a', '1'));
    agent = await startAdsAgent({ store });
    const first = await connectSotw();
    first.send('CDS');
    const { nonce } = await first.next();
    first.send('CDS', { nonce, error: 'bad' });
    await first.close();
    const again = await connectSotw();
    again.send('CDS', { nonce, error: 'bad' });
    const response = await again.next();
    again.send('CDS', response);
    put(store, fakeResource('CDS', 'a', '2'));
    expect((await again.next()).resources).toEqual([fakeResource('CDS', 'a', '2').bytes]);
    expect(agent.server().streams.find('reviews-1')?.machine.refused).toBe(false);
  });

  test('case 26: another agent with the same content: nothing is sent but what is new', async () => {
    const resources = [fakeResource('CDS', 'a', '1'), fakeResource('EDS', 'a', '1')];
    agent = await startAdsAgent({ store: storeOf(...resources) });
    const { clusters, endpoints } = await settledSotw();
    const store = storeOf(...resources.toReversed());
    await agent.restart(store);
    const client = await connectSotw();
    client.send('CDS', { version: clusters.version });
    client.send('EDS', { version: endpoints.version, names: ['a'] });
    client.send('RDS', { names: ['r'] });
    put(store, fakeResource('RDS', 'r', '1'));
    expect((await client.next()).type).toBe('RDS');
  });
});

describe('delta', () => {
  test('case 7: no nonce of a stream is one of another', async () => {
    agent = await startAdsAgent({ store: storeOf(fakeResource('CDS', 'a', '1'), fakeResource('EDS', 'a', '1')) });
    const nonces: string[] = [];
    for (const client of [await agent.connect(), await agent.connect()]) {
      client.send('CDS');
      client.send('EDS', { subscribe: ['a'] });
      nonces.push((await client.next()).nonce, (await client.next()).nonce);
    }
    expect(new Set(nonces).size).toBe(4);
  });
});
