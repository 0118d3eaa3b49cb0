import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { expect, it } from 'vitest';
import { strandedEndpoints } from './stranded-endpoints.ts';
import type { PeerCluster } from './world.ts';

function clusters(gateways: readonly string[]): ReadonlyMap<string, PeerCluster> {
  const cluster = (name: string): PeerCluster => ({
    ...{ name, network: name, region: name, zone: '', trustDomain: `${name}.hawser`, trustBundle: [] },
    gateways: name === 'west' ? gateways : ['10.0.1.1:15443'],
  });
  return new Map(['east', 'west'].map((name) => [name, cluster(name)]));
}

function shard(exported: boolean, networks: readonly (string | undefined)[]): EndpointShard {
  const endpoint = { targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'reviews', health: 'HEALTHY' as const };
  const endpoints = networks.map((network, at) => ({
    ...endpoint,
    address: `10.0.0.${at + 1}`,
    ...(network === undefined ? {} : { network }),
  }));
  return {
    ...{ cluster: 'east', namespace: 'bookinfo', service: 'reviews', exported },
    ports: [{ port: 80, protocol: 'http' }],
    endpoints,
  };
}

it.each([
  ['a network with a gateway', true, ['10.0.2.1:15443'], ['west'], []],
  ['the own network', false, [], ['east', undefined], []],
  [
    'a service that is not exported',
    false,
    ['10.0.2.1:15443'],
    ['west', 'west'],
    [
      'bookinfo/reviews at 10.0.0.1, 10.0.0.2, in network west, is not called from here: gateways of other clusters lead to exported services alone; add a ServiceExport',
    ],
  ],
  [
    'a network without gateways',
    true,
    [],
    ['west'],
    ['bookinfo/reviews at 10.0.0.1, in network west, is not called from here: no cluster of that network has a gateway'],
  ],
])('says who has no way: %s', (_what, exported, gateways, networks, expected) => {
  expect(strandedEndpoints([shard(exported, networks)], clusters(gateways))).toEqual(expected);
});
