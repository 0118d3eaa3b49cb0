/**
 * What a PeerAuthentication says of callers that are not of the mesh, where the sidecar is in their way: at the ports of a captured
 * workload, and at those that a Sidecar binds. What comes to 15006 itself is of the mesh, and proves who it is whatever a policy says. Pure.
 */
import { PORTS } from '@hawser/model/ports.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { modeAt, type PeerModes } from '../access/peer-modes.ts';
import { INBOUND_PASSTHROUGH_CLUSTER, serverName, UNAVAILABLE_CLUSTER } from '../names.ts';
import { PLAIN_PASSED, PLAIN_REFUSED } from '../telemetry/plain-logs.ts';
import type { Init } from '../wire-values.ts';
import type { ServedPort } from './inbound.ts';
import { inboundTcp } from './inbound-tcp.ts';
import type { OutsidePort } from './outside-ports.ts';

type ChainInit = Init<typeof FilterChainSchema>;

/** What a workload is like. */
export interface Callee {
  readonly served: readonly ServedPort[];
  readonly isCaptured: boolean;
  readonly peers: PeerModes;
}

/** Of the ports that a Sidecar takes in, those that are not STRICT; and of a captured workload those where a policy lets callers come in plain. */
export function openPorts(outside: readonly OutsidePort[], { served, isCaptured, peers }: Callee): OutsidePort[] {
  const open = outside.filter((port) => modeAt(peers, port.served.targetPort) !== 'STRICT');
  if (!isCaptured) return open;
  const taken = new Set([PORTS.inbound, ...outside.map((port) => port.served.targetPort)]);
  const sorted = [...served].sort((a, b) => (serverName(a.port, a.name) < serverName(b.port, b.name) ? -1 : 1));
  const permitted = sorted.flatMap((port): OutsidePort[] => {
    const mode = modeAt(peers, port.targetPort);
    if (mode === undefined || mode === 'STRICT' || taken.has(port.targetPort)) return [];
    taken.add(port.targetPort);
    return [{ served: port, ingress: { port: { number: port.targetPort } }, way: 'captured' }];
  });
  return [...open, ...permitted];
}

/** Chains for ports of a captured workload that are another way than the rest, and are not among the open ones. */
export function otherPorts(open: readonly OutsidePort[], { whole, ports }: PeerModes): ChainInit[] {
  const taken = new Set([PORTS.inbound, ...open.filter(({ way }) => way === 'captured').map(({ served }) => served.targetPort)]);
  return [...ports].flatMap(([port, mode]) => {
    if (taken.has(port) || (mode === 'STRICT') === (whole === 'STRICT')) return [];
    return [{ ...(mode === 'STRICT' ? refusing(`${port}`) : passing(`${port}`)), filterChainMatch: { destinationPort: port } }];
  });
}

/** What becomes of what comes to any other port: STRICT refuses it, else it is let through as if it had not been captured. */
export function elsewhere({ whole }: PeerModes): ChainInit {
  if (whole === 'STRICT') return refusing('inbound');
  return { name: INBOUND_PASSTHROUGH_CLUSTER, filters: [PASSES] };
}

const PASSES = inboundTcp('inbound_passthrough', INBOUND_PASSTHROUGH_CLUSTER, { counted: PLAIN_PASSED });
/** Counted as `tcp.plain_refused`, too. */
const REFUSES = inboundTcp('plain_refused', UNAVAILABLE_CLUSTER, { counted: PLAIN_REFUSED });

function refusing(of: string): ChainInit {
  return { name: `${of}|refused`, filters: [REFUSES] };
}

function passing(of: string): ChainInit {
  return { name: `${of}|passthrough`, filters: [PASSES] };
}
