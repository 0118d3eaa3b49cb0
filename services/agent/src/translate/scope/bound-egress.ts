/** Listeners of their own for what a workload calls, as the egress of a Sidecar has them (Istio's `bind` and `captureMode`). Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { boundOutboundName } from '../names.ts';
import { isHttpPort } from '../routes/destinations.ts';
import { portOfHost, renamedHost } from '../routes/renamed-hosts.ts';
import type { EncodedHost } from '../routes/route-config.ts';
import { type BoundedService, type EgressBounds, isMeant, isUnixBind, type SidecarBounds } from './sidecar-bounds.ts';

/** Who comes to such a listener: callers who speak to it themselves, connections that the kernel led here, or who the environment has. */
type BoundWay = 'called' | 'captured' | 'either';

/** One such listener. */
export interface BoundEgress {
  /** Of the listener, and of its routes. */
  readonly name: string;
  /** `unix:///PATH`, `unix://@NAME`, an IP address, or nothing: loopback. */
  readonly bind: string;
  /** 0: a Unix domain socket. */
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly way: BoundWay;
  readonly egress: EgressBounds;
}

/** The listeners of their own; none for most callers. */
export function boundEgress(bounds: SidecarBounds | undefined): readonly BoundEgress[] {
  return (bounds?.egress ?? []).flatMap((egress) => {
    const { bind = '', captureMode = 'DEFAULT' } = egress.listener;
    const isUnix = isUnixBind(bind);
    if (!isUnix && (egress.port === undefined || (bind === '' && captureMode !== 'NONE'))) return [];
    const way = isUnix || captureMode === 'NONE' ? 'called' : captureMode === 'IPTABLES' ? 'captured' : 'either';
    const port = isUnix ? 0 : (egress.port ?? 0);
    return [{ name: boundOutboundName(bind, port), bind, port, protocol: egress.protocol ?? 'http', way, egress }];
  });
}

/** Whether a listener is bound by the sidecar of such a workload; if not, it may be a part of what takes captured connections. */
export function isCalled({ way }: BoundEgress, isCaptured: boolean): boolean {
  return way === 'called' || (way === 'either' && !isCaptured);
}

/** The ports of a service that a listener carries: its own one, or the only one of a service that does not have it. */
export function carriedPorts(
  { egress, port, protocol }: BoundEgress,
  service: BoundedService,
  ports: readonly ServicePort[],
): ServicePort[] {
  if (!egress.hosts.some((host) => isMeant(host, service))) return [];
  const spoken = ports.filter((one) => isHttpPort(one) === (protocol === 'http'));
  const own = spoken.filter((one) => one.port === port);
  return port === 0 || own.length > 0 ? (port === 0 ? spoken : own) : ports.length === 1 ? spoken : [];
}

/** Virtual hosts as a listener has them: its port is the one that is meant by a name without a port, and the only one that is. */
export function hostsAt({ port }: BoundEgress, hosts: readonly EncodedHost[]): EncodedHost[] {
  const taken = new Set<string>();
  return hosts.flatMap((host) => {
    const own = portOfHost(host);
    const names = [...new Set(host.domains.map((domain) => withoutPort(domain, own)))];
    const isOnly = port !== 0 || hosts.filter((one) => hostIn(one) === hostIn(host)).length === 1;
    const wanted = isOnly ? names.flatMap((name) => [name, `${name}:${port === 0 ? own : port}`]) : host.domains;
    const domains = wanted.filter((domain) => !taken.has(domain));
    for (const domain of domains) taken.add(domain);
    return domains.length === 0 ? [] : [renamedHost(host, host.name, domains)];
  });
}

function withoutPort(domain: string, port: number): string {
  return domain.endsWith(`:${port}`) ? domain.slice(0, -`:${port}`.length) : domain;
}

function hostIn({ name }: EncodedHost): string {
  return name.slice(0, name.lastIndexOf(':'));
}
