/**
 * Ports that a Sidecar takes in from callers outside of the mesh: where the sidecar stands in the application's place, in plain or by
 * TLS of its own. Callers of the mesh come to 15006 as ever. Pure.
 */
import { create } from '@bufbuild/protobuf';
import type { SidecarIngress } from '@hawser/model/istio/specs.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { TerminatedTls, TlsServer } from '../edge/terminated-tls.ts';
import { encoded } from '../encode.ts';
import { protocolOf } from '../istio-protocol.ts';
import { boundInboundName, inboundClusterName, inboundRoutesName, serverName, UNAVAILABLE_CLUSTER } from '../names.ts';
import { PLAIN_PASSED } from '../telemetry/plain-logs.ts';
import { tcpTimes } from '../upstreams/connection-pool.ts';
import { cidrRange, type Init, socketAddress } from '../wire-values.ts';
import type { ServedPort } from './inbound.ts';
import { inboundHttp, inboundRoutes } from './inbound-http.ts';
import { inboundTcp } from './inbound-tcp.ts';
import { type InboundBounds, type OutsideWay, outsideWay, poolOf, takenAs } from './ingress.ts';

type ChainInit = Init<typeof FilterChainSchema>;

/** A port that is taken in, and what is behind it. */
export interface OutsidePort {
  readonly served: ServedPort;
  readonly ingress: SidecarIngress;
  readonly way: OutsideWay;
}

/** The ports of a workload that its Sidecar takes in from outside: one that no service has is served all the same. */
export function outsidePorts(bounds: InboundBounds | undefined, served: readonly ServedPort[], isCaptured: boolean): OutsidePort[] {
  const sorted = [...served].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return (bounds?.ingress ?? []).flatMap((ingress) => {
    const way = outsideWay(ingress, isCaptured);
    const number = ingress.port.number ?? 0;
    if (way === undefined) return [];
    const known = sorted.find(({ targetPort }) => targetPort === number);
    return [{ served: takenAs(known ?? nobodys(ingress, number, bounds), ingress), ingress, way }];
  });
}

function nobodys({ port }: SidecarIngress, number: number, bounds: InboundBounds | undefined): ServedPort {
  const { protocol, application } = protocolOf({ protocol: port.protocol });
  return { name: { service: 'sidecar', namespace: bounds?.namespace ?? '' }, port: number, targetPort: number, protocol, application };
}

function nameOf({ port, name }: ServedPort): string {
  return serverName(port, name);
}

/** What listeners of such ports are made with. */
export interface OutsideContext {
  readonly address: string;
  readonly bounds: InboundBounds | undefined;
  readonly endTls: (server: TlsServer) => TerminatedTls;
}

/** A listener for each port that the sidecar itself binds; a server without its certificate does not listen. */
export function boundListeners(ports: readonly OutsidePort[], context: OutsideContext): XdsResource[] {
  return ports.flatMap((port) => {
    if (port.way !== 'bound') return [];
    const { chain, resources } = outsideChain(port, context);
    if (chain === undefined) return [];
    const bind = port.ingress.bind || context.address;
    const name = boundInboundName(port.served.targetPort);
    const message = create(ListenerSchema, { name, address: socketAddress(bind, port.served.targetPort), filterChains: [chain] });
    return [...resources, encoded('LDS', name, message, ListenerSchema)];
  });
}

/** Filter chains, within the listener of a captured workload, for what was going to the ports; without its certificate a server refuses. */
export function capturedChains(ports: readonly OutsidePort[], context: OutsideContext): { chains: ChainInit[]; resources: XdsResource[] } {
  const made = ports.flatMap((port) => {
    if (port.way !== 'captured') return [];
    const { chain, resources } = outsideChain(port, context);
    const name = `${nameOf(port.served)}|outside`;
    const { bind = '' } = port.ingress;
    const isAny = bind === '' || bind === '0.0.0.0' || bind === '::';
    const filterChainMatch = { destinationPort: port.served.targetPort, ...(isAny ? {} : { prefixRanges: [cidrRange(bind)] }) };
    const refusing = { filters: [inboundTcp(name, UNAVAILABLE_CLUSTER)] };
    return [{ chain: { ...(chain ?? refusing), name, filterChainMatch }, resources }];
  });
  return { chains: made.map(({ chain }) => chain), resources: made.flatMap(({ resources }) => resources) };
}

interface OutsideChain {
  /** Undefined: its certificate is missing. */
  readonly chain: ChainInit | undefined;
  /** Its secrets, and its routes. */
  readonly resources: readonly XdsResource[];
}

function outsideChain({ served, ingress }: OutsidePort, { bounds, endTls }: OutsideContext): OutsideChain {
  const name = nameOf(served);
  const { tls } = ingress;
  const redirects = tls?.httpsRedirect === true;
  const isHttp = spokenBy(served, ingress) === 'http';
  const cluster = inboundClusterName(served.targetPort, served.protocol);
  const routes = `${inboundRoutesName(served.targetPort, served.port, served.name)}|outside`;
  const way = isHttp ? [inboundRoutes(routes, cluster, { redirects })] : [];
  const filter = isHttp
    ? inboundHttp(name, routes, { application: served.application, isOutside: true })
    : inboundTcp(name, cluster, { ...tcpTimes(poolOf(bounds, ingress)), counted: PLAIN_PASSED });
  if (tls === undefined || redirects) return { chain: { name, filters: [filter] }, resources: way };
  const { socket, secrets } = endTls({ tls, isHttp });
  return {
    chain: socket === undefined ? undefined : { name, transportSocket: socket, filters: [filter] },
    resources: [...secrets, ...way],
  };
}

/** HTTPS that ends here is HTTP; a port of which nobody says what it speaks carries bytes. */
function spokenBy({ protocol, application }: ServedPort, { port, tls }: SidecarIngress): 'http' | 'tcp' {
  if (tls !== undefined && port.protocol?.toUpperCase() === 'HTTPS') return 'http';
  return protocol === 'tcp' || application === 'auto' ? 'tcp' : 'http';
}
