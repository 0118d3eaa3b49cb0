/** The ADS server over real gRPC, driven by a scripted client. */
import { X509Certificate } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { DeltaDiscoveryRequestSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeResource, startAdsAgent, type TestAdsAgent, type TestAdsAgentOptions, untilServer } from '../../../../test/kit/ads-agent.ts';
import type { AdsClient, ReceivedDelta } from '../../../../test/kit/ads-client.ts';
import { RolloutTracker } from '../report/rollout-tracker.ts';
import type { LayerName, XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

let agent: TestAdsAgent;

afterEach(() => agent.stop());

async function start(store: SnapshotStore, options: Partial<TestAdsAgentOptions> = {}): Promise<TestAdsAgent> {
  agent = await startAdsAgent({ store, ...options });
  return agent;
}

function storeOf(...resources: XdsResource[]): SnapshotStore {
  const store = new SnapshotStore();
  put(store, 'sidecar', ...resources);
  return store;
}

function put(store: SnapshotStore, layer: LayerName, ...resources: XdsResource[]): ReturnType<SnapshotStore['apply']> {
  return store.apply(resources.map((resource) => ({ layer, put: resource })));
}

/** Proves that nothing else was sent: the next response is the answer to a name that nobody has. */
async function nothingElse(client: AdsClient): Promise<void> {
  client.send('RDS', { subscribe: ['nobody-has-this'] });
  const answer = await client.next();
  expect(answer).toMatchObject({ type: 'RDS', versions: {}, removed: ['nobody-has-this'] });
  client.ack(answer);
}

async function acked(client: AdsClient): Promise<ReceivedDelta> {
  const response = await client.next();
  client.ack(response);
  return response;
}

function certificateOf(response: ReceivedDelta): X509Certificate {
  const secret = fromBinary(SecretSchema, response.resources.get('identity') ?? new Uint8Array());
  if (secret.type.case !== 'tlsCertificate') throw new Error('no certificate');
  const source = secret.type.value.certificateChain?.specifier;
  if (source?.case !== 'inlineString') throw new Error('no chain');
  return new X509Certificate(source.value);
}

describe('who gets an answer', () => {
  test.each([
    ['none', undefined],
    ['a wrong one', 'nonsense'],
    ['an expired one', -1_000],
    ['one of another cluster', 'foreign'],
  ] as const)('a token that is %s: UNAUTHENTICATED and nothing else', async (_case, kind) => {
    const store = storeOf(fakeResource('CDS', 'a', '1'));
    await start(store);
    const foreign = await startAdsAgent({ store });
    const token = kind === 'foreign' ? await foreign.token() : typeof kind === 'number' ? await agent.token({ ttlMs: kind }) : (kind ?? '');
    await foreign.stop();
    const client = await agent.connect({}, token);
    client.send('CDS');
    expect(await client.ended).toMatchObject({ code: status.UNAUTHENTICATED });
    await expect(client.next()).rejects.toThrow('the stream ended');
    expect(agent.attached.size).toBe(0);
  });

  test.each([
    [{ namespace: 'other' }, /namespace is "other", but the token is for "bookinfo"/],
    [{ serviceAccount: 'ratings' }, /serviceAccount is "ratings", but the token is for "reviews"/],
    [{ cluster: 'us-west' }, /cluster is "us-west", but the token is for "us-east"/],
    [{ role: 'gateway' }, /role is "gateway", but the token is for bookinfo\/reviews/],
    [{ role: 'root' }, /role is "root"/],
    [{ address: 'localhost' }, /address is "localhost", expected an IP address/],
    [{ name: '../etc' }, /name is "..\/etc"/],
  ])('claims %j that the token does not prove: PERMISSION_DENIED', async (claims, message) => {
    await start(storeOf(fakeResource('CDS', 'a', '1')));
    const client = await agent.connect(claims, await agent.token());
    client.send('CDS');
    const ended = await client.ended;
    expect(ended.code).toBe(status.PERMISSION_DENIED);
    expect(ended.details).toMatch(message);
    await expect(client.next()).rejects.toThrow('the stream ended');
  });

  test('a token bound to a name serves that name only', async () => {
    await start(storeOf(fakeResource('CDS', 'a', '1')));
    const token = await agent.token({ name: 'reviews-2' });
    const client = await agent.connect({}, token);
    client.send('CDS');
    expect((await client.ended).details).toContain('name is "reviews-1", but the token is for "reviews-2"');
    const right = await agent.connect({ name: 'reviews-2' }, token);
    right.send('CDS');
    expect((await right.next()).versions).toHaveProperty('a');
  });

  test('a proxy reads its role and its own layer, which wins', async () => {
    const store = storeOf(fakeResource('CDS', 'shared', '1'), fakeResource('CDS', 'both', '1'));
    put(store, 'gateway', fakeResource('CDS', 'of-gateways', '1'));
    put(store, 'sidecar:127.0.0.9', fakeResource('CDS', 'of-another', '1'));
    await start(store, { onAttach: ({ address }) => put(store, `sidecar:${address}`, fakeResource('CDS', 'both', 'own')) });
    const client = await agent.connect();
    client.send('CDS');
    const own = fakeResource('CDS', 'both', 'own').version;
    expect(await acked(client)).toMatchObject({ versions: { shared: fakeResource('CDS', 'shared', '1').version, both: own } });
    put(store, 'sidecar', fakeResource('CDS', 'both', '2'));
    put(store, 'gateway', fakeResource('CDS', 'of-gateways', '2'));
    await nothingElse(client);
    store.apply([{ layer: 'sidecar:127.0.0.1', remove: { type: 'CDS', name: 'both' } }]);
    expect((await client.next()).versions).toEqual({ both: fakeResource('CDS', 'both', '2').version });
  });

  test('the agent is silent until it is ready, for every type', async () => {
    const store = storeOf(fakeResource('CDS', 'a', '1'));
    await start(store, { ready: false });
    const client = await agent.connect();
    client.send('CDS');
    client.send('SDS', { subscribe: ['identity'] });
    client.send('EDS', { subscribe: ['missing'] });
    await until(() => agent.server().proxies()[0]?.types['EDS']?.state === 'PENDING');
    put(store, 'sidecar', fakeResource('CDS', 'b', '1'));
    expect(agent.server().proxies()[0]?.types['CDS']).toEqual({ sent: '', acked: '', state: 'PENDING' });
    agent.becomeReady();
    expect([await client.next(), await client.next(), await client.next()].map(({ type, nonce }) => `${type} ${nonce}`)).toEqual([
      expect.stringMatching(/^CDS [0-9a-f]{8}-1$/),
      expect.stringMatching(/^EDS [0-9a-f]{8}-2$/),
      expect.stringMatching(/^SDS [0-9a-f]{8}-3$/),
    ]);
  });
});

describe('identity', () => {
  test('none is issued before a proxy asks for secrets; then it comes along with them, even if claimed, after its cluster changed', async () => {
    const store = storeOf(fakeResource('CDS', 'a', '\n\u0008identity 2'));
    await start(store);
    const holder = await agent.connect({ name: 'reviews-2' });
    holder.send('SDS', { subscribe: ['identity'] });
    const { versions } = await acked(holder);
    const client = await agent.connect();
    client.send('CDS', { versions: { a: 'before' }, subscribe: ['*'] });
    expect(await acked(client)).toMatchObject({ type: 'CDS' });
    client.send('SDS', { versions, subscribe: ['identity'] });
    expect(await acked(client)).toMatchObject({ type: 'SDS', versions });
    await client.close();
    await holder.close();
    const idle = await agent.connect({ namespace: 'bookinfo', serviceAccount: 'idle' });
    idle.send('CDS');
    expect(await acked(idle)).toMatchObject({ type: 'CDS' });
    await expect.poll(() => agent.certificates.size, { timeout: 10_000 }).toBe(0);
  });

  test('each stream gets the certificate of its own identity', async () => {
    await start(new SnapshotStore());
    const [reviews, ratings] = [await agent.connect(), await agent.connect({ name: 'ratings-1', serviceAccount: 'ratings' })];
    const subjects = [reviews, ratings].map(async (client) => {
      client.send('SDS', { subscribe: ['identity'] });
      return certificateOf(await client.next()).subjectAltName;
    });
    expect(await Promise.all(subjects)).toEqual([
      'URI:spiffe://us-east.hawser/ns/bookinfo/sa/reviews',
      'URI:spiffe://us-east.hawser/ns/bookinfo/sa/ratings',
    ]);
  });

  test('a renewed certificate is pushed, and keys of ended streams are forgotten', async () => {
    await start(new SnapshotStore(), { certificateLifeMs: 1_000 });
    const client = await agent.connect();
    client.send('SDS', { subscribe: ['identity'] });
    const [first, second] = [await acked(client), await acked(client)];
    expect(certificateOf(second).serialNumber).not.toBe(certificateOf(first).serialNumber);
    expect(agent.certificates.size).toBe(1);
    await client.close();
    await until(() => agent.attached.size === 0);
    expect(agent.certificates.size).toBe(0);
  });

  test('proxy-config shows what is served and no private key', async () => {
    await start(new SnapshotStore());
    const client = await agent.connect();
    client.send('SDS', { subscribe: ['identity'] });
    await acked(client);
    const shown = JSON.stringify(agent.server().proxyConfig('reviews-1', 'secrets'));
    expect(shown).toContain('BEGIN CERTIFICATE');
    expect(shown).toContain('[redacted]');
    expect(shown).not.toContain('PRIVATE KEY');
    expect(agent.server().proxyConfig('nobody', 'clusters')).toBeUndefined();
  });
});

describe('bad input', () => {
  test('an unknown type is ignored', async () => {
    await start(storeOf(fakeResource('CDS', 'a', '1')));
    const client = await agent.connect();
    client.send('CDS');
    await acked(client);
    client.sendBytes(
      toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { typeUrl: 'type.googleapis.com/no.Such' })),
    );
    await nothingElse(client);
  });

  test.each([
    ['first', 0],
    ['later', 1],
  ])('a malformed %s message closes the stream and no other', async (_case, before) => {
    await start(storeOf(fakeResource('CDS', 'a', '1')));
    const [good, bad] = [await agent.connect({ name: 'good' }), await agent.connect()];
    good.send('CDS');
    await acked(good);
    if (before > 0) bad.send('LDS');
    bad.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    expect((await bad.ended).code).toBe(status.INVALID_ARGUMENT);
    await nothingElse(good);
  });

  test('half-closed and reset streams leave nothing behind', async () => {
    await start(storeOf(fakeResource('CDS', 'a', '1')));
    const [half, reset] = [await agent.connect({ name: 'half' }), await agent.connect({ name: 'reset', address: '127.0.0.2' })];
    for (const client of [half, reset]) client.send('CDS');
    await Promise.all([acked(half), acked(reset)]);
    half.halfClose();
    expect((await half.ended).code).toBe(status.OK);
    await reset.close();
    await until(() => agent.attached.size === 0);
    expect(agent.server().proxies()).toEqual([]);
    expect(agent.certificates.size).toBe(0);
  });

  test('a response beyond 4 MiB arrives whole', async () => {
    const big = fakeResource('EDS', 'big', 'x'.repeat(3_900_000));
    await start(storeOf(big, fakeResource('EDS', 'small', '1')));
    const client = await agent.connect();
    client.send('EDS', { subscribe: ['big', 'small'] });
    expect((await acked(client)).versions).toEqual({ big: big.version });
    expect(Object.keys((await acked(client)).versions)).toEqual(['small']);
  });
});

