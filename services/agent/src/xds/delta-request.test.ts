/** Requests are read the same whether their names were seen before or not. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { expect, test } from 'vitest';
import { decodeRequest } from './delta-request.ts';

const MANY = Array.from({ length: 500 }, (_, index) => `outbound|80||service-${index}.shop.svc.clusterset.local`);

function request(names: readonly string[], nonce: string): Buffer {
  const node = { id: `client-${nonce}` };
  const message = { node, typeUrl: 'type', resourceNamesSubscribe: [...names], resourceNamesUnsubscribe: ['gone'], responseNonce: nonce };
  return Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, message)));
}

test('clients that ask for the same names share one list of them', () => {
  const [first, second] = [decodeRequest(request(MANY, 'a')), decodeRequest(request(MANY, 'b'))];
  const third = decodeRequest(request(MANY, 'c'));
  expect(first.resourceNamesSubscribe).toEqual(MANY);
  expect(third.resourceNamesSubscribe).toBe(second.resourceNamesSubscribe);
  expect([third.node?.id, third.typeUrl, third.responseNonce, third.resourceNamesUnsubscribe]).toEqual(['client-c', 'type', 'c', ['gone']]);
});

test.each([
  ['one more name', request([...MANY, 'one-more'], 'd')],
  ['one name less', request(MANY.slice(0, -1), 'e')],
  ['another name', request(MANY.with(250, 'another'), 'f')],
  ['names in two places', Buffer.concat([request(MANY, 'g'), request(['apart'], 'g')])],
  ['the same names twice', Buffer.concat([request(MANY, 'h'), request(MANY, 'h')])],
  ['no name, but much else', request([], 'i'.repeat(10_000))],
])('%s after many that are alike is read as it is', (_, bytes) => {
  decodeRequest(request(MANY, 'before'));
  const read = fromBinary(DeltaDiscoveryRequestSchema, bytes);
  for (let time = 0; time < 2; time += 1) expect(decodeRequest(bytes)).toEqual(read);
});

test.each([
  ['cut off', request(MANY, 'k').subarray(0, -2)],
  ['no UTF-8', Buffer.from(request(MANY, 'l').toString('latin1').replace('service-7.', 'service-\xff.'), 'latin1')],
])('what is %s is no request, however often it comes', (_, bytes) => {
  for (let time = 0; time < 2; time += 1) expect(() => decodeRequest(bytes)).toThrow();
});
