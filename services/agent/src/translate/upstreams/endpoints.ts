/** ClusterLoadAssignments: which endpoints, in which order and with which weight. The lane that moves all the time. */
import { create, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf';
import type { Endpoint, EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import { type ClusterPlace, localityPriorities } from '@hawser/model/locality-priorities.ts';
import { distance, type LocalitySetting, localityLabels, priorityLabels } from '@hawser/model/locality-setting.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { AddressSchema } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { HealthStatus } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import type { LbEndpointSchema, LocalityLbEndpointsSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { PeerCluster } from '../../state/world.ts';
import { type Fleet, reachOf, wayTo } from '../fleet.ts';
import { tunnelAuthority, tunnelEndpoint, tunnelName, workloadsName } from '../names.ts';
import type { HostView, Part, ServiceView } from '../services/service-view.ts';
import { endpointPeer, PEER_METADATA } from '../telemetry/labels.ts';
import { TUNNEL_METADATA } from '../tls.ts';
import { hostPort, type Init, socketAddress } from '../wire-values.ts';
import type { Upstream } from './clusters.ts';
import { panicPercent } from './outliers.ts';
import { PLAIN_MATCH, TUNNEL_MATCH } from './upstream-defaults.ts';

type LbEndpointInit = Init<typeof LbEndpointSchema>;
type LocalityInit = Init<typeof LocalityLbEndpointsSchema>;

/** Spill-over begins below 1/1.4 of healthy hosts, or when hardly any is left. */
const OVERPROVISIONING = { gradual: 140, strict: 100_000 } as const;

/**
 * The assignment of an upstream. Locality priorities are contiguous, weights at least 1 (Envoy refuses 0). The caller's
 * labels count where `failoverPriority` compares them.
 */
export function assignment(upstream: Upstream, view: ServiceView, fleet: Fleet): ClusterLoadAssignment {
  const setting = settingOf(upstream);
  const groups = new Map(
    groupsOf(upstream, setting, { self: fleet.self, labels: view.policies.destination.callerLabels ?? {} }).map((group) => [
      idOf(group.place),
      group,
    ]),
  );
  const order = localityPriorities({
    from: placeOf(fleet.self),
    serving: [...groups.values()].map(({ cluster, place, endpoints }) => ({
      ...place,
      endpoints: capacity(endpoints),
      throughGateway: reachOf(fleet, cluster) === 'tunnel',
    })),
    failover: view.policies.failover,
    shift: view.policies.shift,
    // A host of the own cluster alone has no other place to send them to.
    diversions: upstream.host.scope === 'local' ? [] : view.policies.diversions,
    setting,
  });
  const placed = joined(
    order.flatMap(({ priority, weight, ...place }) => {
      const group = groups.get(idOf(place));
      return group === undefined ? [] : [{ group, priority, weight: Math.max(1, weight) }];
    }),
  );
  const localities = callable(placed, upstream).map(({ group, priority, weight }): LocalityInit => {
    const port = upstream.port.port;
    const plain = new Set(group.server?.plain);
    const [toServer, toSidecar] = [plainEndpoint(port, upstream.host), lbEndpoint(group, port, { view, fleet })];
    const endpoint = (one: Endpoint): LbEndpointInit => (plain.has(one.address) ? toServer(one) : toSidecar(one));
    return { locality: localityOf(group.cluster), priority, loadBalancingWeight: weight, lbEndpoints: group.endpoints.map(endpoint) };
  });
  return create(ClusterLoadAssignmentSchema, {
    clusterName: upstream.name,
    endpoints: localities,
    policy: { overprovisioningFactor: OVERPROVISIONING[view.policies.failover?.spillover ?? 'gradual'] },
  });
}

/** Shares divide what comes from all clusters: a host of the own cluster alone has none to leave out. */
function settingOf({ blocks, host }: Upstream): LocalitySetting | undefined {
  const setting = blocks.loadBalancer?.localityLbSetting;
  return host.scope === 'local' && setting?.distribute !== undefined ? { ...setting, distribute: undefined } : setting;
}

/** Endpoints of a cluster that are equally far from the caller. */
interface Group {
  readonly cluster: PeerCluster;
  readonly server?: Part['server'];
  readonly place: ClusterPlace & { readonly distance?: number };
  readonly endpoints: readonly Endpoint[];
}

interface Placed {
  readonly group: Group;
  readonly priority: number;
  readonly weight: number;
}

/** Groups of one cluster at one priority are one locality: Envoy would take the weight of one of them. */
function joined(placed: readonly Placed[]): Placed[] {
  const byPlace = new Map<string, Placed>();
  for (const one of placed) {
    const id = `${one.priority} ${one.group.cluster.name}`;
    const known = byPlace.get(id);
    const endpoints = known === undefined ? [] : inOrder([...known.group.endpoints, ...one.group.endpoints]);
    const both = (before: Placed): Placed => ({ ...one, group: { ...one.group, endpoints }, weight: before.weight + one.weight });
    byPlace.set(id, known === undefined ? one : both(known));
  }
  return [...byPlace.values()];
}

/**
 * Where so few of a level are healthy that Envoy would choose among all of it (panic), those that say themselves that they are not
 * ready are left out: others may only seem to be dead. Above that they stay, so that what is left is not given the load of all.
 */
function callable(placed: readonly Placed[], { blocks }: Upstream): readonly Placed[] {
  if (!placed.some(({ group }) => group.endpoints.some(isNotReady))) return placed;
  const panicking = new Set<number>();
  for (const [priority, level] of Map.groupBy(placed, (one) => one.priority)) {
    const endpoints = level.flatMap(({ group }) => group.endpoints);
    const healthy = endpoints.filter(({ health }) => health === 'HEALTHY').length;
    if (healthy * 100 < panicPercent(blocks.outlierDetection) * endpoints.length) panicking.add(priority);
  }
  return placed.map((one) => {
    const endpoints = panicking.has(one.priority) ? one.group.endpoints.filter((endpoint) => !isNotReady(endpoint)) : one.group.endpoints;
    return { ...one, group: { ...one.group, endpoints } };
  });
}

function isNotReady({ ready }: Endpoint): boolean {
  return ready === false;
}

/** One group for each cluster that serves, or several where labels decide. */
function groupsOf(
  upstream: Upstream,
  setting: LocalitySetting | undefined,
  from: { self: PeerCluster; labels: Readonly<Record<string, string>> },
): Group[] {
  const wanted = priorityLabels(setting);
  const own = wanted === undefined ? {} : { ...from.labels, ...localityLabels(localityIn(from.self)) };
  return upstream.host.parts.flatMap(({ cluster, shard, server }): Group[] => {
    const whose = { cluster, ...(server === undefined ? {} : { server }) };
    const serving = inOrder(shard.endpoints).filter(servesFor(upstream));
    if (serving.length === 0) return [];
    const place = placeOf(cluster);
    if (wanted === undefined) return [{ ...whose, place, endpoints: serving }];
    const labels = (endpoint: Endpoint) => ({ ...endpoint.labels, ...localityLabels(localityIn(cluster, endpoint.network)) });
    const byDistance = Map.groupBy(serving, (endpoint) => distance(wanted, own, labels(endpoint)));
    return [...byDistance].map(([far, endpoints]) => ({ ...whose, place: { ...place, distance: far }, endpoints }));
  });
}

function idOf({ cluster, distance: far }: { readonly cluster: string; readonly distance?: number }): string {
  return far === undefined ? cluster : `${cluster} ${far}`;
}

function placeOf({ name, region, zone }: PeerCluster): ClusterPlace {
  return { cluster: name, region, zone };
}

function localityIn(cluster: PeerCluster, network = cluster.network): Parameters<typeof localityLabels>[0] {
  return { ...placeOf(cluster), network };
}

/** Shards come sorted by address; one that does not is put in order, so that equal sets give equal bytes. */
export function inOrder(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const isSorted = endpoints.every((endpoint, index) => index === 0 || (endpoints[index - 1]?.address ?? '') <= endpoint.address);
  return isSorted ? endpoints : [...endpoints].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Clusters of one region stay apart at one priority: Envoy merges equal localities. */
function localityOf(cluster: PeerCluster): { region: string; zone: string; subZone: string } {
  return { region: cluster.region, zone: cluster.zone, subZone: cluster.name };
}

function servesFor(upstream: Upstream): (endpoint: Endpoint) => boolean {
  const port = String(upstream.port.port);
  return (endpoint) => endpoint.targetPorts[port] !== undefined && upstream.labels.every(([key, value]) => endpoint.labels[key] === value);
}

/** Endpoints that are meant to take traffic, by weight; a cluster that drains altogether still has a place in the order. */
function capacity(endpoints: readonly Endpoint[]): number {
  const weights = endpoints.map(({ health, weight = 1 }) => (health === 'DRAINING' ? 0 : weight));
  return Math.max(
    1,
    weights.reduce((sum, weight) => sum + weight, 0),
  );
}

function weightOf({ weight }: Endpoint): Pick<LbEndpointInit, 'loadBalancingWeight'> {
  return weight === undefined || weight < 1 ? {} : { loadBalancingWeight: weight };
}

/** A server without a sidecar, at its own port or socket. Nothing checks it: it may be anybody's. */
function plainEndpoint(port: number, { external }: HostView): (endpoint: Endpoint) => LbEndpointInit {
  // Beside servers with sidecars it needs the socket that is not theirs.
  const metadata = external?.isMesh === true ? { metadata: { filterMetadata: { 'envoy.transport_socket_match': PLAIN_MATCH } } } : {};
  return (endpoint) => {
    const targetPort = endpoint.targetPorts[String(port)] ?? port;
    const address = endpoint.address.startsWith('unix://')
      ? { address: { case: 'pipe' as const, value: { path: endpoint.address.slice('unix://'.length) } } }
      : socketAddress(endpoint.address, targetPort);
    return { ...at(address, true), healthStatus: HEALTH[endpoint.health], ...weightOf(endpoint), ...metadata };
  };
}

function lbEndpoint(
  { cluster, server }: Pick<Group, 'cluster' | 'server'>,
  port: number,
  context: { view: ServiceView; fleet: Fleet },
): (endpoint: Endpoint) => LbEndpointInit {
  const [authority, workloads] = [tunnelAuthority(port, context.view.name), workloadsName(port, context.view.name)];
  return (endpoint) => {
    const healthStatus = HEALTH[endpoint.health];
    const common = { healthStatus, ...weightOf(endpoint) };
    const peer = peerMetadata(endpoint, context.view);
    const way = wayTo(context.fleet, cluster, endpoint);
    if (way === undefined || way === 'direct')
      return {
        ...at(socketAddress(endpoint.address, PORTS.inbound), false),
        ...common,
        ...(peer && { metadata: { filterMetadata: peer } }),
      };
    const endpointId = hostPort(endpoint.address, PORTS.inbound);
    const address = {
      case: 'envoyInternalAddress' as const,
      value: { addressNameSpecifier: listener(server?.owner ?? way.name), endpointId },
    };
    const named = tunnelMetadata(authority, tunnelEndpoint(endpoint.address, endpoint.bare === true ? workloads : undefined));
    return { ...at({ address }, true), ...common, metadata: { filterMetadata: { ...named, ...peer } } };
  };
}

function listener(cluster: string): { case: 'serverListenerName'; value: string } {
  return { case: 'serverListenerName', value: tunnelName(cluster) };
}

/** Envoy cannot check what is behind an internal listener: its owner's agent does (RELIABILITY.md section 3). */
function at(address: MessageInitShape<typeof AddressSchema>, uncheckable: boolean): LbEndpointInit {
  const healthCheckConfig = uncheckable ? { disableActiveHealthCheck: true } : {};
  return { hostIdentifier: { case: 'endpoint', value: { address, ...(uncheckable ? { healthCheckConfig } : {}) } } };
}

/** What the tunnel's listener says to the gateway: the service port it wants and which of its endpoints. */
function tunnelMetadata(authority: string, endpoint: string): Record<string, Record<string, string | boolean>> {
  return {
    'envoy.transport_socket_match': TUNNEL_MATCH,
    [TUNNEL_METADATA]: { authority, endpoint: Buffer.from(endpoint).toString('base64') },
  };
}

/** What metrics call the workload behind an endpoint. */
function peerMetadata(endpoint: Endpoint, view: ServiceView): Record<string, JsonObject> | undefined {
  const peer = endpointPeer(endpoint.labels, view.name);
  return peer === undefined ? undefined : { [PEER_METADATA]: peer };
}

const HEALTH: Readonly<Record<EndpointHealth, HealthStatus>> = {
  HEALTHY: HealthStatus.HEALTHY,
  UNHEALTHY: HealthStatus.UNHEALTHY,
  DRAINING: HealthStatus.DRAINING,
};