describe('restart', () => {
  test('case 26: the same store: a reconnecting proxy gets no cluster, endpoint, listener or route', async () => {
    const resources = (['CDS', 'EDS', 'LDS', 'RDS'] as const).map((type) => fakeResource(type, type.toLowerCase(), '1'));
    await start(storeOf(...resources));
    await agent.restart(storeOf(...resources));
    const client = await agent.connect();
    for (const { type, name, version } of resources)
      client.send(type, { subscribe: type === 'CDS' || type === 'LDS' ? ['*'] : [name], versions: { [name]: version } });
    await nothingElse(client);
    const [proxy] = agent.server().proxies();
    expect(proxy?.types['CDS']).toMatchObject({ state: 'SYNCED' });
    expect(proxy?.types['CDS']?.sent).toBe(proxy?.types['CDS']?.acked);
  });

  test('stopping closes the streams with UNAVAILABLE', async () => {
    await start(new SnapshotStore());
    const client = await agent.connect();
    client.send('LDS');
    await acked(client);
    await agent.server().stop();
    expect(await client.ended).toMatchObject({ code: status.UNAVAILABLE, details: 'the agent is stopping' });
  });
});

describe('rollout', () => {
  test('a revision is accounted for proxy by proxy, to the last answer', async () => {
    const store = storeOf(fakeResource('RDS', 'r', '1'));
    await start(store);
    const accounts: string[] = [];
    const account = Promise.withResolvers<void>();
    const tracker = new RolloutTracker(agent.server().streams, ({ revision, expected, acked: ok, nacks }) => {
      accounts.push(`${revision}: ${ok}/${expected} ${nacks.map(({ proxy, message }) => `${proxy} ${message}`).join()}`.trim());
      if (ok + nacks.length === expected && revision === 7) account.resolve();
    });
    const clients = [await agent.connect(), await agent.connect({ name: 'reviews-2', address: '127.0.0.2' })];
    for (const client of clients) {
      client.send('RDS', { subscribe: ['r'] });
      await acked(client);
    }
    await until(() =>
      agent
        .server()
        .proxies()
        .every(({ types }) => types['RDS']?.state === 'SYNCED'),
    );
    tracker.trackRevision(1, 6, put(store, 'gateway', fakeResource('RDS', 'r', '2')));
    tracker.trackRevision(1, 7, put(store, 'sidecar', fakeResource('RDS', 'r', '2')));
    const [first, second] = await Promise.all(clients.map((client) => client.next()));
    if (first === undefined || second === undefined) throw new Error('no response');
    clients[0]?.ack(first);
    await until(() => accounts.length === 3);
    clients[1]?.nack(second, 'not this');
    await account.promise;
    expect(accounts).toEqual(['6: 0/0', '7: 0/2', '7: 1/2', '7: 1/2 reviews-2 not this']);
    expect(agent.server().proxies()).toMatchObject([
      { proxy: 'reviews-1', revision: 7, types: { RDS: { state: 'SYNCED' } } },
      { proxy: 'reviews-2', revision: 6, types: { RDS: { state: 'NACKED', error: 'not this' } } },
    ]);
    tracker.trackRevision(1, 8, put(store, 'sidecar', fakeResource('RDS', 'r', '3')));
    await clients[1]?.close();
    await until(() => accounts.length === 7);
    expect(accounts.slice(4).sort()).toEqual(['7: 1/1', '8: 0/1', '8: 0/2']);
  });
});

function until(condition: () => boolean): Promise<void> {
  return untilServer(agent.server(), condition);
}
