/** Namespaces whose PeerAuthentication promises what nobody keeps. */
import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { expect, test } from 'vitest';
import type { PeerCluster } from '../../state/world.ts';
import { unenforcedPeers } from './unenforced-peers.ts';

function own(namespace: string, endpoint: Partial<Endpoint> = {}): [string, ReadonlyMap<string, EndpointShard>] {
  const one = { address: '10.0.0.1', targetPorts: { '80': 9080 }, labels: { app: 's' }, serviceAccount: 'x', health: 'HEALTHY' as const };
  const shard = { cluster: 'a', namespace, service: 's', exported: true, ports: [{ port: 80, protocol: 'http' as const }] };
  return [`${namespace}/s`, new Map([['a', { ...shard, endpoints: [{ ...one, ...endpoint }] }]])];
}

function strict(namespace: string, spec: object): [string, Resource] {
  const metadata = { namespace, name: 'strict' };
  return [resourceKey('PeerAuthentication', namespace, 'strict'), { apiVersion: 'v1', kind: 'PeerAuthentication', metadata, spec }];
}

const SPEAKER: PeerCluster = {
  ...{ name: 'a', region: 'r', zone: '', network: 'n', trustDomain: 'a.hawser', trustBundle: [], gateways: [] },
  speaksForWorkloads: true,
};

const found = (shards: ReturnType<typeof own>[], policies: ReturnType<typeof strict>[]) =>
  unenforcedPeers({ self: 'a', clusters: new Map([['a', SPEAKER]]), shards: new Map(shards), policies: new Map(policies) });

test('namespaces with bare endpoints for which STRICT is asked are named, others are not', () => {
  const shards = [own('shop', { bare: true }), own('bank', { bare: true }), own('mill')];
  const [sentence = '', ...more] = found(shards, [
    strict('shop', { mtls: { mode: 'STRICT' } }),
    strict('mill', { mtls: { mode: 'STRICT' } }),
  ]);
  expect(sentence).toContain('in shop: ');
  expect(more).toEqual([]);
});

test('the whole mesh, a port and labels count as the sidecar would count them', () => {
  const shards = [own('shop', { bare: true })];
  expect(found(shards, [strict('hawser-system', { mtls: { mode: 'STRICT' } })])).toHaveLength(1);
  const port = (number: string) => ({ selector: { matchLabels: { app: 's' } }, portLevelMtls: { [number]: { mode: 'STRICT' } } });
  expect(found(shards, [strict('shop', port('9080'))])).toHaveLength(1);
  expect(found(shards, [strict('shop', port('9081'))])).toEqual([]);
  expect(found(shards, [strict('shop', { ...port('9080'), selector: { matchLabels: { app: 'other' } } })])).toEqual([]);
  expect(found(shards, [strict('shop', { mtls: { mode: 'PERMISSIVE' } })])).toEqual([]);
});
