/** The clusters as one service's configuration sees them: who can be trusted, and how its endpoints are reached. */
import { X509Certificate } from 'node:crypto';
import type { PeerCluster, World } from '../state/world.ts';
import { parseHostPort } from './wire-values.ts';

/** The federation seen from the own cluster. */
export interface Fleet {
  readonly self: PeerCluster;
  /** All members: what they export exists, even while they cannot be trusted or reached yet. */
  readonly members: ReadonlySet<string>;
  /** Clusters whose trust bundle is known, the own one included, by name. */
  readonly trusted: ReadonlyMap<string, PeerCluster>;
}

/** Undefined while the own cluster or its trust bundle is not known: then nothing can be served. */
export function fleetOf(world: World): Fleet | undefined {
  const known = [...world.clusters.values()].map(usable).filter((cluster) => cluster.trustBundle.length > 0);
  const trusted = new Map(known.sort(byName).map((cluster) => [cluster.name, cluster]));
  const self = trusted.get(world.self);
  return self === undefined ? undefined : { self, trusted, members: new Set(world.clusters.keys()) };
}

/** How a sidecar of the own cluster reaches endpoints of another. */
export type Reach = 'direct' | 'tunnel' | 'unreachable';

/** Clusters of one network are reached directly, others through their gateways, if any is known. */
export function reachOf(fleet: Fleet, cluster: PeerCluster): Reach {
  if (cluster.name === fleet.self.name || cluster.network === fleet.self.network) return 'direct';
  return cluster.gateways.length > 0 ? 'tunnel' : 'unreachable';
}

/** Clusters that are reached through a tunnel, by name. */
export function tunnelledClusters(fleet: Fleet): readonly PeerCluster[] {
  return [...fleet.trusted.values()].filter((cluster) => reachOf(fleet, cluster) === 'tunnel');
}

/** What another cluster says of itself is not obeyed blindly: one unreadable certificate would make Envoy refuse all trust. */
function usable(cluster: PeerCluster): PeerCluster {
  const seen = checked.get(cluster);
  if (seen !== undefined) return seen;
  const trustBundle = [...new Set(cluster.trustBundle.filter(isCertificate))].sort();
  const gateways = [...new Set(cluster.gateways.filter((gateway) => parseHostPort(gateway) !== undefined))].sort();
  const result = { ...cluster, trustBundle, gateways };
  checked.set(cluster, result);
  return result;
}

/** Remembers by identity, so that parsing certificates is not repeated with every update. */
const checked = new WeakMap<PeerCluster, PeerCluster>();

function isCertificate(pem: string): boolean {
  const known = authorities.get(pem);
  if (known !== undefined) return known;
  if (authorities.size >= MOST_AUTHORITIES) authorities.clear();
  const isAuthority = readsAsAuthority(pem);
  authorities.set(pem, isAuthority);
  return isAuthority;
}

/** By text: a cluster that says something new says most of it as before. */
const authorities = new Map<string, boolean>();
const MOST_AUTHORITIES = 1_000;

function readsAsAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}

function byName(a: PeerCluster, b: PeerCluster): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
