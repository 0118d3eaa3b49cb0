/** Names of xDS resources, as docs/architecture.md has them. */
import { PORTS } from '@hawser/model/ports.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { hostPort } from './wire-values.ts';

/** Listener, and route configuration, of what a workload calls. */
export const OUTBOUND = 'outbound';
/** Listener of what calls a workload. */
export const INBOUND = 'inbound';
/** Listener of callers outside of the mesh, at a port of a workload whose Sidecar binds it. */
export function boundInboundName(port: number): string {
  return `${INBOUND}|${port}`;
}

/** Whether a listener is for what calls a workload. */
export function isInboundName(listener: string): boolean {
  return listener === INBOUND || listener.startsWith(`${INBOUND}|`);
}

/** Listener of what the kernel leads to a captured workload's sidecar, and its routes for calls to addresses that are not the mesh's. */
export const CAPTURE = 'outbound_capture';
/** Listener and route configuration that hand a resolver its names. */
export const NAMES = 'names';
/** Upstream that goes where the caller wanted to go, in plain. */
export const PASSTHROUGH_CLUSTER = 'passthrough';
/** Upstream from a captured workload's sidecar to whatever port its caller wanted. */
export const INBOUND_PASSTHROUGH_CLUSTER = 'inbound|passthrough';
/** Listener and route configuration of a gateway. */
export const GATEWAY = 'gateway';
/** The proxy's own certificate: filled in by whoever authenticated the stream. */
export const IDENTITY_SECRET = 'identity';
/** Trust in those who call. */
export const INBOUND_TRUST = 'trust|inbound';
/** An upstream without endpoints: the share of a split whose destination does not exist answers 503. */
export const UNAVAILABLE_CLUSTER = 'unavailable';

/** Upstream of calls whose host no service has, where a Sidecar lets them go anywhere. */
export const ANYWHERE_CLUSTER = 'anywhere';

/** Upstream cluster of a service port, or of one subset of it. */
export function upstreamName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** What the name of an upstream cluster is made of, whatever is spoken there; undefined for any other name. */
export function parseUpstreamName(name: string): { port: number; subset: string; host: string } | undefined {
  const [kind, port, subset, host] = name.split('|');
  return (kind === 'outbound' || kind === 'outbound_tcp') && subset !== undefined && host !== undefined
    ? { port: Number(port), subset, host }
    : undefined;
}

/** Listener, and route configuration, of calls to an address of their own that a Sidecar gives; `bind` is empty for loopback. */
export function boundOutboundName(bind: string, port: number): string {
  return `outbound_bound|${bind}|${port}`;
}

/** Whether a route configuration is for what a workload calls. */
export function isOutboundRoutes(name: string): boolean {
  return name === OUTBOUND || name === CAPTURE || name.startsWith('outbound_bound|');
}

/** Listener of a TCP service. */
export function tcpListenerName(port: number, host: string): string {
  return `outbound_tcp|${port}|${host}`;
}

/** Upstream cluster of a port that may speak HTTP or anything else, for those who do not speak HTTP. */
export function plainUpstreamName(port: number, subset: string, host: string): string {
  return `outbound_tcp|${port}|${subset}|${host}`;
}

/** Upstream cluster of a port of a headless service, for connections to the address of one of its endpoints: no subset has this name. */
export function endpointUpstreamName(port: number, host: string): string {
  return plainUpstreamName(port, '@', host);
}

/** Upstream cluster of an application port behind its own sidecar. */
export function inboundClusterName(targetPort: number, protocol: string): string {
  return protocol === 'http2' ? `inbound|${targetPort}|http2` : `inbound|${targetPort}`;
}

/** A gateway's upstream cluster of one exported service port. */
export function gatewayClusterName(port: number, name: ServiceName): string {
  return `inbound|${port}|${name.service}.${name.namespace}`;
}

/** Internal listener and upstream cluster of the tunnel to another cluster. */
export function tunnelName(cluster: string): string {
  return `tunnel|${cluster}`;
}

/** Trust in the servers of a service. */
export function serviceTrustName(serviceKey: string): string {
  return `trust|${serviceKey}`;
}

/** Trust in the gateways of a cluster. */
export function gatewayTrustName(cluster: string): string {
  return `trust|gateway|${cluster}`;
}

/** Server name by which a sidecar picks the filter chain of one of its service ports. */
export function serverName(port: number, name: ServiceName): string {
  return `${port}.${name.service}.${name.namespace}`;
}

/** Route configuration of what calls a service port, from its sidecar to the application's port. */
export function inboundRoutesName(targetPort: number, port: number, name: ServiceName): string {
  return `inbound|${targetPort}|${serverName(port, name)}`;
}

/** Route configuration of what sidecars call at a port of an edge proxy. */
export function edgeMeshRoutesName(port: number): string {
  return `edge|mesh|${port}`;
}

/** The application's port in the name of an upstream cluster or of a route configuration; undefined in any other name. */
export function applicationPort(name: string): number | undefined {
  const port = /^(?:inbound|edge\|mesh)\|(\d+)(?:\||$)/.exec(name)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** A gateway's internal listener of calls to the workloads of a service port that it speaks for. */
export function workloadsName(port: number, name: ServiceName): string {
  return `workloads|${serverName(port, name)}`;
}

/**
 * By what a tunnel's caller names the endpoint, as Envoy writes the gateway's host for it: an address, or an internal one of the listener
 * that stands for a workload without a sidecar. It says nothing of the application's port: each service port has its own hosts.
 */
export function tunnelEndpoint(address: string, listener: string | undefined): string {
  const id = hostPort(address, PORTS.inbound);
  return listener === undefined ? id : `envoy://${listener}/${id}`;
}

/** Authority of a CONNECT request, by which a gateway picks the service port. */
export function tunnelAuthority(port: number, name: ServiceName): string {
  return `${name.service}.${name.namespace}.svc.clusterset.local:${port}`;
}
