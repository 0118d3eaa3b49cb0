/**
 * Servers of mode AUTO_PASSTHROUGH: TLS of the mesh is let through to the service that its server name tells, without any
 * VirtualService. The name is the one that sidecars call each other by: `PORT.SERVICE.NAMESPACE`. Pure.
 */
import { clusterLocalHost, clustersetHost } from '@hawser/model/service-host.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded, tiedTo } from '../encode.ts';
import { exportedPorts, gatewayCluster, sidecarsAssignment } from '../listeners/gateway.ts';
import { gatewayClusterName, serverName } from '../names.ts';
import type { ServiceView } from '../services/service-view.ts';
import type { EdgeServer } from './edge-servers.ts';
import { proxyTo, type TcpChain } from './edge-tcp.ts';
import { commonHost } from './host-names.ts';

/** A chain for each exported port of a service that the server's hosts allow, and the way to its own endpoints. */
export function autoPassthrough(server: EdgeServer, views: Iterable<ServiceView>): { chains: TcpChain[]; resources: XdsResource[] } {
  const served = [...views].filter((view) => exportedPorts(view).length > 0 && allows(server, view));
  const ports = served.flatMap((view) => exportedPorts(view).map((port) => ({ view, port })));
  return {
    chains: ports.map(({ view, port }) => {
      const cluster = gatewayClusterName(port, view.name);
      return { match: { serverNames: [serverName(port, view.name)] }, filter: proxyTo([{ name: cluster, weight: 1 }], cluster) };
    }),
    resources: ports.flatMap(({ view, port }) => {
      const cluster = gatewayCluster(port, view.name);
      const assignment = sidecarsAssignment(port, view);
      return [cluster, tiedTo(cluster, encoded('EDS', assignment.clusterName, assignment, ClusterLoadAssignmentSchema))];
    }),
  };
}

function allows({ hosts }: EdgeServer, { name }: ServiceView): boolean {
  const names = [clusterLocalHost(name), clustersetHost(name)];
  return hosts.some(
    ({ namespace, host }) => (namespace === '*' || namespace === name.namespace) && names.some((one) => commonHost(host, one) === one),
  );
}
