/** What calls a workload: its sidecar's listener with a filter chain per service port, and the way to the application. */
import { create } from '@bufbuild/protobuf';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { Cluster_DiscoveryType, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { OriginalDstSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { INBOUND, INBOUND_PASSTHROUGH_CLUSTER, INBOUND_TRUST, inboundClusterName, serverName, UNAVAILABLE_CLUSTER } from '../names.ts';
import { serverTls } from '../tls.ts';
import { protocolOptions } from '../upstreams/upstream-defaults.ts';
import { extension, type Init, millis, socketAddress } from '../wire-values.ts';
import { inboundHttp } from './inbound-http.ts';
import { applicationAddress, type InboundBounds, ingressOf, poolFields, takenAs } from './ingress.ts';

/** A service port that the workload at an address serves. */
export interface ServedPort {
  readonly name: ServiceName;
  readonly port: number;
  readonly protocol: ServicePort['protocol'];
  readonly application?: string | undefined;
  readonly targetPort: number;
}

/** How a proxy takes what calls its workload. */
export interface InboundOptions {
  /** Whether all calls to the workload are led here. */
  readonly captured?: boolean;
  /** What a Sidecar says of it. */
  readonly bounds?: InboundBounds | undefined;
  /** What takes the HTTP of a port in place of the way to the application. */
  readonly httpFilter?: (served: ServedPort) => ReturnType<typeof inboundHttp> | undefined;
}

/** Listener and clusters of a sidecar whose workload serves these ports; nothing when it serves none, unless all calls are led here. */
export function inboundResources(address: string, served: readonly ServedPort[], options: InboundOptions = {}): XdsResource[] {
  const { captured: isCaptured = false, httpFilter = () => undefined, bounds } = options;
  const taken = served.flatMap((port) => {
    const ingress = ingressOf(bounds, port.targetPort);
    return ingress === undefined ? [] : [takenAs(port, ingress)];
  });
  if (taken.length === 0 && !isCaptured) return [];
  const sorted = [...taken].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const targets = new Map(sorted.map((port) => [inboundClusterName(port.targetPort, port.protocol), port]));
  const clusters = [...targets.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, port]) => applicationCluster(name, { address, port, bounds }));
  return [...clusters, isCaptured ? capturedListener(address, sorted) : inboundListener(address, sorted, httpFilter)];
}

type HttpFilter = NonNullable<InboundOptions['httpFilter']>;

function nameOf(port: ServedPort): string {
  return serverName(port.port, port.name);
}

function inboundListener(address: string, served: readonly ServedPort[], httpFilter: HttpFilter): XdsResource {
  const message = create(ListenerSchema, {
    name: INBOUND,
    address: socketAddress(address, PORTS.inbound),
    listenerFilters: [extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {})],
    filterChains: served.flatMap((port) => filterChains(port, httpFilter(port))),
  });
  return encoded('LDS', INBOUND, message, ListenerSchema);
}

/**
 * Calls of other sidecars come to 15006 itself, and are served as always. What was led here on its way to another port, by callers
 * outside the mesh or by probes, is let through in plain: as if it had not been captured.
 */
function capturedListener(address: string, served: readonly ServedPort[]): XdsResource {
  const here = { destinationPort: PORTS.inbound };
  const elsewhere = { case: 'destinationPortRange', value: { start: PORTS.inbound, end: PORTS.inbound + 1 } } as const;
  const inspector = extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {});
  const message = create(ListenerSchema, {
    name: INBOUND,
    address: socketAddress(address, PORTS.inbound),
    listenerFilters: [
      extension('envoy.filters.listener.original_dst', OriginalDstSchema, {}),
      { ...inspector, filterDisabled: { rule: { case: 'notMatch', value: { rule: elsewhere } } } },
    ],
    filterChains: [
      ...served
        .flatMap((port) => filterChains(port))
        .map((chain) => ({ ...chain, filterChainMatch: { ...chain.filterChainMatch, ...here } })),
      // Let through, it would come back for ever.
      { name: 'itself', filterChainMatch: here, filters: [tcpProxy('itself', UNAVAILABLE_CLUSTER)] },
    ],
    defaultFilterChain: { name: INBOUND_PASSTHROUGH_CLUSTER, filters: [tcpProxy('inbound_passthrough', INBOUND_PASSTHROUGH_CLUSTER)] },
  });
  return encoded('LDS', INBOUND, message, ListenerSchema);
}

/** Chains are named, and other chains' changes leave a chain's connections alone (DATAPATH.md E). */
function filterChains(served: ServedPort, filter?: ReturnType<HttpFilter>): Init<typeof FilterChainSchema>[] {
  const name = nameOf(served);
  const cluster = inboundClusterName(served.targetPort, served.protocol);
  const tcp = { transportSocket: serverTls(INBOUND_TRUST, []), filters: [tcpProxy(name, cluster)] };
  if (served.protocol === 'tcp') return [{ name, filterChainMatch: { serverNames: [name] }, ...tcp }];
  const http = { transportSocket: serverTls(INBOUND_TRUST, ['h2']), filters: [filter ?? inboundHttp(name, cluster, served.application)] };
  if (served.application !== 'auto') return [{ name, filterChainMatch: { serverNames: [name] }, ...http }];
  // The caller's sidecar found out which it is, and says so: HTTP by ALPN.
  return [
    { name, filterChainMatch: { serverNames: [name], applicationProtocols: ['h2'] }, ...http },
    { name: `${name}|tcp`, filterChainMatch: { serverNames: [name] }, ...tcp },
  ];
}

function tcpProxy(statPrefix: string, cluster: string): ReturnType<typeof extension> {
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: 'cluster', value: cluster },
  });
}

/**
 * The application itself. Idle connections are given up before applications do (Node 5 s, gunicorn 2 s): a request on a
 * connection that is being closed could not be repeated.
 */
const APPLICATION_IDLE_MS = 1_500;

interface Application {
  readonly address: string;
  readonly port: ServedPort;
  readonly bounds: InboundBounds | undefined;
}

function applicationCluster(name: string, { address, port, bounds }: Application): XdsResource {
  const ingress = ingressOf(bounds, port.targetPort) ?? {};
  const endpoint = { address: applicationAddress(ingress, address, port.targetPort) };
  const pool = poolFields(bounds, ingress, 1_000);
  const http2 = { case: 'http2ProtocolOptions', value: { allowConnect: true, ...pool.http2 } } as const;
  const protocol = port.protocol === 'http2' ? http2 : HTTP1;
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    ...pool.cluster,
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint } }] }] },
    typedExtensionProtocolOptions:
      port.protocol === 'tcp'
        ? {}
        : protocolOptions({
            commonHttpProtocolOptions: { idleTimeout: millis(pool.idleMs ?? APPLICATION_IDLE_MS), ...pool.http },
            upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig: protocol } },
          }),
  });
  return encoded('CDS', name, message, ClusterSchema);
}

const HTTP1 = { case: 'httpProtocolOptions', value: {} } as const;
