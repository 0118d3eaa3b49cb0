/** One service seen from the own cluster: its hosts, ports, servers and subsets, from the shards of all clusters. Pure. */
import type { EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { clusterLocalHost, clustersetHost, parseServiceKey, type ServiceName } from '@hawser/model/service-host.ts';
import type { PeerCluster } from '../state/world.ts';
import { type Fleet, reachOf } from './fleet.ts';
import type { ServicePolicies, Subset } from './policy-index.ts';

/** A cluster's part of a service. */
export interface Part {
  readonly cluster: PeerCluster;
  readonly shard: EndpointShard;
}

/** A host name of a service and what answers to it. */
export interface HostView {
  readonly scope: 'clusterset' | 'local';
  readonly host: string;
  /** Whether `SERVICE.NAMESPACE` and `SERVICE.NAMESPACE.svc` mean this host. */
  readonly short: boolean;
  readonly ports: readonly ServicePort[];
  /** Sorted by cluster. */
  readonly parts: readonly Part[];
}

/** A cluster's servers, by identity. */
export interface Servers {
  readonly cluster: PeerCluster;
  readonly serviceAccounts: readonly string[];
}

export interface ServiceView {
  readonly key: string;
  readonly name: ServiceName;
  readonly hosts: readonly HostView[];
  readonly servers: readonly Servers[];
  readonly subsets: readonly Subset[];
  /** The own cluster's part, exported or not. */
  readonly own: EndpointShard | undefined;
  readonly policies: ServicePolicies;
}

/** What a view is made of. */
export interface ServiceInput {
  readonly key: string;
  readonly shards: ReadonlyMap<string, EndpointShard>;
  readonly policies: ServicePolicies;
}

/**
 * Builds the view. The clusterset host answers from every cluster that exports the service (MCS), the cluster-local one
 * from the own cluster alone. Clusters that cannot be trusted or reached yet are left out.
 */
export function serviceView(input: ServiceInput, fleet: Fleet): ServiceView {
  const name = parseServiceKey(input.key);
  const own = input.shards.get(fleet.self.name);
  const parts = usableParts(input.shards, fleet);
  const hosts = hostViews(name, parts, fleet.self.name);
  const serving = parts.filter((part) => part.shard.exported || part.cluster.name === fleet.self.name);
  return { key: input.key, name, hosts, servers: serving.map(serversOf), subsets: input.policies.subsets, own, policies: input.policies };
}

/** Everything of a view but its endpoints: while it stays, only ClusterLoadAssignments change. */
export function shapeOf(view: ServiceView): string {
  return JSON.stringify([
    view.hosts.map((host) => [host.host, host.short, host.ports]),
    view.servers.map((servers) => [servers.cluster.name, servers.serviceAccounts]),
    view.own?.exported === true ? view.own.ports : [],
  ]);
}

function usableParts(shards: ReadonlyMap<string, EndpointShard>, fleet: Fleet): Part[] {
  const parts: Part[] = [];
  for (const [clusterName, shard] of shards) {
    const cluster = fleet.trusted.get(clusterName);
    if (cluster !== undefined && reachOf(fleet, cluster) !== 'unreachable') parts.push({ cluster, shard });
  }
  return parts.sort((a, b) => (a.cluster.name < b.cluster.name ? -1 : 1));
}

function hostViews(name: ServiceName, parts: readonly Part[], self: string): HostView[] {
  const exported = parts.filter((part) => part.shard.exported);
  const own = parts.filter((part) => part.cluster.name === self);
  const isFederated = exported.length > 0;
  // A service that the own cluster keeps to itself is what its short name means there, even if others export one.
  const shortIsLocal = !isFederated || own.some((part) => !part.shard.exported);
  const clusterset: HostView = {
    scope: 'clusterset',
    host: clustersetHost(name),
    short: !shortIsLocal,
    ports: mergedPorts(exported, self),
    parts: exported,
  };
  const local: HostView = {
    scope: 'local',
    host: clusterLocalHost(name),
    short: shortIsLocal,
    ports: mergedPorts(own, self),
    parts: own,
  };
  return [...(isFederated ? [clusterset] : []), ...(own.length > 0 ? [local] : [])];
}

/** The union of ports; where clusters differ about one, the own cluster is right, then the first by name. */
function mergedPorts(parts: readonly Part[], self: string): ServicePort[] {
  const ports = new Map<number, ServicePort>();
  const ownFirst = [...parts.filter((part) => part.cluster.name === self), ...parts.filter((part) => part.cluster.name !== self)];
  for (const { shard } of ownFirst) for (const port of shard.ports) if (!ports.has(port.port)) ports.set(port.port, port);
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

function serversOf(part: Part): Servers {
  const accounts = new Set(part.shard.endpoints.map((endpoint) => endpoint.serviceAccount));
  return { cluster: part.cluster, serviceAccounts: [...accounts].sort() };
}
