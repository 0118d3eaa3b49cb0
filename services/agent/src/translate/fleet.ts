/** The clusters as one service's configuration sees them: who can be trusted, and how its endpoints are reached. */
import type { Endpoint } from '@hawser/model/endpoint-shard.ts';
import type { ExternalTrustDomain } from '@hawser/model/fleet.ts';
import { federates, isMutual } from '@hawser/model/trust-domain.ts';
import { readAuthority } from '@hawser/runtime/authority-certificate.ts';
import { NOTHING_LAPSED } from '../state/lapsed-trust.ts';
import type { PeerCluster, World } from '../state/world.ts';
import { parseHostPort } from './wire-values.ts';

/** A trust domain's bundle, or a part of it. */
export type TrustSource = Pick<PeerCluster, 'trustDomain' | 'trustBundle'>;

/** The federation seen from the own cluster. */
export interface Fleet {
  readonly self: PeerCluster;
  /** All members: what they export exists, even while they cannot be trusted or reached yet. */
  readonly members: ReadonlySet<string>;
  /** Clusters whose trust bundle is known, the own one included, by name. */
  readonly known: ReadonlyMap<string, PeerCluster>;
  /** Those of them whose trust domain and the own one federate with each other: these are called. */
  readonly trusted: ReadonlyMap<string, PeerCluster>;
  /** Whom the own trust domain believes, by its own word alone: those outside of the federation are the last. */
  readonly believed: readonly TrustSource[];
  /** Trust domains that it believed before and does not now. */
  readonly lapsed: readonly string[];
  /** Another text when connections of callers that are open must end, whose ever they are; undefined before the first emergency. */
  readonly severed: string | undefined;
}

/** Undefined while the own cluster or its trust bundle is not known: then nothing can be served. */
export function fleetOf(world: World): Fleet | undefined {
  const all = [...world.clusters.values()].map(usable).filter((cluster) => cluster.trustBundle.length > 0);
  const known = new Map(all.sort(byName).map((cluster) => [cluster.name, cluster]));
  const self = known.get(world.self);
  if (self === undefined) return undefined;
  const trusted = new Map([...known].filter(([, cluster]) => isMutual(self, cluster)));
  const external = (world.external ?? []).filter(({ name }) => federates(self, name)).map(asSource);
  // An empty bundle is the end of a domain: Envoy refuses a validator that holds one.
  const members = [...known.values()].filter(({ trustDomain }) => federates(self, trustDomain));
  const believed = [...members, ...external.filter(({ trustBundle }) => trustBundle.length > 0)];
  const { domains: lapsed, clusters: left } = world.lapsed ?? NOTHING_LAPSED;
  return { self, known, trusted, believed, lapsed, severed: severedBy(members, left), members: new Set(world.clusters.keys()) };
}

/** Whether two worlds have the same fleet. */
export function isSameFleet(a: World, b: World): boolean {
  return a.clusters === b.clusters && a.self === b.self && a.external === b.external && a.lapsed === b.lapsed;
}

/** By emergencies, and by clusters that left others of their trust domain behind. */
function severedBy(clusters: readonly PeerCluster[], left: readonly string[]): string | undefined {
  const said = [...clusters.flatMap(({ name, severed }) => (severed === undefined ? [] : [`${name} ${severed}`])), ...left.toSorted()];
  return said.length === 0 ? undefined : said.join(', ');
}

/** Whether two fleets differ in the certificates of bundles at most: in whom to believe, not in whom to call, or how. */
export function samePlaces(a: Fleet, b: Fleet): boolean {
  return a === b || placesOf(a) === placesOf(b);
}

/** By fleet: all of it but its certificates, as text. */
const places = new WeakMap<Fleet, string>();

function placesOf(fleet: Fleet): string {
  const known = places.get(fleet);
  if (known !== undefined) return known;
  const withoutBundle = (name: string, value: unknown): unknown => (name === 'trustBundle' ? undefined : value);
  const { self, members, known: clusters, trusted } = fleet;
  const text = JSON.stringify([self.name, [...members].sort(), [...clusters.values()], [...trusted.keys()]], withoutBundle);
  places.set(fleet, text);
  return text;
}

function asSource({ name, trustBundle }: ExternalTrustDomain): TrustSource {
  return { trustDomain: name, trustBundle: [...new Set(trustBundle.filter(isCertificate))].sort() };
}

/** How a sidecar of the own cluster reaches endpoints of another. */
export type Reach = 'direct' | 'tunnel' | 'unreachable';

/** Clusters of one network are reached directly, others through their gateways, if any is known. */
export function reachOf(fleet: Fleet, cluster: PeerCluster): Reach {
  if (cluster.name === fleet.self.name || cluster.network === fleet.self.network) return 'direct';
  return cluster.gateways.length > 0 ? 'tunnel' : 'unreachable';
}

/** What of an endpoint decides how it is reached. */
type Placed = Pick<Endpoint, 'network' | 'bare'>;

/** The way to an endpoint: none between, or the gateways of a cluster. */
export type Way = 'direct' | PeerCluster;

/**
 * The way to an endpoint of a cluster, in a network that may be another than the cluster's: through the gateways of the first cluster
 * that is in it and has some (Istio's rule). To a bare one through those of its own cluster, wherever it is. Undefined where there is none.
 */
export function wayTo(fleet: Fleet, cluster: PeerCluster, { network = cluster.network, bare }: Placed): Way | undefined {
  if (bare === true) return cluster.gateways.length > 0 ? cluster : undefined;
  if (network === fleet.self.network) return 'direct';
  if (network === cluster.network) return cluster.gateways.length > 0 ? cluster : undefined;
  return [...fleet.trusted.values()].find((other) => other.network === network && other.gateways.length > 0);
}

/**
 * Clusters that are reached through a tunnel, by name, or some of whose endpoints are; also those that are not trusted, so that trusting
 * them changes no listener and no upstream: nothing is sent there.
 */
export function tunnelledClusters(fleet: Fleet): readonly PeerCluster[] {
  return [...fleet.known.values()].filter(
    (cluster) => reachOf(fleet, cluster) === 'tunnel' || (cluster.speaksForWorkloads === true && cluster.gateways.length > 0),
  );
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
  return !('problem' in readAuthority(pem));
}

function byName(a: PeerCluster, b: PeerCluster): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
