/** Observers are made once for all proxies that are observed alike; each listener says whose it is. */
import { fromBinary } from '@bufbuild/protobuf';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { describe, expect, test } from 'vitest';
import { readCase, worldOf } from '../../../../../test/kit/golden-case.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { ProxyRef } from '../../state/world.ts';
import { versionOf } from '../encode.ts';
import { createTranslator, type Translator } from '../translator.ts';

const world = worldOf(readCase('federated'));

function translator(): Translator {
  const made = createTranslator();
  made.update(world, 'all');
  return made;
}

function listener(made: Translator, proxy: Partial<ProxyRef> & { readonly address: string }, name: string): XdsResource {
  const puts = made.attach({ role: 'sidecar', ...proxy }).flatMap((change) => ('put' in change ? [change.put] : []));
  const found = puts.find((put) => put.type === 'LDS' && put.name === name);
  if (found === undefined) throw new Error(`${proxy.address} has no listener ${name}`);
  return found;
}

function whoseIs({ bytes }: XdsResource): unknown {
  return fromBinary(ListenerSchema, bytes).metadata?.filterMetadata['hawser.workload'];
}

describe('listeners of two proxies', () => {
  const made = translator();
  const one = listener(made, { address: '10.0.9.1', name: 'one', namespace: 'shop', labels: { app: 'cart', version: 'v2' } }, 'outbound');
  const other = listener(made, { address: '10.0.9.2', name: 'other', namespace: 'shop' }, 'outbound');

  test('share all pieces but what is their own', () => {
    expect(one.pieces?.length).toBeGreaterThan(1);
    for (const [index, piece] of (one.pieces ?? []).entries()) {
      if (index === 0) expect(other.pieces?.[0]).not.toEqual(piece);
      else expect(other.pieces?.[index]).toBe(piece);
    }
  });

  test('say whose they are, and are told apart', () => {
    expect(whoseIs(one)).toEqual({ workload: 'one', namespace: 'shop', cluster: 'us-east', app: 'cart', version: 'v2' });
    expect(whoseIs(other)).toEqual({ workload: 'other', namespace: 'shop', cluster: 'us-east', app: 'other', version: 'latest' });
    expect(one.version).not.toBe(other.version);
  });

  test('are what other translators make of the same', () => {
    const again = listener(translator(), { address: '10.0.9.2', name: 'other', namespace: 'shop' }, 'outbound');
    expect([again.version, versionOf(again.bytes)]).toEqual([other.version, versionOf(other.bytes)]);
  });
});

test('a workload of which little is known is named by its address, the rest is unknown', () => {
  const metadata = whoseIs(listener(translator(), { address: '10.0.9.3' }, 'outbound'));
  expect(metadata).toEqual({ workload: '10.0.9.3', namespace: 'unknown', cluster: 'us-east', app: '10.0.9.3', version: 'latest' });
});

test('what a node says of itself goes into headers as it is, without what ends a line', () => {
  const metadata = whoseIs(listener(translator(), { address: '10.0.9.4', name: '100%\r\nx: y', namespace: 'shop' }, 'outbound'));
  expect(metadata).toMatchObject({ workload: '100%??x: y', app: '100%??x: y' });
});

test('servers of one service share their chains', () => {
  const made = translator();
  const [one, other] = ['10.0.1.12', '10.0.1.13'].map((address) => listener(made, { address, name: address }, 'inbound'));
  const shared = new Set(one?.pieces).intersection(new Set(other?.pieces));
  const names = [one, other].map((inbound) =>
    fromBinary(ListenerSchema, inbound?.bytes ?? new Uint8Array()).filterChains.map((chain) => chain.name),
  );
  expect(names[0]?.length).toBeGreaterThan(0);
  expect(shared.size).toBe(names[0]?.filter((name) => names[1]?.includes(name)).length);
});
