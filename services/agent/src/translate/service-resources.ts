/** All that one service contributes to the shared layers: the constant part, and the part that moves with its endpoints. */

import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { unavailableCluster, upstreamCluster, upstreamsOf } from './clusters.ts';
import { encoded, tiedTo } from './encode.ts';
import { assignment } from './endpoints.ts';
import { type Fleet, tunnelledClusters } from './fleet.ts';
import { exportedPorts, gatewayAssignment, gatewayCluster, gatewayHosts } from './gateway.ts';
import { gatewayClusterName } from './names.ts';
import { type Placed, placed } from './resource-ledger.ts';
import { type EncodedHost, encodedHost } from './route-config.ts';
import type { ServiceView } from './service-view.ts';
import { inboundTrust, serviceTrust } from './trust.ts';
import { tunnelTo } from './tunnel.ts';

/** Resources of the two shared layers. */
export interface Shared {
  readonly sidecar: readonly XdsResource[];
  readonly gateway: readonly XdsResource[];
}

/** Clusters and trust, and the virtual hosts of gateways: while the service keeps its shape, so do these. */
export interface ServiceShape extends Shared {
  readonly gatewayHosts: readonly EncodedHost[];
}

/** What changes with a service's shape alone. */
export function serviceShape(view: ServiceView, fleet: Fleet): ServiceShape {
  const trust = view.hosts.length > 0 ? [serviceTrust(view, fleet.self)] : [];
  return {
    sidecar: [...upstreamsOf(view).map((upstream) => upstreamCluster(upstream, view)), ...trust],
    gateway: exportedPorts(view).map((port) => gatewayCluster(port, view.name)),
    gatewayHosts: gatewayHosts(view).map(encodedHost),
  };
}

/** The assignments, each tied to its cluster of `shape`. */
export function serviceEndpoints(view: ServiceView, fleet: Fleet, shape: ServiceShape): Shared {
  const tied = (clusters: readonly XdsResource[], name: string, message: ReturnType<typeof assignment>): XdsResource[] => {
    const cluster = clusters.find((candidate) => candidate.type === 'CDS' && candidate.name === name);
    return cluster === undefined ? [] : [tiedTo(cluster, encoded('EDS', name, message, ClusterLoadAssignmentSchema))];
  };
  return {
    sidecar: upstreamsOf(view).flatMap((upstream) => tied(shape.sidecar, upstream.name, assignment(upstream, view, fleet))),
    gateway: exportedPorts(view).flatMap((port) => tied(shape.gateway, gatewayClusterName(port, view.name), gatewayAssignment(port, view))),
  };
}

/** What depends on the clusters alone: trust in callers, and the tunnels. */
export function fleetResources(fleet: Fleet): Placed[] {
  const trust = inboundTrust([...fleet.trusted.values()]);
  return [
    ...placed('sidecar', [unavailableCluster(), trust, ...tunnelledClusters(fleet).flatMap(tunnelTo)]),
    ...placed('gateway', [trust]),
  ];
}
