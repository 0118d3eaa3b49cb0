/** The way to endpoints of another network: an internal listener that asks the other cluster's gateways for a CONNECT tunnel. */
import { create } from '@bufbuild/protobuf';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { PeerCluster } from '../../state/world.ts';
import { encoded, tiedTo } from '../encode.ts';
import type { Fleet } from '../fleet.ts';
import { gatewayTrustName, tunnelName } from '../names.ts';
import { clientTls, TUNNEL_METADATA } from '../tls.ts';
import { gatewayTrust } from '../trust.ts';
import { extension, millis, parseHostPort, socketAddress } from '../wire-values.ts';
import { dynamic } from './clusters.ts';
import { http2Upstream, outlierDetection } from './upstream-defaults.ts';

/** Names the endpoint that a tunnel is for: base64 of `IP:PORT`, as Envoy's header session state reads it. */
export const ENDPOINT_HEADER = 'x-hawser-endpoint';

const GATEWAY = http2Upstream({ idleMs: 300_000, pingMs: 2_000, pingTimeoutMs: 2_000 });

/** Everything a sidecar needs to reach one cluster's gateways. */
export function tunnelTo(cluster: PeerCluster, fleet: Fleet): XdsResource[] {
  const upstream = tunnelCluster(cluster);
  return [upstream, tiedTo(upstream, gatewayAssignment(cluster)), tunnelListener(cluster), gatewayTrust(cluster, fleet)];
}

function tunnelCluster(cluster: PeerCluster): XdsResource {
  const name = tunnelName(cluster.name);
  const message = create(ClusterSchema, {
    ...dynamic(name),
    connectTimeout: millis(1_000),
    outlierDetection: outlierDetection(),
    transportSocket: clientTls(gatewayTrustName(cluster.name), `gateway.${cluster.name}`, ['h2']),
    typedExtensionProtocolOptions: GATEWAY,
  });
  return encoded('CDS', name, message, ClusterSchema);
}

function gatewayAssignment(cluster: PeerCluster): XdsResource {
  const clusterName = tunnelName(cluster.name);
  const gateways = cluster.gateways.map(parseHostPort).filter((gateway) => gateway !== undefined);
  const lbEndpoints = gateways.map(({ address, port }) => ({
    hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(address, port) } },
  }));
  const message = create(ClusterLoadAssignmentSchema, { clusterName, endpoints: [{ lbEndpoints }] });
  return encoded('EDS', clusterName, message, ClusterLoadAssignmentSchema);
}

function tunnelListener(cluster: PeerCluster): XdsResource {
  const name = tunnelName(cluster.name);
  const proxy = extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix: name,
    clusterSpecifier: { case: 'cluster', value: name },
    maxConnectAttempts: 3,
    tunnelingConfig: {
      hostname: `%DYNAMIC_METADATA(${TUNNEL_METADATA}:authority)%`,
      headersToAdd: [{ header: { key: ENDPOINT_HEADER, value: `%DYNAMIC_METADATA(${TUNNEL_METADATA}:endpoint)%` } }],
    },
  });
  const message = create(ListenerSchema, {
    name,
    listenerSpecifier: { case: 'internalListener', value: {} },
    filterChains: [{ filters: [proxy] }],
  });
  return encoded('LDS', name, message, ListenerSchema);
}
