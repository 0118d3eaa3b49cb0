/** Ports on a proxy's address at which its workload reaches TCP services. */
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { type TcpTimes, tcpTimes } from './connection-pool.ts';
import { isForwarding } from './external-upstreams.ts';
import { hashesSourceIp } from './hash-policy.ts';
import type { ServiceView } from './service-view.ts';
import { blocksAt } from './traffic-policy.ts';

/** What DestinationRules say of the connections to a TCP port. */
export interface TcpRules {
  readonly times?: TcpTimes;
  readonly hashesSourceIp?: boolean;
}

/** A TCP service port under one host name. */
export interface TcpPort extends TcpRules {
  readonly host: string;
  readonly port: number;
  /** Whether the caller names the server, in the server name of its TLS. */
  readonly isNamed?: true;
}

export interface TcpService extends TcpPort {
  readonly listenerPort: number;
}

const FIRST_PORT = 16_000;
const PORT_COUNT = 4_000;

/**
 * Gives each a port of 16000 to 19999 by the hash of its name, the next free one when it is taken; the same in every
 * cluster that has the same services. Beyond 4,000 services the last ones by name get none.
 */
export function allocateTcpPorts(services: readonly TcpPort[]): TcpService[] {
  const taken = new Set<number>();
  const sorted = [...services].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, PORT_COUNT);
  return sorted.map((service) => {
    let slot = Number.parseInt(sha256(nameOf(service)).slice(0, 8), 16) % PORT_COUNT;
    while (taken.has(slot)) slot = (slot + 1) % PORT_COUNT;
    taken.add(slot);
    return { ...service, listenerPort: FIRST_PORT + slot };
  });
}

function nameOf(service: TcpPort): string {
  return `${service.host}:${service.port}`;
}

/** The TCP ports of a service under each of its hosts. A caller that names no server can only be told apart where it is captured. */
export function tcpPortsOf(view: ServiceView): TcpPort[] {
  return view.hosts.flatMap((host) =>
    host.ports
      .filter(({ protocol, application }) => protocol === 'tcp' && (!isForwarding(host) || application === 'tls'))
      .map(({ port }) => ({ host: host.host, port, ...(isForwarding(host) ? { isNamed: true as const } : {}), ...tcpRulesOf(view, port) })),
  );
}

/** What DestinationRules say of the connections to one port of a service. */
export function tcpRulesOf(view: ServiceView, port: number): TcpRules {
  const { connectionPool, loadBalancer } = blocksAt(port, view.policies.destination.trafficPolicy);
  const times = tcpTimes(connectionPool);
  return { ...(Object.keys(times).length === 0 ? {} : { times }), ...(hashesSourceIp(loadBalancer) ? { hashesSourceIp: true } : {}) };
}
