import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { DeltaDiscoveryResponseSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { expect, test } from 'vitest';
import type { XdsResource } from '../snapshot/resource.ts';
import { unframed } from './framed-messages.ts';
import { namedIn } from './named-in.ts';
import { encodeResponse, frameOf } from './response-frame.ts';

function cluster(name: string, secret: string, bytes = 600): XdsResource {
  // An Any within a message: the secret's name is two messages deep, behind bytes.
  const inner = anyPack(ClusterSchema, create(ClusterSchema, { name: secret, altStatName: 'x'.repeat(bytes) }));
  const message = create(ClusterSchema, { name, transportSocket: { name: 'tls', configType: { case: 'typedConfig', value: inner } } });
  return { type: 'CDS', name, version: `v-${name}`, bytes: toBinary(ClusterSchema, message) };
}

test.each([600, 100_000])('a response put together from frames is what the protobuf library would have made (%i bytes)', (bytes) => {
  const [a, b] = [cluster('outbound|80||reviews', 'trust|bookinfo/reviews', bytes), cluster('é', 'identity', bytes)];
  const response = { type: 'CDS', nonce: '7', resources: [a, b], removed: ['gone', 'gone 2'] } as const;
  const decoded = fromBinary(DeltaDiscoveryResponseSchema, new Uint8Array(unframed(encodeResponse(response))));
  const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
  const resources = [a, b].map(({ name, version, bytes: value }) => ({ name, version, resource: { typeUrl, value } }));
  expect(decoded).toEqual(create(DeltaDiscoveryResponseSchema, { typeUrl, nonce: '7', removedResources: ['gone', 'gone 2'], resources }));
});

test('a large resource in pieces is framed as the same resource in one', () => {
  const whole = cluster('outbound|80||reviews', 'identity', 100_000);
  const pieces = [whole.bytes.subarray(0, 1_000), whole.bytes.subarray(1_000, 90_000), whole.bytes.subarray(90_000)];
  const inPieces: XdsResource = { ...whole, pieces, bytes: new Uint8Array() };
  const [one, other] = [whole, inPieces].map((resource) =>
    unframed(encodeResponse({ type: 'CDS', nonce: '7', resources: [resource], removed: [] })),
  );
  expect(one?.length).toBeGreaterThan(100_000);
  expect(other).toEqual(one);
});

test('a resource is encoded once', () => {
  const resource = cluster('a', 'identity');
  expect(frameOf(resource)).toBe(frameOf(resource));
});

test('names are found at any depth, whole names only', () => {
  const names = namedIn(cluster('outbound|80||reviews', 'trust|bookinfo/reviews'));
  expect(names.has('outbound|80||reviews')).toBe(true);
  expect(names.has('trust|bookinfo/reviews')).toBe(true);
  expect(names.has('trust|bookinfo/review')).toBe(false);
});

test('bytes that are no message name nothing and do no harm', () => {
  const resource = (bytes: number[]): XdsResource => ({ type: 'CDS', name: 'a', version: '1', bytes: Uint8Array.from(bytes) });
  for (const bytes of [[], [0xff], [0x0a], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], [0x0b, 1, 2], Array.from({ length: 64 }, () => 0x0a)])
    expect(namedIn(resource(bytes)).has('identity')).toBe(false);
});
