/** ClusterLoadAssignments: which endpoints, in which order and with which weight. The lane that moves all the time. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Endpoint, EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import { localityPriorities } from '@hawser/model/locality-priorities.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { AddressSchema } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { HealthStatus } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import type { LbEndpointSchema, LocalityLbEndpointsSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { PeerCluster } from '../state/world.ts';
import type { Upstream } from './clusters.ts';
import { type Fleet, reachOf } from './fleet.ts';
import { tunnelAuthority, tunnelName } from './names.ts';
import type { ServiceView } from './service-view.ts';
import { TUNNEL_METADATA } from './tls.ts';
import { TUNNEL_MATCH } from './upstream-defaults.ts';
import { hostPort, type Init, socketAddress } from './wire-values.ts';

type LbEndpointInit = Init<typeof LbEndpointSchema>;
type LocalityInit = Init<typeof LocalityLbEndpointsSchema>;

/** Spill-over begins below 1/1.4 of healthy hosts, or when hardly any is left. */
const OVERPROVISIONING = { gradual: 140, strict: 100_000 } as const;

/** The assignment of an upstream. Locality priorities are contiguous, weights at least 1 (Envoy refuses 0). */
export function assignment(upstream: Upstream, view: ServiceView, fleet: Fleet): ClusterLoadAssignment {
  const chosen = new Map(
    upstream.host.parts.map(({ cluster, shard }) => [
      cluster.name,
      { cluster, endpoints: inOrder(shard.endpoints).filter(servesFor(upstream)) },
    ]),
  );
  const serving = [...chosen.values()].filter((part) => part.endpoints.length > 0);
  const order = localityPriorities({
    from: { cluster: fleet.self.name, region: fleet.self.region },
    serving: serving.map(({ cluster, endpoints }) => ({ cluster: cluster.name, region: cluster.region, endpoints: capacity(endpoints) })),
    failover: view.policies.failover,
    shift: view.policies.shift,
  });
  const localities = order.map(({ cluster: name, priority, weight }): LocalityInit => {
    const part = chosen.get(name);
    if (part === undefined) return { priority };
    const endpoint = lbEndpoint(part.cluster, upstream.port.port, { view, fleet });
    return {
      locality: localityOf(part.cluster),
      priority,
      loadBalancingWeight: Math.max(1, weight),
      lbEndpoints: part.endpoints.map(endpoint),
    };
  });
  return create(ClusterLoadAssignmentSchema, {
    clusterName: upstream.name,
    endpoints: localities,
    policy: { overprovisioningFactor: OVERPROVISIONING[view.policies.failover?.spillover ?? 'gradual'] },
  });
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

/** Endpoints that are meant to take traffic; a cluster that drains altogether still has a place in the order. */
function capacity(endpoints: readonly Endpoint[]): number {
  return Math.max(1, endpoints.filter((endpoint) => endpoint.health !== 'DRAINING').length);
}

function lbEndpoint(
  cluster: PeerCluster,
  port: number,
  context: { view: ServiceView; fleet: Fleet },
): (endpoint: Endpoint) => LbEndpointInit {
  const direct = reachOf(context.fleet, cluster) === 'direct';
  const authority = tunnelAuthority(port, context.view.name);
  return (endpoint) => {
    const healthStatus = HEALTH[endpoint.health];
    if (direct) return { ...at(socketAddress(endpoint.address, PORTS.inbound), false), healthStatus };
    const endpointId = hostPort(endpoint.address, PORTS.inbound);
    const address = { case: 'envoyInternalAddress' as const, value: { addressNameSpecifier: listener(cluster), endpointId } };
    return { ...at({ address }, true), healthStatus, metadata: { filterMetadata: tunnelMetadata(authority, endpointId) } };
  };
}

function listener(cluster: PeerCluster): { case: 'serverListenerName'; value: string } {
  return { case: 'serverListenerName', value: tunnelName(cluster.name) };
}

/** Envoy cannot check what is behind an internal listener: its owner's agent does (RELIABILITY.md section 3). */
function at(address: MessageInitShape<typeof AddressSchema>, uncheckable: boolean): LbEndpointInit {
  const healthCheckConfig = uncheckable ? { disableActiveHealthCheck: true } : {};
  return { hostIdentifier: { case: 'endpoint', value: { address, ...(uncheckable ? { healthCheckConfig } : {}) } } };
}

/** What the tunnel's listener says to the gateway: the service port it wants and which of its endpoints. */
function tunnelMetadata(authority: string, endpointId: string): Record<string, Record<string, string | boolean>> {
  return {
    'envoy.transport_socket_match': TUNNEL_MATCH,
    [TUNNEL_METADATA]: { authority, endpoint: Buffer.from(endpointId).toString('base64') },
  };
}

const HEALTH: Readonly<Record<EndpointHealth, HealthStatus>> = {
  HEALTHY: HealthStatus.HEALTHY,
  UNHEALTHY: HealthStatus.UNHEALTHY,
  DRAINING: HealthStatus.DRAINING,
};
