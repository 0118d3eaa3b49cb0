/** One service seen from the own cluster: its hosts, ports, servers and subsets, from the shards of all clusters. Pure. */
import type { Endpoint, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { ServiceEntrySpec } from '@hawser/model/istio/specs.ts';
import { clusterLocalHost, clustersetHost, parseServiceKey, type ServiceName } from '@hawser/model/service-host.ts';
import type { PeerCluster } from '../../state/world.ts';
import { type Fleet, reachOf, wayTo } from '../fleet.ts';
import type { ServicePolicies } from '../policy-index.ts';
import type { Subset } from '../upstreams/destination-rules.ts';
import { isInline } from '../upstreams/external-upstreams.ts';
import { type HeadlessService, hasIpv6, headlessService, mergedPorts, servesIpv6 } from './clusterset-service.ts';
import { type ExternalInput, externalHostView, externalName, isMixed, ownPart, withSidecars } from './external-host.ts';

/** A cluster's part of a service. */
export interface Part {
  readonly cluster: PeerCluster;
  readonly shard: EndpointShard;
  /** For servers that a ServiceEntry describes; then `cluster` is the place that it gives them. */
  readonly server?: {
    readonly owner: string;
    /** Addresses of those without a sidecar. */
    readonly plain: readonly string[];
    /** Whether one of them does not say in whose network it is. */
    readonly isAnybodys: boolean;
  };
}

/** What only a host of ServiceEntries has. */
export interface ExternalHost {
  readonly resolution: NonNullable<ServiceEntrySpec['resolution']>;
  /** Part of the mesh (MESH_INTERNAL). */
  readonly isMesh: boolean;
  /** Virtual addresses and prefixes. */
  readonly addresses: readonly string[];
  /** `ADDRESS:PORT` that mean this host to HTTP callers. */
  readonly vips: readonly string[];
  /** Names that the servers may bear in their certificates. */
  readonly subjectAltNames: readonly string[];
}

/** A host name of a service and what answers to it. */
export interface HostView {
  readonly scope: 'clusterset' | 'local' | 'external';
  readonly host: string;
  /** Whether `SERVICE.NAMESPACE` and `SERVICE.NAMESPACE.svc` mean this host. */
  readonly short: boolean;
  readonly ports: readonly ServicePort[];
  /** Those of clusters that can be trusted and reached, sorted by cluster. */
  readonly parts: readonly Part[];
  /** Of scope `external` alone. */
  readonly external?: ExternalHost;
  /** Where the exports make it headless: of scope `clusterset` alone. */
  readonly headless?: HeadlessService;
  /** Whether an address of IPv6 stands for it as well. */
  readonly hasIpv6?: true;
}

/** A cluster's servers, by identity. */
export interface Servers {
  readonly cluster: PeerCluster;
  readonly serviceAccounts: readonly string[];
  /** Whether its gateways speak for some of them, as themselves. */
  readonly hasBare?: true;
}

export interface ServiceView {
  readonly key: string;
  readonly name: ServiceName;
  readonly hosts: readonly HostView[];
  readonly servers: readonly Servers[];
  /** Identities that the servers may have besides (ServiceEntry's subjectAltNames). */
  readonly alsoKnownAs: readonly string[];
  readonly subsets: readonly Subset[];
  /** The own cluster's part, exported or not. */
  readonly own: EndpointShard | undefined;
  /** Parts of other clusters that are in the own network: its gateways let them in as well. */
  readonly guests: readonly EndpointShard[];
  readonly policies: ServicePolicies;
}

/** What a view is made of. */
export interface ServiceInput {
  readonly key: string;
  readonly shards: ReadonlyMap<string, EndpointShard>;
  /** Of ServiceEntries with this host. */
  readonly external?: ExternalInput | undefined;
  /** Undefined where no other cluster has servers in the own network. */
  readonly guests?: readonly EndpointShard[] | undefined;
  readonly policies: ServicePolicies;
}

/**
 * Builds the view. The clusterset host answers from every cluster that exports the service (MCS), the cluster-local one
 * from the own cluster alone. Clusters that cannot be trusted or reached yet are left out.
 */
export function serviceView(input: ServiceInput, fleet: Fleet): ServiceView {
  if (input.shards.size === 0 && input.external !== undefined) return externalView(input, input.external, fleet);
  const name = parseServiceKey(input.key);
  const own = input.shards.get(fleet.self.name);
  const shards = [...input.shards.values()]
    .filter((shard) => fleet.members.has(shard.cluster))
    .sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  const parts = usableParts(shards, fleet);
  const hosts = hostViews(name, { shards, parts }, fleet);
  const serving = parts.filter((part) => part.shard.exported || part.cluster.name === fleet.self.name);
  return { key: input.key, name, hosts, servers: serving.map(serversOf), ...decorated(input), own, guests: input.guests ?? [] };
}

/** A ServiceEntry whose host is a service of clusters adds the identities of its servers, and nothing else (Istio's rule). */
function decorated({ external, policies }: ServiceInput): Pick<ServiceView, 'alsoKnownAs' | 'subsets' | 'policies'> {
  const alsoKnownAs = (external?.entries.entries ?? []).flatMap(({ spec }) => spec.subjectAltNames ?? []);
  return { alsoKnownAs, subsets: policies.subsets, policies };
}

/** A service that only ServiceEntries know. Servers with a sidecar bear their account's identity in any cluster of the mesh. */
function externalView(input: ServiceInput, external: ExternalInput, fleet: Fleet): ServiceView {
  const host = externalHostView(external, fleet);
  const owners = (part: Part): PeerCluster[] => [...fleet.trusted.values()].filter((cluster) => isOwner(cluster, part));
  const servers = host.parts.flatMap((part) => {
    const shard = withSidecars(part);
    return shard.endpoints.length === 0 ? [] : owners(part).map((cluster) => serversOf({ cluster, shard }));
  });
  const name = externalName(external.entries);
  return { key: input.key, name, hosts: [host], servers, ...decorated(input), own: ownPart(host, fleet.self), guests: [] };
}

/** A server that does not say in whose network it is may be any cluster's. */
function isOwner(cluster: PeerCluster, { server }: Part): boolean {
  return cluster.name === server?.owner || server?.isAnybodys === true;
}

/** Everything of a view but its endpoints: while it stays, only ClusterLoadAssignments change. */
export function shapeOf(view: ServiceView): string {
  return JSON.stringify([
    view.hosts.map((host) => [host.host, host.short, host.ports, ...(host.hasIpv6 === true ? ['IPv6'] : [])]),
    view.servers.map((servers) => [servers.cluster.name, servers.serviceAccounts, ...(servers.hasBare === true ? ['bare'] : [])]),
    view.own !== undefined && (view.own.exported || hasBare(view.own)) ? [view.own.exported, view.own.ports] : [],
    view.guests.map(({ ports }) => ports),
    view.alsoKnownAs,
    view.hosts.flatMap((host) =>
      // DNS answers with the endpoints themselves.
      host.headless === undefined ? [] : [host.headless],
    ),
    view.hosts.flatMap((host) =>
      host.external === undefined ? [] : [host.external, isMixed(host), isInline(host) ? placesOf(host, view) : []],
    ),
  ]);
}

/** Servers that are written into the upstream cluster are a part of its shape, and so is what orders them. */
function placesOf({ parts }: HostView, { policies }: ServiceView): unknown {
  return [parts, policies.failover, policies.shift, policies.diversions];
}

function usableParts(shards: readonly EndpointShard[], fleet: Fleet): Part[] {
  return shards.flatMap((shard) => {
    const cluster = fleet.trusted.get(shard.cluster);
    if (cluster === undefined || (cluster.draining === true && cluster.name !== fleet.self.name)) return [];
    const reachable = reachablePart(shard, cluster, fleet);
    return reachable.endpoints.length === 0 && reachOf(fleet, cluster) === 'unreachable' ? [] : [{ cluster, shard: reachable }];
  });
}

/** A shard without the endpoints that there is no way to. Gateways of other clusters know what is exported alone. */
function reachablePart(shard: EndpointShard, cluster: PeerCluster, fleet: Fleet): EndpointShard {
  const isAway = ({ network = cluster.network, bare }: Endpoint): boolean => network !== cluster.network && bare !== true;
  const endpoints = shard.endpoints.filter((endpoint) => {
    const way = wayTo(fleet, cluster, endpoint);
    return way === 'direct' || (way !== undefined && (shard.exported || !isAway(endpoint)));
  });
  return endpoints.length === shard.endpoints.length ? shard : { ...shard, endpoints };
}

interface Known {
  readonly shards: readonly EndpointShard[];
  readonly parts: readonly Part[];
}

/** A host exists by the word of any member; an unreachable one has no endpoints, and answers 503 rather than 404. */
function hostViews(name: ServiceName, known: Known, fleet: Fleet): HostView[] {
  const self = fleet.self.name;
  const own = known.shards.filter((shard) => shard.cluster === self);
  const isFederated = known.shards.some((shard) => shard.exported);
  // A service that the own cluster keeps to itself is what its short name means there, even if others export one.
  const shortIsLocal = !isFederated || own.some((shard) => !shard.exported);
  const view = (scope: HostView['scope'], host: string, belongs: (shard: EndpointShard) => boolean): HostView => ({
    scope,
    host,
    short: (scope === 'local') === shortIsLocal,
    ports: mergedPorts(known.shards.filter(belongs), self),
    parts: known.parts.filter((part) => belongs(part.shard)),
  });
  const clusterset = (): HostView => {
    const made = view('clusterset', clustersetHost(name), (shard) => shard.exported);
    const exported = known.shards.filter((shard) => shard.exported);
    const headless = headlessService(exported, made.parts, fleet);
    return { ...made, ...(headless === undefined ? {} : { headless }), ...(hasIpv6(exported) ? { hasIpv6: true as const } : {}) };
  };
  const local = (): HostView => {
    const made = view('local', clusterLocalHost(name), (shard) => shard.cluster === self);
    return servesIpv6(own) ? { ...made, hasIpv6: true } : made;
  };
  return [...(isFederated ? [clusterset()] : []), ...(own.length > 0 ? [local()] : [])];
}

function serversOf(part: Part): Servers {
  const accounts = new Set(part.shard.endpoints.flatMap(({ bare, serviceAccount }) => (bare === true ? [] : [serviceAccount])));
  return { cluster: part.cluster, serviceAccounts: [...accounts].sort(), ...(hasBare(part.shard) ? { hasBare: true } : {}) };
}

/** Whether some of a cluster's endpoints have no sidecar. */
export function hasBare({ endpoints }: EndpointShard): boolean {
  return endpoints.some(({ bare }) => bare === true);
}
