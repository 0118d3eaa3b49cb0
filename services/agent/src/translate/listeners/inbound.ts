/** What calls a workload: its sidecar's listener with a filter chain per service port, and the way to the application. */
import { create } from '@bufbuild/protobuf';
import type { DrillFault } from '@hawser/model/drill-form.ts';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { OriginalDstSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { NO_MODES, type PeerModes } from '../access/peer-modes.ts';
import { encoded } from '../encode.ts';
import { INBOUND, INBOUND_TRUST, inboundClusterName, inboundRoutesName, serverName, UNAVAILABLE_CLUSTER } from '../names.ts';
import { serverTls } from '../tls.ts';
import { tcpTimes } from '../upstreams/connection-pool.ts';
import { extension, type Init, socketAddress } from '../wire-values.ts';
import { applicationCluster } from './application-cluster.ts';
import { faultedChain } from './faulted-chains.ts';
import { inboundHttp, inboundRoutes } from './inbound-http.ts';
import { inboundTcp } from './inbound-tcp.ts';
import { type InboundBounds, ingressOf, poolOf, takenAs } from './ingress.ts';
import { oneIdentity } from './one-identity.ts';
import { boundListeners, capturedChains, type OutsideContext, outsidePorts } from './outside-ports.ts';
import { elsewhere as elsewhereChain, openPorts, otherPorts } from './plain-ports.ts';

/** A service port that the workload at an address serves. */
export interface ServedPort {
  readonly name: ServiceName;
  readonly port: number;
  readonly protocol: ServicePort['protocol'];
  readonly application?: string | undefined;
  readonly targetPort: number;
  /** Whether it is drained: connections that are left end. */
  readonly isDrained?: true;
  /** What a drill does to calls of the mesh. */
  readonly fault?: DrillFault;
  /** Of an endpoint without a sidecar: whose callers its cluster's gateways speak to for it. */
  readonly bare?: 'exported' | 'own';
}

/** How a proxy takes what calls its workload. */
export interface InboundOptions {
  /** Whether all calls to the workload are led here. */
  readonly captured?: boolean;
  /** What a Sidecar says of it. */
  readonly bounds?: InboundBounds | undefined;
  /** Another text than before ends the connections of the mesh that are open. */
  readonly severed?: string | undefined;
  /** What is asked of its callers. */
  readonly peers?: PeerModes;
  /** What takes the HTTP of a port in place of the way to the application. */
  readonly httpFilter?: (served: ServedPort) => ReturnType<typeof inboundHttp> | undefined;
  /** The TLS of servers for callers outside of the mesh; without it there are none. */
  readonly endTls?: OutsideContext['endTls'];
}

/** Listeners and clusters of a sidecar whose workload serves these ports; nothing when it serves none, unless all calls are led here. */
export function inboundResources(address: string, served: readonly ServedPort[], options: InboundOptions = {}): XdsResource[] {
  const { captured: isCaptured = false, bounds, severed, peers = NO_MODES, httpFilter = () => undefined, endTls = () => NO_TLS } = options;
  const taken = served.flatMap((port) => {
    const ingress = ingressOf(bounds, port.targetPort);
    return ingress === undefined ? [] : [takenAs(port, ingress)];
  });
  const outside = openPorts(outsidePorts(bounds, served, isCaptured), { served, isCaptured, peers });
  if (taken.length === 0 && outside.length === 0 && !isCaptured) return [];
  const sorted = [...taken].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const all = [...outside.map((one) => one.served), ...sorted];
  const targets = new Map(all.map((port) => [inboundClusterName(port.targetPort, port.protocol), port]));
  const clusters = [...targets.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, port]) => applicationCluster(name, { workload: { address, isCaptured }, port, bounds }));
  const routes = sorted
    .filter((port) => port.protocol !== 'tcp' && (isCaptured || httpFilter(port) === undefined))
    .map((port) => inboundRoutes(routesOf(port), inboundClusterName(port.targetPort, port.protocol), { fault: port.fault }));
  const context = { address, bounds, endTls };
  const here = isCaptured
    ? capturedListener(sorted, capturedWays(outside, peers, context), { ...context, severed })
    : inboundListener(sorted, context, options);
  const listens = isCaptured || sorted.length > 0;
  return once([...clusters, ...routes, ...(listens ? here : []), ...boundListeners(outside, context)]);
}

const NO_TLS = { socket: undefined, secrets: [], problems: [] };

/** Servers may share certificates. */
function once(resources: readonly XdsResource[]): XdsResource[] {
  return [...new Map(resources.map((resource) => [`${resource.type} ${resource.name}`, resource])).values()];
}

type HttpFilter = NonNullable<InboundOptions['httpFilter']>;

function nameOf(port: ServedPort): string {
  return serverName(port.port, port.name);
}

