/** CSDS over real gRPC: who sees what, and what it says of each resource. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ClientResourceStatus } from '@hawser/xds/generated/envoy/admin/v3/config_dump_shared_pb.ts';
import {
  type ClientConfig,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from '@hawser/xds/generated/envoy/service/status/v3/csds_pb.ts';
import { afterEach, expect, test } from 'vitest';
import { fakeResource, startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const PATH = '/envoy.service.status.v3.ClientStatusDiscoveryService';
const raw = (bytes: Buffer): Buffer => bytes;
const clients: Client[] = [];
let agent: TestAdsAgent;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await agent.stop();
});

function storeOf(version: string): SnapshotStore {
  const store = new SnapshotStore();
  store.apply([
    { layer: 'sidecar', put: fakeResource('CDS', 'a', version) },
    { layer: 'sidecar', put: fakeResource('RDS', 'r', version) },
  ]);
  return store;
}

function connection(token: string | undefined): { client: Client; metadata: Metadata } {
  const client = new Client(`127.0.0.1:${agent.server().port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return { client, metadata };
}

function bytesOf(request: MessageInitShape<typeof ClientStatusRequestSchema> = {}): Buffer {
  return Buffer.from(toBinary(ClientStatusRequestSchema, create(ClientStatusRequestSchema, request)));
}

function fetchStatus(token: string | undefined, request: Buffer = bytesOf()): Promise<ClientStatusResponse> {
  const { client, metadata } = connection(token);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(`${PATH}/FetchClientStatus`, raw, raw, request, metadata, (error: ServiceError | null, answer?: Buffer) => {
      if (error !== null) reject(error);
      else resolve(fromBinary(ClientStatusResponseSchema, answer ?? Buffer.alloc(0)));
    });
  });
}

function resourceOf(config: ClientConfig | undefined, name: string): ClientConfig['genericXdsConfigs'][number] | undefined {
  return config?.genericXdsConfigs.find((each) => each.name === name);
}

test('each resource has its state: accepted, refused with the message, missing, and no secret shows its content', async () => {
  const store = storeOf('1');
  agent = await startAdsAgent({ store });
  const proxy = await agent.connect();
  proxy.send('CDS');
  proxy.ack(await proxy.next());
  proxy.send('RDS', { subscribe: ['r'] });
  proxy.ack(await proxy.next());
  proxy.send('SDS', { subscribe: ['identity'] });
  proxy.ack(await proxy.next());
  store.apply([{ layer: 'sidecar', put: fakeResource('RDS', 'r', '2') }]);
  proxy.nack(await proxy.next(), 'r is bad');
  proxy.send('EDS', { subscribe: ['missing'] });
  proxy.ack(await proxy.next());

  const [config, ...others] = (await fetchStatus(await agent.token())).config;
  expect(others).toEqual([]);
  expect(config).toMatchObject({ node: { id: 'reviews-1' }, clientScope: 'delta' });
  const [one, two] = ['1', '2'].map((content) => fakeResource('RDS', 'r', content).version);
  expect(resourceOf(config, 'a')).toMatchObject({
    typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    versionInfo: fakeResource('CDS', 'a', '1').version,
    configStatus: ConfigStatus.SYNCED,
    clientStatus: ClientResourceStatus.ACKED,
  });
  expect(Buffer.from(resourceOf(config, 'a')?.xdsConfig?.value ?? []).toString()).toBe('1');
  expect(Number(resourceOf(config, 'a')?.lastUpdated?.seconds)).toBeGreaterThan(1_500_000_000);
  expect(resourceOf(config, 'r')).toMatchObject({
    versionInfo: one,
    configStatus: ConfigStatus.ERROR,
    clientStatus: ClientResourceStatus.NACKED,
    errorState: { details: 'r is bad', versionInfo: two },
  });
  expect(resourceOf(config, 'missing')).toMatchObject({
    configStatus: ConfigStatus.NOT_SENT,
    clientStatus: ClientResourceStatus.DOES_NOT_EXIST,
  });
  expect(resourceOf(config, 'identity')).toMatchObject({ configStatus: ConfigStatus.SYNCED });
  expect(resourceOf(config, 'identity')?.xdsConfig).toBeUndefined();
});

test('a token shows the proxies of its own identity, and none without one', async () => {
  agent = await startAdsAgent({ store: storeOf('1') });
  const [reviews, ratings] = [
    await agent.connect(),
    await agent.connect({ name: 'ratings-1', serviceAccount: 'ratings', address: '127.0.0.2' }),
  ];
  for (const proxy of [reviews, ratings]) {
    proxy.send('CDS');
    proxy.ack(await proxy.next());
  }
  const seen = async (token: string): Promise<(string | undefined)[]> => (await fetchStatus(token)).config.map(({ node }) => node?.id);
  expect(await seen(await agent.token())).toEqual(['reviews-1']);
  expect(await seen(await agent.token({ serviceAccount: 'ratings' }))).toEqual(['ratings-1']);
  expect(await seen(await agent.token({ name: 'reviews-2' }))).toEqual([]);
  await expect(fetchStatus(undefined)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  await expect(fetchStatus('nonsense')).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  await expect(fetchStatus(await agent.token(), Buffer.from([0xff]))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('a stream is answered request by request, without contents if so asked', async () => {
  agent = await startAdsAgent({ store: storeOf('1') });
  const proxy = await agent.connect();
  proxy.send('CDS');
  proxy.ack(await proxy.next());
  const { client, metadata } = connection(await agent.token());
  const call = client.makeBidiStreamRequest(`${PATH}/StreamClientStatus`, raw, raw, metadata);
  const answers: ClientStatusResponse[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    call.on('data', (bytes: Buffer) => answers.push(fromBinary(ClientStatusResponseSchema, bytes)));
    call.on('error', reject);
    call.on('end', resolve);
  });
  call.write(bytesOf());
  call.write(bytesOf({ excludeResourceContents: true }));
  call.end();
  await ended;
  expect(answers.map(({ config }) => resourceOf(config[0], 'a')?.xdsConfig !== undefined)).toEqual([true, false]);
});
