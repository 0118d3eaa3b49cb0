/** What captured workloads call by name: the hosts of the mesh, their ports and the addresses that stand for them. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import { type TcpCaller, type TcpRules, tcpRulesOf } from '../listeners/tcp-ports.ts';
import type { HeadlessService } from '../services/clusterset-service.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';
import { isForwarding } from '../upstreams/external-upstreams.ts';
import { isVirtual, type VirtualRange, virtualAddresses } from './virtual-addresses.ts';

/** A host and what it may be called by. */
export interface NamedHost {
  readonly host: string;
  /** Other names of it. */
  readonly aliases: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Whether connections go where they were going: then no address stands for the host, and only its TLS or its HTTP names it. */
  readonly forwards: boolean;
  /** Addresses that its owner gave it, to be used in place of a virtual one; none for most. */
  readonly given: readonly string[];
  /** Whether DNS tells its ports (SRV), as that of the clusterset does and that of a cluster alone is left to. */
  readonly tellsPorts?: true;
  /** Its endpoints stand for themselves. */
  readonly headless?: HeadlessService;
  /** Whether an address of IPv6 stands for it beside that of IPv4. */
  readonly hasIpv6?: true;
  /** What policy says of connections, by port; ports without a word are left out. */
  readonly rules?: Readonly<Record<number, TcpRules>>;
}

/** A host with the addresses that callers are told. */
export interface AddressedHost extends NamedHost {
  readonly addresses: readonly string[];
}

/** The hosts of a service. `SERVICE.NAMESPACE.svc` is the one that the short name means. */
export function namedHosts(view: ServiceView, caller: TcpCaller): NamedHost[] {
  return view.hosts.map((one) => ({
    host: one.host,
    aliases: one.short ? [`${view.name.service}.${view.name.namespace}.svc`] : [],
    ports: one.ports,
    forwards: isForwarding(one),
    given: one.external?.addresses ?? [],
    ...(one.scope === 'clusterset' ? { tellsPorts: true as const } : {}),
    ...(one.headless === undefined ? {} : { headless: one.headless }),
    ...(one.hasIpv6 === true ? { hasIpv6: one.hasIpv6 } : {}),
    ...rulesOf(view, one, caller),
  }));
}

function rulesOf(view: ServiceView, host: HostView, caller: TcpCaller): Pick<NamedHost, 'rules'> {
  const { destination, connections } = view.policies;
  if (destination.trafficPolicy === undefined && connections.length === 0) return {};
  const rules = host.ports
    .map(({ port }) => [port, tcpRulesOf(view, { host, port }, caller)] as const)
    .filter(([, said]) => Object.keys(said).length > 0);
  return rules.length === 0 ? {} : { rules: Object.fromEntries(rules) };
}

/**
 * Hosts with their addresses, in the order of their names. None stands for a wildcard, for a host whose connections go where they were
 * going, and for what the range has no room for. Addresses that are `held` are those of ServiceImports.
 */
export function addressed(hosts: readonly NamedHost[], range: VirtualRange, held?: ReadonlyMap<string, string>): AddressedHost[] {
  const virtual = virtualAddresses(
    hosts.filter(({ given, host, forwards }) => given.length === 0 && !forwards && !host.startsWith('*')).map(({ host }) => host),
    range,
    held,
  );
  const all = hosts.map((host) => ({ ...host, addresses: addressesOf(host, virtual.get(host.host), range) }));
  return all.sort((a, b) => (a.host < b.host ? -1 : 1));
}

/** CIDR ranges are matched, but no name resolves to one: a range as an address is left to the caller's own resolver. */
function addressesOf({ given, hasIpv6 }: NamedHost, address: string | undefined, range: VirtualRange): readonly string[] {
  if (given.length > 0) return [...given].sort();
  if (address === undefined) return [];
  return hasIpv6 === true && isVirtual(address, range) ? [address, ipv6Twin(address)] : [address];
}
