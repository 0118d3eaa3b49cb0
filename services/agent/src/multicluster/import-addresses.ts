/** ClusterSetIPs: the virtual addresses that names of the clusterset have in this cluster's proxies, kept for the life of an import. Pure. */
import type { ImportSpec } from '@hawser/model/multicluster.ts';
import { clusterLocalHost, clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import { ipv4Twin, ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import type { World } from '../state/world.ts';
import { isVirtual, type VirtualRange, virtualAddresses } from '../translate/capture/virtual-addresses.ts';
import { type ImportState, ipsOf } from './object-states.ts';

/** Host → address; of virtual ones that of IPv4, whose twin is the one of IPv6. */
export type HeldAddresses = ReadonlyMap<string, string>;

/**
 * The addresses that imports have, beside those that are `kept` whatever the imports say. One outside of the range, or that another
 * host has, is none: of two imports the first by name has it.
 * @param imports By service key.
 */
export function heldAddresses(imports: Iterable<readonly [string, ImportState]>, kept: HeldAddresses, range: VirtualRange): HeldAddresses {
  const held = new Map(kept);
  const taken = new Set(kept.values());
  for (const [key, state] of [...imports].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const host = clustersetHost(parseServiceKey(key));
    const [ip] = ipsOf(state).map((one) => ipv4Twin(one) ?? one);
    if (ip === undefined || held.has(host) || taken.has(ip) || !isVirtual(ip, range)) continue;
    taken.add(ip);
    held.set(host, ip);
  }
  return held;
}

/** What an import has of a virtual address: one of each family, in their order. Of IPv4 where no export names any. */
export function addressesOf(ip: string, families: ImportSpec['ipFamilies'] = ['IPv4']): readonly string[] {
  return families.map((family) => (family === 'IPv6' ? ipv6Twin(ip) : ip));
}

/** An address for every name that proxies of this cluster may have one for; held ones first. Without room, names have none. */
export function givenAddresses(
  world: Pick<World, 'self' | 'shards' | 'policies'>,
  held: HeldAddresses,
  range: VirtualRange,
): HeldAddresses {
  const hosts: string[] = [];
  for (const [key, clusters] of world.shards) {
    const name = parseServiceKey(key);
    hosts.push(clustersetHost(name));
    if (clusters.has(world.self)) hosts.push(clusterLocalHost(name));
  }
  return virtualAddresses([...hosts, ...entryHosts(world.policies)], range, held);
}

/** Whether a host would have this address without anybody's word, unless another one was before it. */
export function isNatural(host: string, ip: string, range: VirtualRange): boolean {
  return virtualAddresses([host], range).get(host) === ip;
}

/** Hosts of ServiceEntries that have no addresses of their own. */
function entryHosts(policies: World['policies']): string[] {
  return [...policies.values()].flatMap(({ kind, spec }) => {
    if (kind !== 'ServiceEntry') return [];
    const { hosts = [], addresses = [] } = spec as { readonly hosts?: readonly string[]; readonly addresses?: readonly string[] };
    return addresses.length > 0 ? [] : hosts.filter((host) => !host.startsWith('*'));
  });
}
