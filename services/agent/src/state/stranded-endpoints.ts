/** Own endpoints in other networks that callers have no way to, in words. Pure. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import type { PeerCluster } from './world.ts';

/** One sentence for each service and network. */
export function strandedEndpoints(shards: Iterable<EndpointShard>, clusters: ReadonlyMap<string, PeerCluster>): string[] {
  return [...shards].flatMap((shard) => {
    const own = clusters.get(shard.cluster)?.network;
    const byNetwork = Map.groupBy(
      shard.endpoints.filter(({ network, bare }) => network !== undefined && network !== own && bare !== true),
      ({ network = '' }) => network,
    );
    return [...byNetwork].flatMap(([network, endpoints]) => {
      const addresses = endpoints.map(({ address }) => address).join(', ');
      const problem = problemOf(
        shard,
        [...clusters.values()].filter((cluster) => cluster.network === network),
      );
      return problem === undefined
        ? []
        : [`${serviceKey(shard)} at ${addresses}, in network ${network}, is not called from here: ${problem}`];
    });
  });
}

function problemOf({ exported }: EndpointShard, there: readonly PeerCluster[]): string | undefined {
  if (!there.some(({ gateways }) => gateways.length > 0)) return 'no cluster of that network has a gateway';
  return exported ? undefined : 'gateways of other clusters lead to exported services alone; add a ServiceExport';
}
