/** What a client may do to the server that is not in the protocol's spirit: it never costs more than its own stream. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { create, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeResource, startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { MAX_NAMES, MAX_STREAMS } from './stream-limits.ts';
import { typeUrlOf } from './type-urls.ts';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const METHODS = ['DeltaAggregatedResources', 'StreamAggregatedResources'] as const;
const sessions: ClientHttp2Session[] = [];
let agent: TestAdsAgent;

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await agent.stop();
});

async function start(): Promise<void> {
  const store = new SnapshotStore();
  store.apply([{ layer: 'sidecar', put: fakeResource('CDS', 'a', '1') }]);
  agent = await startAdsAgent({ store });
}

/** A call without a gRPC client in between. */
async function call(method: string, headers: Record<string, string> = {}): Promise<ReturnType<ClientHttp2Session['request']>> {
  const session = connect(`http://127.0.0.1:${agent.server().port}`);
  session.on('error', () => undefined);
  sessions.push(session);
  const authorization = `Bearer ${await agent.token()}`;
  const common = { ':method': 'POST', ':path': `${SERVICE}/${method}`, 'content-type': 'application/grpc', te: 'trailers', authorization };
  const stream = session.request({ ...common, ...headers });
  stream.on('error', () => undefined);
  return stream;
}

/** The status with which the call ends. */
async function statusOf(stream: ReturnType<ClientHttp2Session['request']>): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const take = (headers: IncomingHttpHeaders): void => {
    if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
  };
  stream.on('response', take);
  stream.on('trailers', take);
  stream.resume();
  return promise;
}

