import { expect, test } from 'vitest';
import { readCase, worldOf } from '../../../../../test/kit/golden-case.ts';
import type { PeerCluster } from '../../state/world.ts';
import { type Fleet, fleetOf } from '../fleet.ts';
import { noIndexes } from '../indexes.ts';
import { compiledService } from './compiled-service.ts';

const world = worldOf(readCase('federated'));
const KEY = 'bookinfo/reviews';

/** The fleet with something else of `us-west`. */
function fleet(change: Partial<PeerCluster> = {}): Fleet {
  const clusters = [...world.clusters].map(([name, peer]) => [name, name === 'us-west' ? { ...peer, ...change } : peer] as const);
  const made = fleetOf({ ...world, clusters: new Map(clusters) });
  if (made === undefined) throw new Error('the case has changed');
  return made;
}

const input = { key: KEY, shards: world.shards.get(KEY) ?? new Map(), policies: noIndexes().policies.of(KEY) };

test('another bundle makes trust anew, and nothing else', () => {
  const roots = [...world.clusters.values()].flatMap(({ trustBundle }) => trustBundle);
  const before = compiledService(input, fleet(), undefined);
  const after = compiledService(input, fleet({ trustBundle: roots }), before);
  expect(after.trust[0]?.version).not.toBe(before.trust[0]?.version);
  expect(after.shape).toBe(before.shape);
  expect(after.endpoints).toBe(before.endpoints);
});

test('other gateways, and the end of trust, make endpoints anew', () => {
  const before = compiledService(input, fleet(), undefined);
  for (const change of [{ gateways: ['127.1.2.3:15443'] }, { trustBundle: [] }, { federatesWith: [] }])
    expect(compiledService(input, fleet(change), before).endpoints).not.toBe(before.endpoints);
});
