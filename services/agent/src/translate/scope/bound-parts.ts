/** What the listeners of their own of one scope carry: services, their virtual hosts, and where connections of TCP go. Pure. */
import { type TcpCaller, type TcpPort, tcpPortsOf } from '../listeners/tcp-ports.ts';
import type { EncodedHost } from '../routes/route-config.ts';
import type { CompiledService } from '../services/compiled-service.ts';
import { type BoundEgress, boundEgress, carriedPorts, hostsAt } from './bound-egress.ts';
import { boundedService, type SidecarBounds } from './sidecar-bounds.ts';

/** One listener with what it carries. */
export interface BoundPart {
  readonly egress: BoundEgress;
  /** Keys of the services. */
  readonly services: readonly string[];
  /** Of HTTP. */
  readonly hosts: readonly EncodedHost[];
  /** Where one of TCP leads; without it nothing listens. */
  readonly tcp: TcpPort | undefined;
}

/** The scope, as far as listeners look at it. */
export interface BoundSources {
  /** Those that are exported to it. */
  readonly services: () => readonly CompiledService[];
  /** The virtual hosts of some ports. */
  readonly hostsOf: (compiled: CompiledService, ports: ReadonlySet<number>) => readonly EncodedHost[];
  readonly caller: TcpCaller;
}

/** The listeners that the Sidecar of a scope gives addresses of their own. */
export function boundParts(bounds: SidecarBounds | undefined, sources: BoundSources): readonly BoundPart[] {
  const listeners = boundEgress(bounds);
  if (listeners.length === 0) return [];
  const services = sources.services();
  return listeners.map((egress) => {
    const carried = services.flatMap((compiled) => carriedOf(egress, compiled));
    const isHttp = egress.protocol === 'http';
    return {
      egress,
      services: carried.map(({ compiled }) => compiled.input.key),
      hosts: isHttp ? hostsAt(egress, carried.flatMap(({ compiled, ports }) => sources.hostsOf(compiled, ports)).sort(byName)) : [],
      tcp: isHttp ? undefined : firstTcp(carried, sources.caller),
    };
  });
}

interface Carried {
  readonly compiled: CompiledService;
  readonly ports: ReadonlySet<number>;
}

function carriedOf(egress: BoundEgress, compiled: CompiledService): Carried[] {
  const { view } = compiled;
  const ports = view.hosts.flatMap((host) => carriedPorts(egress, boundedService(view), host.ports));
  return ports.length === 0 ? [] : [{ compiled, ports: new Set(ports.map(({ port }) => port)) }];
}

/** The first service by name has the connections of a listener: nothing tells them apart. */
function firstTcp(carried: readonly Carried[], caller: TcpCaller): TcpPort | undefined {
  const ports = carried.flatMap(({ compiled: { view }, ports: own }) => {
    const host = view.hosts.find(({ short }) => short) ?? view.hosts[0];
    return tcpPortsOf(view, caller).filter((port) => port.host === host?.host && own.has(port.port));
  });
  return ports.sort((a, b) => (`${a.host}:${a.port}` < `${b.host}:${b.port}` ? -1 : 1))[0];
}

function byName(a: EncodedHost, b: EncodedHost): number {
  return a.name < b.name ? -1 : 1;
}
