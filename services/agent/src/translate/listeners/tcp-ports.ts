/** Ports on a proxy's address at which its workload reaches TCP services. */
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { MESH } from '../routes/caller.ts';
import { type ConnectionRoute, connectionRoutes } from '../routes/connection-routes.ts';
import type { ServiceLookup } from '../routes/destinations.ts';
import type { ProxyScope } from '../scope/scope.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';
import { type TcpTimes, tcpTimes } from '../upstreams/connection-pool.ts';
import { isForwarding } from '../upstreams/external-upstreams.ts';
import { hashesSourceIp } from '../upstreams/hash-policy.ts';
import { blocksAt } from '../upstreams/traffic-policy.ts';

/** What policy says of the connections to a TCP port. */
export interface TcpRules {
  /** Where they go in place of the port itself, by VirtualServices. */
  readonly routes?: readonly ConnectionRoute[];
  readonly times?: TcpTimes;
  readonly hashesSourceIp?: boolean;
  /** Whether the proxy fetches the upstreams that it was not sent; that is the proxy's, and no policy's. */
  readonly fetches?: boolean;
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

/** For whom ports are looked at, and how other services are found. */
export interface TcpCaller {
  readonly lookup: ServiceLookup;
  /** Undefined: nobody in particular. */
  readonly scope?: ProxyScope | undefined;
}

/** The TCP ports of a service under each of its hosts. A caller that names no server can only be told apart where it is captured. */
export function tcpPortsOf(view: ServiceView, caller: TcpCaller): TcpPort[] {
  return view.hosts.flatMap((host) => {
    const named = isForwarding(host) ? { isNamed: true as const } : {};
    return host.ports
      .filter(({ protocol, application }) => protocol === 'tcp' && (!isForwarding(host) || application === 'tls'))
      .map(({ port }) => ({ host: host.host, port, ...named, ...tcpRulesOf(view, { host, port }, caller) }));
  });
}

/** What policy says of the connections to one port of a host of a service. */
export function tcpRulesOf(view: ServiceView, { host, port }: { host: HostView; port: number }, { lookup, scope }: TcpCaller): TcpRules {
  const { connectionPool, loadBalancer } = blocksAt(port, view.policies.destination.trafficPolicy);
  const times = tcpTimes(connectionPool);
  const routes = connectionRoutes(view.policies.connections, { caller: { gateway: MESH, scope }, scope: host.scope, port, lookup });
  return {
    ...(Object.keys(times).length === 0 ? {} : { times }),
    ...(hashesSourceIp(loadBalancer) ? { hashesSourceIp: true } : {}),
    ...(routes.length === 0 ? {} : { routes }),
  };
}
