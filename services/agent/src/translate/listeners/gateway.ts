/** A gateway: opens tunnels to endpoints that its cluster exports, and to nothing else. It never sees what passes through. */
import { create } from '@bufbuild/protobuf';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { HealthStatus } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { type VirtualHost, VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { StatefulSessionSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManagerSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { HeaderBasedSessionStateSchema } from '@hawser/xds/generated/envoy/extensions/http/stateful_session/header/v3/header_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { GATEWAY, gatewayClusterName, INBOUND_TRUST, tunnelAuthority } from '../names.ts';
import type { ServiceView } from '../services/service-view.ts';
import { serverTls } from '../tls.ts';
import { dynamic } from '../upstreams/clusters.ts';
import { inOrder } from '../upstreams/endpoints.ts';
import { ENDPOINT_HEADER } from '../upstreams/tunnel.ts';
import { ADS, extension, millis, socketAddress } from '../wire-values.ts';
import { DRAINED, markOf } from './inbound.ts';
import { oneIdentity } from './one-identity.ts';

/** A tunnel may rest for an hour, as a TCP connection may. */
const TUNNEL_IDLE_MS = 3_600_000;

/** The listener of the gateway at an address. */
export function gatewayListener(address: string, isDrained = false): XdsResource {
  const message = create(ListenerSchema, {
    name: GATEWAY,
    address: socketAddress(address, PORTS.gateway),
    filterChains: [
      { ...markOf(isDrained ? DRAINED : {}), transportSocket: serverTls(INBOUND_TRUST, ['h2']), filters: [oneIdentity(), connectProxy()] },
    ],
  });
  return encoded('LDS', GATEWAY, message, ListenerSchema);
}

function connectProxy(): ReturnType<typeof extension> {
  const sessionState = {
    // Envoy finds the factory by this very name (DATAPATH.md A, traps).
    name: 'envoy.http.stateful_session.header',
    typedConfig: extension('', HeaderBasedSessionStateSchema, { name: ENDPOINT_HEADER }).configType.value,
  };
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: GATEWAY,
    codecType: HttpConnectionManager_CodecType.HTTP2,
    routeSpecifier: { case: 'rds', value: { routeConfigName: GATEWAY, configSource: ADS } },
    http2ProtocolOptions: { allowConnect: true },
    upgradeConfigs: [{ upgradeType: 'CONNECT' }],
    streamIdleTimeout: millis(TUNNEL_IDLE_MS),
    httpFilters: [
      // Strict: when the named endpoint is not an exported one, 503, never another (its failure would be blamed on the wrong one).
      extension('envoy.filters.http.stateful_session', StatefulSessionSchema, { sessionState, strict: true }),
      extension('envoy.filters.http.router', RouterSchema, {}),
    ],
  });
}

/** Virtual hosts of a service's exported ports. */
export function gatewayHosts(view: ServiceView): VirtualHost[] {
  return exportedPorts(view).map((port) =>
    create(VirtualHostSchema, {
      name: tunnelAuthority(port, view.name),
      domains: [tunnelAuthority(port, view.name)],
      routes: [
        {
          match: {
            pathSpecifier: { case: 'connectMatcher', value: {} },
            // Without the header the session would be free to choose.
            headers: [{ name: ENDPOINT_HEADER, headerMatchSpecifier: { case: 'presentMatch', value: true } }],
          },
          action: {
            case: 'route',
            value: {
              clusterSpecifier: { case: 'cluster', value: gatewayClusterName(port, view.name) },
              upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
              timeout: millis(0),
              idleTimeout: millis(TUNNEL_IDLE_MS),
            },
          },
        },
      ],
    }),
  );
}

/** Ports that the own cluster's gateways lead to: those that it offers to others, and those of other clusters' servers in its network. */
export function exportedPorts(view: ServiceView): number[] {
  const ports = offered(view).flatMap((shard) => shard.ports.map(({ port }) => port));
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Own endpoints in another network are its gateways' guests. */
function offered({ own, guests }: ServiceView): readonly EndpointShard[] {
  if (own?.exported !== true) return guests;
  return [{ ...own, endpoints: own.endpoints.filter(({ network }) => network === undefined) }, ...guests];
}

/** A gateway's upstream of an exported port: plain TCP to the endpoint's sidecar, the mTLS inside is not ours. */
export function gatewayCluster(port: number, name: ServiceName): XdsResource {
  const clusterName = gatewayClusterName(port, name);
  const message = create(ClusterSchema, {
    ...dynamic(clusterName),
    connectTimeout: millis(1_000),
    commonLbConfig: { overrideHostStatus: { statuses: EVERY_STATUS }, updateMergeWindow: millis(0) },
  });
  return encoded('CDS', clusterName, message, ClusterSchema);
}

/** The allow-list of an exported port. Health is the client's business: it asked for this very endpoint. */
export function gatewayAssignment(port: number, view: ServiceView): ClusterLoadAssignment {
  const endpoints = inOrder(offered(view).flatMap((shard) => shard.endpoints)).filter(
    (endpoint) => endpoint.targetPorts[String(port)] !== undefined,
  );
  const addresses = [...new Set(endpoints.map(({ address }) => address))];
  const lbEndpoints = addresses.map((address) => ({
    hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(address, PORTS.inbound) } },
  }));
  const clusterName = gatewayClusterName(port, view.name);
  return create(ClusterLoadAssignmentSchema, { clusterName, endpoints: lbEndpoints.length > 0 ? [{ lbEndpoints }] : [] });
}

const EVERY_STATUS = [
  HealthStatus.UNKNOWN,
  HealthStatus.HEALTHY,
  HealthStatus.UNHEALTHY,
  HealthStatus.DRAINING,
  HealthStatus.TIMEOUT,
  HealthStatus.DEGRADED,
];
