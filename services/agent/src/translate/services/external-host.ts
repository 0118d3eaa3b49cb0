/** The host of a ServiceEntry as a service: its ports, its servers and where they are. Pure. */
import type { Endpoint, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { isIpAddress } from '@hawser/model/ip-address.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '@hawser/model/istio/specs.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import type { PeerCluster } from '../../state/world.ts';
import type { Fleet } from '../fleet.ts';
import { protocolOf } from '../istio-protocol.ts';
import { type EntryInForce, type HostEntries, hasLabels, type SelectedWorkload } from './service-entries.ts';
import type { ExternalHost, HostView, Part } from './service-view.ts';

/** What a host is built from: the entries, and the own cluster's workloads that their selectors may find. */
export interface ExternalInput {
  readonly entries: HostEntries;
  readonly workloads: readonly Endpoint[];
}

/** The name under which policy, sidecars and gateways know the servers of an entry: its host, in its namespace. */
export function externalName({ host, entries }: HostEntries): ServiceName {
  return { namespace: entries[0]?.namespace ?? '', service: host.replace(/^\*\.?/, 'any--') };
}

/** Builds the host. A server that cannot be one under the entry's resolution is left out; the hub does not take such entries. */
export function externalHostView({ entries, workloads }: ExternalInput, fleet: Fleet): HostView {
  const [first] = entries.entries;
  const external: ExternalHost = {
    resolution: first?.spec.resolution ?? 'NONE',
    isMesh: first?.spec.location === 'MESH_INTERNAL',
    addresses: [...new Set(entries.entries.flatMap(({ spec }) => spec.addresses ?? []))].sort(),
    vips: entries.vips,
    subjectAltNames: [...new Set(entries.entries.flatMap(({ spec }) => spec.subjectAltNames ?? []))].sort(),
  };
  const servers = entries.entries.flatMap((entry) => serversOf(entry, { host: entries.host, external, workloads }));
  const ports = portsOf(entries.entries);
  const name = externalName(entries);
  return {
    scope: 'external',
    host: entries.host,
    short: false,
    ports,
    parts: partsOf(servers, { name, ports, fleet, isMesh: external.isMesh }),
    external,
  };
}

/** Whether servers have sidecars unless they say otherwise: then they are called as any workload of the mesh is. */
export function hasSidecars(external: ExternalHost): boolean {
  return external.isMesh && external.resolution === 'STATIC';
}

/** Whether one of the servers has no sidecar beside others that have. */
export function isMixed({ parts }: HostView): boolean {
  return parts.some(({ server }) => server !== undefined && server.plain.length > 0);
}

/** The cluster's own part, which its sidecars and gateways serve: servers of its network that have sidecars. */
export function ownPart({ parts, external }: HostView, self: PeerCluster): EndpointShard | undefined {
  if (external === undefined || !hasSidecars(external)) return undefined;
  const own = parts.filter((part) => part.server?.owner === self.name).map(withSidecars);
  const [first] = own;
  if (first === undefined) return undefined;
  const endpoints = own.flatMap((shard) => shard.endpoints).sort(byAddress);
  return { ...first, exported: own.some((shard) => shard.exported), endpoints };
}

/** A part without its servers that have no sidecar. */
export function withSidecars({ shard, server }: Part): EndpointShard {
  const plain = new Set(server?.plain);
  return plain.size === 0 ? shard : { ...shard, endpoints: shard.endpoints.filter(({ address }) => !plain.has(address)) };
}

/** One server of a host, and where it says that it is. */
interface Server {
  readonly endpoint: Endpoint;
  readonly locality: string;
  readonly network: string;
  readonly isPlain: boolean;
}

interface Context {
  readonly host: string;
  readonly external: ExternalHost;
  readonly workloads: readonly Endpoint[];
}

function serversOf({ spec, selected }: EntryInForce, { host, external, workloads }: Context): Server[] {
  if (external.resolution === 'NONE' || external.resolution === 'DYNAMIC_DNS') return [];
  const wanted = spec.workloadSelector?.labels;
  if (wanted !== undefined) {
    const found = selectedServers(
      selected,
      workloads.filter(({ labels }) => hasLabels(labels, wanted)),
      { spec, external },
    );
    return found.filter((server) => isServer(server.endpoint.address, external));
  }
  const endpoints = spec.endpoints ?? [];
  const isNamed = external.resolution !== 'STATIC' && endpoints.length === 0;
  const all = isNamed ? [{ address: host }] : endpoints;
  return all.map((endpoint) => serverOf(endpoint, spec, external)).filter((server) => isServer(server.endpoint.address, external));
}

/** A WorkloadEntry of the hub goes before what the registry says of its address; how that does is known there alone. */
function selectedServers(
  selected: readonly SelectedWorkload[],
  workloads: readonly Endpoint[],
  { spec, external }: { readonly spec: ServiceEntrySpec; readonly external: ExternalHost },
): Server[] {
  const own = new Map(workloads.map((endpoint) => [endpoint.address, ownServer(endpoint, spec, external)]));
  const told = selected.map((workload) => {
    const server = serverOf(workload, spec, external);
    const known = own.get(server.endpoint.address);
    own.delete(server.endpoint.address);
    if (known === undefined) return server;
    const endpoint = { ...server.endpoint, ...healthOf(known.endpoint) };
    return { ...server, endpoint, locality: server.locality || known.locality, network: server.network || known.network };
  });
  return [...told, ...own.values()];
}

/** Envoy refuses a whole cluster for one name among addresses. */
function isServer(address: string, { resolution }: ExternalHost): boolean {
  if (address === '' || address.startsWith('*')) return false;
  if (address.startsWith('unix://')) return resolution === 'STATIC';
  return resolution !== 'STATIC' || isIpAddress(address);
}

function serverOf(workload: WorkloadEntrySpec, spec: ServiceEntrySpec, external: ExternalHost): Server {
  const { address = '', ports = {}, labels = {}, serviceAccount = 'default', weight, locality = '', network = '' } = workload;
  const targetPorts = (spec.ports ?? []).map(
    ({ name, number, targetPort }) => [String(number), ports[name] ?? targetPort ?? number] as const,
  );
  const endpoint: Endpoint = {
    address,
    targetPorts: Object.fromEntries(targetPorts),
    labels,
    serviceAccount,
    health: 'HEALTHY',
    ...(weight === undefined || weight === 0 ? {} : { weight }),
  };
  return { endpoint, locality, network, isPlain: isPlain(labels, address, external) };
}

/** A workload of the own registry: where it is, and how it does, is known. */
function ownServer(found: Endpoint, spec: ServiceEntrySpec, external: ExternalHost): Server {
  const ports = Object.fromEntries(Object.entries(found.targetPorts).filter(([name]) => !/^[0-9]+$/.test(name)));
  const { serviceAccount, labels, address, weight } = found;
  const made = serverOf({ serviceAccount, labels, address, ports, weight }, spec, external);
  return {
    ...made,
    endpoint: { ...made.endpoint, ...healthOf(found) },
    locality: found.zone === undefined ? '' : `/${found.zone}`,
    network: '.',
  };
}

function healthOf({ health, ready }: Endpoint): Pick<Endpoint, 'health' | 'ready'> {
  return ready === undefined ? { health } : { health, ready };
}

/** Istio's label says of a server within the mesh that it has no sidecar. */
function isPlain(labels: Readonly<Record<string, string>>, address: string, external: ExternalHost): boolean {
  return !hasSidecars(external) || address.startsWith('unix://') || labels['security.istio.io/tlsMode'] === 'disabled';
}

interface PartContext {
  readonly name: ServiceName;
  readonly ports: readonly ServicePort[];
  readonly fleet: Fleet;
  readonly isMesh: boolean;
}

/** Servers of one owner and locality are one part, named by its sub-zone where that tells it from the others. */
function partsOf(servers: readonly Server[], { name, ports, fleet, isMesh }: PartContext): Part[] {
  const owned = servers.map((server) => ({ ...server, ...ownerOf(server, fleet) }));
  const groups = Map.groupBy(owned, ({ locality, owner }) => JSON.stringify([locality, owner.name]));
  const names = new Set<string>();
  return [...groups.keys()].sort().flatMap((id): Part[] => {
    const group = groups.get(id) ?? [];
    const [first] = group;
    if (first === undefined) return [];
    const { owner, locality } = first;
    const wanted = locality.split('/').slice(2).join('/') || locality || (isMesh ? owner.name : 'anywhere');
    const place = {
      ...owner,
      ...placeOf(locality, isMesh ? owner : undefined),
      name: names.has(wanted) ? `${wanted}#${names.size}` : wanted,
    };
    names.add(place.name);
    const endpoints = [...new Map(group.map(({ endpoint }) => [endpoint.address, endpoint])).values()].sort(byAddress);
    const shard = { cluster: owner.name, ...name, exported: group.some(({ isTold }) => isTold), ports: [...ports], endpoints };
    const plain = group.filter((server) => server.isPlain).map(({ endpoint }) => endpoint.address);
    return [{ cluster: place, shard, server: { owner: owner.name, plain, isAnybodys: group.some(({ isTold }) => !isTold) } }];
  });
}

/**
 * In whose network a server is, and whether it says so. One that does not say is where its caller is; one in a network of no cluster,
 * or of one without gateways, is reached as it is (Istio's rule).
 */
function ownerOf({ network, isPlain: plain }: Server, { self, trusted }: Fleet): { owner: PeerCluster; isTold: boolean } {
  if (plain || network === '' || network === OWN) return { owner: self, isTold: false };
  if (network === self.network) return { owner: self, isTold: true };
  const there = [...trusted.values()].find((cluster) => cluster.network === network && cluster.gateways.length > 0);
  return { owner: there ?? self, isTold: there !== undefined };
}

/** The network of the own registry's workloads, whatever its name. */
const OWN = '.';

/** `REGION/ZONE/SUBZONE` as a part says it, where its owner is as far as it says nothing; nowhere without one: then it comes last (Istio's rule). */
function placeOf(locality: string, owner: PeerCluster | undefined): { region: string; zone: string } {
  const [region = '', zone = ''] = locality.split('/');
  return { region: region || (owner?.region ?? ''), zone: zone || (locality === '' ? (owner?.zone ?? '') : '') };
}

/** The union of ports; where entries differ about one, the oldest is right. */
function portsOf(entries: readonly EntryInForce[]): ServicePort[] {
  const ports = new Map<number, ServicePort>();
  for (const { spec } of entries)
    for (const port of spec.ports ?? [])
      if (!ports.has(port.number)) ports.set(port.number, { name: port.name, port: port.number, ...protocolOf(port) });
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

function byAddress(a: Endpoint, b: Endpoint): number {
  return a.address < b.address ? -1 : 1;
}