function frame(message: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The server still serves a client that behaves. */
async function serves(): Promise<void> {
  const client = await agent.connect({ name: 'well-behaved' });
  client.send('CDS');
  expect((await client.next()).versions).toHaveProperty('a');
}

describe.each(METHODS)('%s', (method) => {
  test('a frame of 100 MB is refused before it is read', async () => {
    await start();
    const stream = await call(method);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(100 * 1024 * 1024, 1);
    stream.write(head);
    expect(await statusOf(stream)).toBe(status.RESOURCE_EXHAUSTED);
    await serves();
  });

  test('100 MB in a gzip of 100 KB are refused (CVE-2024-37168)', async () => {
    await start();
    const stream = await call(method, { 'grpc-encoding': 'gzip' });
    stream.write(frame(gzipSync(Buffer.alloc(100 * 1024 * 1024)), 1));
    expect(await statusOf(stream)).toBe(status.RESOURCE_EXHAUSTED);
    await serves();
  });

  test('names that are no UTF-8 do no harm', async () => {
    await start();
    const stream = await call(method);
    // The last name of the request gets two bytes that no UTF-8 text holds.
    const request = Buffer.from(requestFor(method, 'EDS', ['~~~~']));
    request.fill(0xff, request.indexOf('~~~~'), request.indexOf('~~~~') + 4);
    stream.write(frame(request));
    stream.end();
    expect([status.OK, status.INVALID_ARGUMENT]).toContain(await statusOf(stream));
    await serves();
  });

  test('a reset in the middle of a large response leaves nothing behind', async () => {
    const store = new SnapshotStore();
    store.apply([
      { layer: 'sidecar', put: fakeResource('CDS', 'a', '1') },
      { layer: 'sidecar', put: fakeResource('EDS', 'large', 'x'.repeat(20_000_000)) },
    ]);
    agent = await startAdsAgent({ store });
    const stream = await call(method);
    stream.write(frame(requestFor(method, 'EDS', ['large'])));
    await once(stream, 'data');
    stream.destroy();
    await expect.poll(() => agent.attached.size, { timeout: 10_000 }).toBe(0);
    await serves();
  });

  test('too many names end the stream', async () => {
    await start();
    const stream = await call(method);
    const names = Array.from({ length: MAX_NAMES + 1 }, (_, index) => `n${index}`);
    stream.write(frame(requestFor(method, 'EDS', names)));
    expect(await statusOf(stream)).toBe(status.RESOURCE_EXHAUSTED);
    await serves();
  });
});

test('of too many streams of one proxy, the oldest ends', async () => {
  await start();
  const clients = await Promise.all(Array.from({ length: MAX_STREAMS + 1 }, () => agent.connect()));
  for (const client of clients) {
    client.send('CDS');
    await client.next();
  }
  expect(await clients[0]?.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(agent.server().streams.all.size).toBe(MAX_STREAMS);
});

test('a stream ends with its token', async () => {
  await start();
  const client = await agent.connect({}, await agent.token({ ttlMs: 5_000 }));
  client.send('CDS');
  client.ack(await client.next());
  expect(await client.ended).toMatchObject({ code: status.UNAUTHENTICATED, details: expect.stringContaining('has expired') });
});

describe('state of the world over the wire', () => {
  test('case 16: the node comes in the first message only; one of 10,000 endpoints beyond 4 MiB arrives whole', async () => {
    const store = new SnapshotStore();
    const large = fakeResource('EDS', 'large', 'x'.repeat(5_000_000));
    store.apply([
      { layer: 'sidecar', put: fakeResource('CDS', 'a', '1') },
      { layer: 'sidecar', put: large },
    ]);
    agent = await startAdsAgent({ store });
    const stream = await call('StreamAggregatedResources');
    const responses = messages(stream);
    stream.write(frame(requestFor('StreamAggregatedResources', 'CDS', [])));
    expect((await responses.next()).value).toMatchObject({
      typeUrl: typeUrlOf('CDS'),
      nonce: expect.stringMatching(/^[0-9a-f]{8}-1$/),
      resources: [{ typeUrl: typeUrlOf('CDS') }],
    });
    const later = create(DiscoveryRequestSchema, { typeUrl: typeUrlOf('EDS'), resourceNames: ['large'] });
    stream.write(frame(toBinary(DiscoveryRequestSchema, later)));
    const response = (await responses.next()).value;
    expect(response?.resources[0]?.value.length).toBe(large.bytes.length);
    expect(response?.versionInfo).toMatch(/^[0-9a-f]{16}$/);
  });

  test('an unknown type is ignored, a malformed message closes the stream', async () => {
    await start();
    const stream = await call('StreamAggregatedResources');
    const responses = messages(stream);
    stream.write(frame(requestFor('StreamAggregatedResources', 'CDS', [])));
    await responses.next();
    const unknown = create(DiscoveryRequestSchema, { typeUrl: 'type.googleapis.com/no.Such', resourceNames: ['x'] });
    stream.write(frame(toBinary(DiscoveryRequestSchema, unknown)));
    const ended = statusOf(stream);
    stream.write(frame(Buffer.from([0x1a, 200])));
    expect(await ended).toBe(status.INVALID_ARGUMENT);
    await serves();
  });
});

function claims(): Record<string, string> {
  const identity = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
  return { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...identity };
}

/** A first request; the variants differ in where type and names are. */
function requestFor(method: string, type: 'CDS' | 'EDS', names: string[]): Uint8Array {
  const request = create(DiscoveryRequestSchema, { node: { metadata: claims() }, typeUrl: typeUrlOf(type), resourceNames: names });
  if (method === 'StreamAggregatedResources') return toBinary(DiscoveryRequestSchema, request);
  return toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, { node: { metadata: claims() }, typeUrl: typeUrlOf(type), resourceNamesSubscribe: names }),
  );
}

/** Messages as they arrive. */
async function* messages(
  stream: ReturnType<ClientHttp2Session['request']>,
): AsyncGenerator<MessageShape<typeof DiscoveryResponseSchema>, undefined> {
  let [parts, length, wanted] = [[] as Buffer[], 0, 5];
  for await (const part of stream) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    while (length >= wanted) {
      const bytes = Buffer.concat(parts);
      const end = 5 + bytes.readUInt32BE(1);
      [parts, wanted] = [[bytes], end];
      if (length < end) break;
      yield fromBinary(DiscoveryResponseSchema, bytes.subarray(5, end));
      [parts, length, wanted] = [[bytes.subarray(end)], length - end, 5];
    }
  }
  return undefined;
}
