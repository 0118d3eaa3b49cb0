/** What a Sidecar says of the way to its own application: which ports are taken in, where they lead, and how many at a time. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { SidecarInboundConnectionPool, SidecarIngress } from '@hawser/model/istio/specs.ts';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { protocolOf } from '../istio-protocol.ts';
import type { SidecarBounds } from '../scope/sidecar-bounds.ts';
import { parseHostPort, pipeAddress, socketAddress } from '../wire-values.ts';

/** The inbound half of a Sidecar. */
export type InboundBounds = Pick<SidecarBounds, 'ingress' | 'inboundConnectionPool' | 'namespace'>;

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

/** How a port gets what callers outside of the mesh send to it: led here by the kernel, or at an address of its own. */
export type OutsideWay = 'captured' | 'bound';

/**
 * The way of a port; undefined: its application is called directly. Without a word the environment decides (Istio's DEFAULT): all of a
 * captured workload is led here, and any other has a listener where the Sidecar gives one an address or certificates.
 */
export function outsideWay(
  { captureMode = 'DEFAULT', bind = '', tls }: Partial<SidecarIngress>,
  isCaptured: boolean,
): OutsideWay | undefined {
  if (captureMode === 'NONE') return 'bound';
  if (isCaptured) return 'captured';
  return captureMode === 'DEFAULT' && (bind !== '' || tls !== undefined) ? 'bound' : undefined;
}

/** The workload itself, as its sidecar reaches it. */
export interface Workload {
  readonly address: string;
  readonly isCaptured: boolean;
}

/**
 * Where an application port leads: `IP:PORT`, `unix:///PATH`; `0.0.0.0:PORT` and nothing are the workload's own address, or loopback
 * where the sidecar itself has that port there.
 */
export function applicationAddress(ingress: Partial<SidecarIngress>, { address, isCaptured }: Workload, targetPort: number): Address {
  const text = ingress.defaultEndpoint ?? '';
  if (text.startsWith('unix://')) return pipeAddress(text.slice('unix://'.length));
  const found = parseHostPort(text.startsWith(':') ? `0.0.0.0${text}` : text);
  const [host, port] = [found === undefined || WILDCARDS.includes(found.address) ? address : found.address, found?.port ?? targetPort];
  const { bind = '' } = ingress;
  const isItself =
    host === address && port === targetPort && outsideWay(ingress, isCaptured) === 'bound' && ['', address, ...WILDCARDS].includes(bind);
  return socketAddress(isItself ? (address.includes(':') ? '::1' : '127.0.0.1') : host, port);
}

const WILDCARDS = ['0.0.0.0', '::'];

/** What bounds the connections to the application: a port's own settings take the place of those for all. */
export function poolOf(bounds: InboundBounds | undefined, ingress: Partial<SidecarIngress>): SidecarInboundConnectionPool | undefined {
  return ingress.connectionPool ?? bounds?.inboundConnectionPool;
}
