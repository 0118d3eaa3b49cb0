/** What a Sidecar says of the way to its own application: which ports are taken in, where they lead, and how many at a time. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { SidecarInboundConnectionPool, SidecarIngress } from '@hawser/model/istio/specs.ts';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { protocolOf } from '../istio-protocol.ts';
import { durationMs, positiveCount } from '../routes/rule-values.ts';
import type { SidecarBounds } from '../scope/sidecar-bounds.ts';
import { circuitBreakersOf, connectTimeoutMs, keepaliveOf } from '../upstreams/connection-pool.ts';
import { millis, parseHostPort, pipeAddress, socketAddress } from '../wire-values.ts';

/** The inbound half of a Sidecar. */
export type InboundBounds = Pick<SidecarBounds, 'ingress' | 'inboundConnectionPool'>;

/** The listener of an application port; undefined where the Sidecar lists others, and the whole of them where it lists none. */
export function ingressOf(bounds: InboundBounds | undefined, targetPort: number): Partial<SidecarIngress> | undefined {
  if (bounds === undefined || bounds.ingress.length === 0) return {};
  return bounds.ingress.find(({ port }) => port.number === targetPort);
}

interface Spoken {
  readonly protocol: ServicePort['protocol'];
  readonly application?: string | undefined;
}

/**
 * A port as the Sidecar has it taken in, beside what it leads to. The sidecars of callers speak HTTP/2 to ports of HTTP, which no
 * application of TCP expects: such a port stays what it is.
 */
export function takenAs<Port extends Spoken>(served: Port, { port }: Partial<SidecarIngress>): Port {
  const asked = (port?.protocol ?? '') === '' ? undefined : protocolOf({ protocol: port?.protocol });
  if (asked === undefined || asked.protocol === 'tcp') return served;
  return { ...served, protocol: asked.protocol, application: asked.application ?? (served.application === 'auto' ? 'auto' : undefined) };
}

/** Where an application port leads: `IP:PORT`, `unix:///PATH`; `0.0.0.0:PORT` and nothing are the workload's own address. */
export function applicationAddress(ingress: Partial<SidecarIngress>, address: string, targetPort: number): Address {
  const text = ingress.defaultEndpoint ?? '';
  if (text.startsWith('unix://')) return pipeAddress(text.slice('unix://'.length));
  const found = parseHostPort(text.startsWith(':') ? `0.0.0.0${text}` : text);
  if (found === undefined) return socketAddress(address, targetPort);
  return socketAddress(['0.0.0.0', '::'].includes(found.address) ? address : found.address, found.port);
}

/** Limits of the connections to the application; a port's own take the place of those for all. */
export function poolFields(bounds: InboundBounds | undefined, ingress: Partial<SidecarIngress>, connectMs: number) {
  const pool: SidecarInboundConnectionPool | undefined = ingress.connectionPool ?? bounds?.inboundConnectionPool;
  const keepalive = keepaliveOf(pool);
  const [requests, streams] = [positiveCount(pool?.http?.maxRequestsPerConnection), positiveCount(pool?.http?.maxConcurrentStreams)];
  return {
    cluster: {
      connectTimeout: millis(connectTimeoutMs(pool, connectMs)),
      circuitBreakers: circuitBreakersOf({ connectionPool: pool }),
      ...(keepalive === undefined ? {} : { upstreamConnectionOptions: keepalive }),
    },
    idleMs: durationMs(pool?.http?.idleTimeout),
    http: requests === undefined ? {} : { maxRequestsPerConnection: requests },
    http2: streams === undefined ? {} : { maxConcurrentStreams: streams },
  };
}
