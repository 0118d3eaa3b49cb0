/** All that one service contributes to the shared layers: the constant part, and the part that moves with its endpoints. */

import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded, tiedTo } from '../encode.ts';
import { type Fleet, tunnelledClusters } from '../fleet.ts';
import { brokenAssignment } from '../invariants.ts';
import { carriedPorts, gatewayAssignment, gatewayCluster, gatewayHosts } from '../listeners/gateway.ts';
import { type Placed, placed } from '../resource-ledger.ts';
import { type EncodedHost, encodedHost } from '../routes/route-config.ts';
import { inboundTrust, serviceTrust } from '../trust.ts';
import { endpointUpstreams, UNAVAILABLE, type Upstream, upstreamCluster, upstreamsOf } from '../upstreams/clusters.ts';
import { assignment } from '../upstreams/endpoints.ts';
import { hasAssignment, isInline } from '../upstreams/external-upstreams.ts';
import { tunnelTo } from '../upstreams/tunnel.ts';
import { hasSidecars } from './external-host.ts';
import type { HostView, ServiceView } from './service-view.ts';

/** Resources of the two shared layers. */
export interface Shared {
  readonly sidecar: readonly XdsResource[];
  readonly gateway: readonly XdsResource[];
}

/** Clusters, and the virtual hosts of gateways: while the service keeps its shape, so do these. */
export interface ServiceShape extends Shared {
  readonly gatewayHosts: readonly EncodedHost[];
}

/** What changes with a service's shape alone. */
export function serviceShape(view: ServiceView, fleet: Fleet): ServiceShape {
  return {
    sidecar: [
      ...upstreamsOf(view).map((upstream) => upstreamCluster(upstream, view, inlineAssignment(upstream, view, fleet))),
      ...endpointUpstreams(view).map((upstream) => ({ ...upstreamCluster(upstream, view), hasServers: true as const })),
    ],
    gateway: carriedPorts(view).map((port) => gatewayCluster(port, view.name, fleet.self.speaksForWorkloads)),
    gatewayHosts: gatewayHosts(view).map(encodedHost),
  };
}

/** Trust in the servers: what changes with bundles, and with nothing else of the clusters. */
export function serversTrust(view: ServiceView, fleet: Fleet): readonly XdsResource[] {
  return view.hosts.some(isMutual) ? [serviceTrust(view, fleet)] : [];
}

/** Whether the host's servers are called by mTLS. */
function isMutual({ external }: HostView): boolean {
  return external === undefined || hasSidecars(external);
}

function inlineAssignment(upstream: Upstream, view: ServiceView, fleet: Fleet): ClusterLoadAssignment | undefined {
  return isInline(upstream.host) ? assignment(upstream, view, fleet) : undefined;
}

/** The assignments, each tied to its cluster of `shape`, and what is wrong with them. */
export interface ServiceEndpoints extends Shared {
  readonly problems: readonly string[];
}

/** What changes with a service's endpoints. */
export function serviceEndpoints(view: ServiceView, fleet: Fleet, shape: ServiceShape): ServiceEndpoints {
  const assigned = upstreamsOf(view).filter(({ host }) => hasAssignment(host));
  const sidecar = assigned.map((upstream) => assignment(upstream, view, fleet));
  const gateway = carriedPorts(view).map((port) => gatewayAssignment(port, view));
  return {
    sidecar: tied(shape.sidecar, sidecar),
    gateway: tied(shape.gateway, gateway),
    problems: [...sidecar, ...gateway].flatMap(brokenAssignment),
  };
}

function tied(clusters: readonly XdsResource[], assignments: readonly ClusterLoadAssignment[]): XdsResource[] {
  const byName = new Map(clusters.filter(({ type }) => type === 'CDS').map((cluster) => [cluster.name, cluster]));
  return assignments.flatMap((message) => {
    const cluster = byName.get(message.clusterName);
    return cluster === undefined ? [] : [tiedTo(cluster, encoded('EDS', message.clusterName, message, ClusterLoadAssignmentSchema))];
  });
}

/** What depends on the clusters alone: trust in callers, and the tunnels. */
export function fleetResources(fleet: Fleet): Placed[] {
  const trust = inboundTrust(fleet.believed);
  return [
    ...placed('sidecar', [UNAVAILABLE, trust, ...tunnelledClusters(fleet).flatMap((cluster) => tunnelTo(cluster, fleet))]),
    ...placed('gateway', [trust]),
  ];
}
