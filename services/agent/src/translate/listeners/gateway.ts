/**
 * A gateway: opens tunnels to endpoints that its cluster exports, and to workloads that it speaks for itself (`workloads.ts`); to nothing
 * else. It never sees what passes through to the others.
 */
import { create } from '@bufbuild/protobuf';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { HealthStatus } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import type { LbEndpointSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_components_pb.ts';
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
import { GATEWAY, gatewayClusterName, INBOUND_TRUST, tunnelAuthority, workloadsName } from '../names.ts';
import { hasBare, type ServiceView } from '../services/service-view.ts';
import { DESTINATION_METADATA, plainSocket, serverTls, throughTunnel } from '../tls.ts';
import { dynamic } from '../upstreams/clusters.ts';
import { inOrder } from '../upstreams/endpoints.ts';
import { ENDPOINT_HEADER } from '../upstreams/tunnel.ts';
import { BARE_MATCH } from '../upstreams/upstream-defaults.ts';
import { ADS, extension, hostPort, type Init, millis, socketAddress } from '../wire-values.ts';
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

/** Virtual hosts of the ports of a service that gateways lead to. */
export function gatewayHosts(view: ServiceView): VirtualHost[] {
  return carriedPorts(view).map((port) =>
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

/** Ports that the own cluster's gateways lead to: of exported services, and of those that have endpoints without a sidecar, whose callers come this way. */
export function carriedPorts(view: ServiceView): number[] {
  const { own } = view;
  const bare = own !== undefined && hasBare(own) ? own.ports.map(({ port }) => port) : [];
  return [...new Set([...exportedPorts(view), ...bare])].sort((a, b) => a - b);
}

/** Those that the own cluster offers to others, and those of other clusters' servers in its network. */
export function exportedPorts(view: ServiceView): number[] {
  const ports = offered(view).flatMap((shard) => shard.ports.map(({ port }) => port));
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Own endpoints in another network are its gateways' guests. */
function offered({ own, guests }: ServiceView): readonly EndpointShard[] {
  if (own?.exported !== true) return guests;
  return [{ ...own, endpoints: own.endpoints.filter(({ network, bare }) => network === undefined && bare !== true) }, ...guests];
}

/**
 * A gateway's upstream of a port: plain TCP to the endpoint's sidecar, the mTLS inside is not ours; or to the own internal listener of
 * workloads, which is told where the connection is going.
 */
export function gatewayCluster(port: number, name: ServiceName, speaksForWorkloads = false): XdsResource {
  const clusterName = gatewayClusterName(port, name);
  const message = create(ClusterSchema, {
    ...dynamic(clusterName),
    connectTimeout: millis(1_000),
    commonLbConfig: { overrideHostStatus: { statuses: EVERY_STATUS }, updateMergeWindow: millis(0) },
    transportSocketMatches: speaksForWorkloads ? [TO_WORKLOADS] : [],
  });
  return encoded('CDS', clusterName, message, ClusterSchema);
}

const TO_WORKLOADS = { name: 'bare', match: BARE_MATCH, transportSocket: throughTunnel(plainSocket(), DESTINATION_METADATA) };

/** The allow-list of a port. Health is the client's business: it asked for this very endpoint. */
export function gatewayAssignment(port: number, view: ServiceView): ClusterLoadAssignment {
  return assignmentOf(port, view, [...sidecars(port, view), ...bareWorkloads(port, view)]);
}

/** Of an exported port, the endpoints that have a sidecar. */
export function sidecarsAssignment(port: number, view: ServiceView): ClusterLoadAssignment {
  return assignmentOf(port, view, sidecars(port, view));
}

type LbEndpointInit = Init<typeof LbEndpointSchema>;

function assignmentOf(port: number, view: ServiceView, lbEndpoints: LbEndpointInit[]): ClusterLoadAssignment {
  const clusterName = gatewayClusterName(port, view.name);
  return create(ClusterLoadAssignmentSchema, { clusterName, endpoints: lbEndpoints.length > 0 ? [{ lbEndpoints }] : [] });
}

function sidecars(port: number, view: ServiceView): LbEndpointInit[] {
  const endpoints = inOrder(offered(view).flatMap((shard) => shard.endpoints)).filter(
    (endpoint) => endpoint.targetPorts[String(port)] !== undefined,
  );
  const addresses = [...new Set(endpoints.map(({ address }) => address))];
  return addresses.map((address) => ({
    hostIdentifier: { case: 'endpoint', value: { address: socketAddress(address, PORTS.inbound) } },
  }));
}

/** Hosts that are the own internal listener; by their names callers tell them apart. */
function bareWorkloads(port: number, { own, name }: ServiceView): LbEndpointInit[] {
  return inOrder(own?.endpoints ?? []).flatMap(({ address, bare, targetPorts }): LbEndpointInit[] => {
    const targetPort = targetPorts[String(port)];
    if (bare !== true || targetPort === undefined) return [];
    const addressNameSpecifier = { case: 'serverListenerName', value: workloadsName(port, name) } as const;
    const internal = { addressNameSpecifier, endpointId: hostPort(address, PORTS.inbound) };
    const filterMetadata = {
      'envoy.transport_socket_match': BARE_MATCH,
      [DESTINATION_METADATA]: { local: hostPort(address, targetPort) },
    };
    const value = { address: { address: { case: 'envoyInternalAddress' as const, value: internal } } };
    return [{ hostIdentifier: { case: 'endpoint', value }, metadata: { filterMetadata } }];
  });
}

const EVERY_STATUS = [
  HealthStatus.UNKNOWN,
  HealthStatus.HEALTHY,
  HealthStatus.UNHEALTHY,
  HealthStatus.DRAINING,
  HealthStatus.TIMEOUT,
  HealthStatus.DEGRADED,
];
