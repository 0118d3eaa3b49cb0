/** Servers of other clusters that are in the own cluster's network: its gateways are their way in. Pure. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { World } from '../../state/world.ts';
import type { Fleet } from '../fleet.ts';

/**
 * The guests of a service, a shard for each cluster that says so of its exported service and is trusted; `before` where it is the same,
 * undefined where none says so. An address of the own registry is nobody else's: another cluster's word opens no way to it.
 */
export function guestsOf(
  key: string,
  { world, fleet }: { readonly world: World; readonly fleet: Fleet },
  before: readonly EndpointShard[] | undefined,
): readonly EndpointShard[] | undefined {
  const { self } = fleet;
  const said = [...(world.shards.get(key)?.values() ?? [])].flatMap((shard): EndpointShard[] => {
    const cluster = fleet.trusted.get(shard.cluster);
    if (cluster === undefined || !shard.exported || cluster.network === self.network) return [];
    const endpoints = shard.endpoints.filter(({ network, bare }) => network === self.network && bare !== true);
    return endpoints.length === 0 ? [] : [{ ...shard, endpoints }];
  });
  if (said.length === 0) return undefined;
  const own = ownAddresses(world);
  const guests = said
    .map((shard) => ({ ...shard, endpoints: shard.endpoints.filter(({ address }) => !own.has(address)) }))
    .sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return JSON.stringify(before) === JSON.stringify(guests) ? before : guests;
}

/** Looked up only where there are guests. */
const known = new WeakMap<World['shards'], ReadonlySet<string>>();

function ownAddresses({ shards, self }: World): ReadonlySet<string> {
  const found =
    known.get(shards) ??
    new Set(
      [...shards.values()].flatMap((parts) =>
        (parts.get(self)?.endpoints ?? []).flatMap(({ address, network }) => (network === undefined ? [address] : [])),
      ),
    );
  known.set(shards, found);
  return found;
}