/** Routes of a port of HTTP. */
export function routesOf({ targetPort, port, name }: ServedPort): string {
  return inboundRoutesName(targetPort, port, name);
}

function inboundListener(
  served: readonly ServedPort[],
  { address, bounds }: OutsideContext,
  { severed, httpFilter = () => undefined }: InboundOptions,
): XdsResource[] {
  const message = create(ListenerSchema, {
    name: INBOUND,
    address: socketAddress(address, PORTS.inbound),
    listenerFilters: [extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {})],
    filterChains: served.flatMap((port) => filterChains(port, { bounds, severed }, httpFilter(port))),
  });
  return [encoded('LDS', INBOUND, message, ListenerSchema)];
}

type Severed = Pick<InboundOptions, 'severed'>;

interface CapturedWays extends ReturnType<typeof capturedChains> {
  /** For ports without a chain of their own. */
  readonly elsewhere: Init<typeof FilterChainSchema>;
}

function capturedWays(outside: ReturnType<typeof openPorts>, peers: PeerModes, context: OutsideContext): CapturedWays {
  const { chains, resources } = capturedChains(outside, context);
  return { resources, chains: [...chains, ...otherPorts(outside, peers)], elsewhere: elsewhereChain(peers) };
}

/**
 * Calls of other sidecars come to 15006 itself, and are served as always. What was led here on its way to another port, by callers
 * outside the mesh or by probes, is taken as a Sidecar and a PeerAuthentication say, else let through in plain: as if it had not been captured.
 */
function capturedListener(served: readonly ServedPort[], outside: CapturedWays, context: OutsideContext & Severed): XdsResource[] {
  const { address } = context;
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
        .flatMap((port) => filterChains(port, context))
        .map((chain) => ({ ...chain, filterChainMatch: { ...chain.filterChainMatch, ...here } })),
      ...outside.chains,
      // Let through, it would come back for ever.
      { name: 'itself', filterChainMatch: here, filters: [inboundTcp('itself', UNAVAILABLE_CLUSTER)] },
    ],
    defaultFilterChain: outside.elsewhere,
  });
  return [...outside.resources, encoded('LDS', INBOUND, message, ListenerSchema)];
}

/** The mark of chains of what is drained. */
export const DRAINED = { drained: true };

/**
 * A mark that no filter reads. It makes another chain of it, so that Envoy drains the connections of the one before: it asks for no
 * more requests on them, and closes what is left of them when its drain time is over. New connections are taken as ever.
 */
export function markOf(marks: Readonly<Record<string, string | boolean>>): Pick<Init<typeof FilterChainSchema>, 'metadata'> {
  return Object.keys(marks).length === 0 ? {} : { metadata: { filterMetadata: { hawser: marks } } };
}

/** What is around the chains of a port. */
interface ChainContext extends Partial<Pick<OutsideContext, 'bounds'>>, Severed {
  /** Ends their names, where one listener has those of several workloads. */
  readonly group?: string;
}

/** Chains are named, and other chains' changes leave a chain's connections alone (DATAPATH.md E). */
export function filterChains(
  served: ServedPort,
  { bounds, severed, group = '' }: ChainContext,
  filter?: ReturnType<HttpFilter>,
): Init<typeof FilterChainSchema>[] {
  const server = nameOf(served);
  const name = `${server}${group}`;
  const chain = { name, ...markOf({ ...(severed === undefined ? {} : { severed }), ...(served.isDrained === true ? DRAINED : {}) }) };
  const cluster = inboundClusterName(served.targetPort, served.protocol);
  const times = tcpTimes(poolOf(bounds, ingressOf(bounds, served.targetPort) ?? {}));
  const tcp = { transportSocket: serverTls(INBOUND_TRUST, []), filters: [oneIdentity(), inboundTcp(name, cluster, times)] };
  const faulted = (one: Init<typeof FilterChainSchema>) => faultedChain(one, served.fault);
  if (served.protocol === 'tcp') return [faulted({ ...chain, filterChainMatch: { serverNames: [server] }, ...tcp })];
  const http = {
    transportSocket: serverTls(INBOUND_TRUST, ['h2']),
    filters: [oneIdentity(), filter ?? inboundHttp(name, `${routesOf(served)}${group}`, served)],
  };
  if (served.application !== 'auto') return [faulted({ ...chain, filterChainMatch: { serverNames: [server] }, ...http })];
  // The caller's sidecar found out which it is, and says so: HTTP by ALPN.
  return [
    faulted({ ...chain, filterChainMatch: { serverNames: [server], applicationProtocols: ['h2'] }, ...http }),
    faulted({ ...chain, name: `${name}|tcp`, filterChainMatch: { serverNames: [server] }, ...tcp }),
  ];
}
