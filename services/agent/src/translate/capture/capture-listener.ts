/** The listener of what the kernel leads to a captured workload's sidecar: it finds out where each connection was going. */
import { create } from '@bufbuild/protobuf';
import { isInRange } from '@hawser/model/address-range.ts';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type {
  FilterChainMatchSchema,
  FilterChainSchema,
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { HttpInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { OriginalDstSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Capture } from '../../state/world.ts';
import { encoded } from '../encode.ts';
import { boundChains } from '../listeners/bound-outbound.ts';
import { routedChains } from '../listeners/connection-chains.ts';
import { outboundHttp, outboundTcp } from '../listeners/outbound-listeners.ts';
import type { TcpRules } from '../listeners/tcp-ports.ts';
import { CAPTURE, OUTBOUND, PASSTHROUGH_CLUSTER, plainUpstreamName, tcpListenerName, UNAVAILABLE_CLUSTER, upstreamName } from '../names.ts';
import type { ConnectionRoute } from '../routes/connection-routes.ts';
import type { BoundPart } from '../scope/bound-parts.ts';
import { UniqueMatches } from '../unique-chains.ts';
import { cidrRange, extension, type Init, millis, socketAddress } from '../wire-values.ts';
import { endpointChains } from './endpoint-chains.ts';
import type { AddressedHost } from './named-hosts.ts';
import { rangeTexts, type VirtualRange } from './virtual-addresses.ts';

type ChainInit = Init<typeof FilterChainSchema>;
type MatchInit = Init<typeof FilterChainMatchSchema>;
type PredicateInit = Init<typeof ListenerFilterChainMatchPredicateSchema>;

/** What callers do not find in the mesh: let through as it is, or refused (Istio's outboundTrafficPolicy). */
export type Elsewhere = 'ALLOW_ANY' | 'REGISTRY_ONLY';

/** What the listener is made of. */
export interface CaptureOptions {
  readonly hosts: readonly AddressedHost[];
  readonly range: VirtualRange;
  readonly elsewhere: Elsewhere;
  /** Whether the sidecar fetches upstreams that it was not sent. */
  readonly fetches: boolean;
  /** What a Sidecar has at addresses of its own. */
  readonly bound: readonly BoundPart[];
  /** Whether some services may not be called so: then there are routes for captured requests alone. */
  readonly isPartial: boolean;
}

/**
 * How long a connection may be silent before it counts as neither HTTP nor TLS. Nothing goes astray by it: a virtual address alone
 * says which service is meant, and everything else is only let through.
 */
const SNIFF_MS = 300;
/** Ports where servers speak first: waiting for the client's first bytes would delay every connection. */
const SERVER_FIRST = [21, 22, 25, 110, 143, 587, 3306];
/** Beyond so many ports the rest waits for `SNIFF_MS` instead. */
const MOST_UNSNIFFED = 200;
/** Without TLS: there, what a client would rather speak is named by the same words. */
const HTTP_SEEN = { applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'], transportProtocol: 'raw_buffer' };

/** The listener; the same bytes for every proxy of one kind of capture. */
export function captureListener(capture: Capture, options: CaptureOptions): XdsResource {
  const v6 = { address: socketAddress('::1', PORTS.capture) };
  const message = create(ListenerSchema, {
    name: CAPTURE,
    address: socketAddress('127.0.0.1', PORTS.capture),
    additionalAddresses: capture === 'dual' ? [v6] : [],
    listenerFilters: listenerFilters(options.hosts),
    listenerFiltersTimeout: millis(SNIFF_MS),
    continueOnListenerFiltersTimeout: true,
    filterChains: filterChains(options),
    defaultFilterChain: { name: 'elsewhere', filters: [outboundTcp(PASSTHROUGH_CLUSTER, elsewhere(options))] },
  });
  return encoded('LDS', CAPTURE, message, ListenerSchema);
}

function elsewhere(options: CaptureOptions): string {
  return options.elsewhere === 'ALLOW_ANY' ? PASSTHROUGH_CLUSTER : UNAVAILABLE_CLUSTER;
}

function listenerFilters(hosts: readonly AddressedHost[]): Init<typeof ListenerFilterSchema>[] {
  const filterDisabled = anyOf(unsniffed(hosts).map(onPort));
  return [
    extension('envoy.filters.listener.original_dst', OriginalDstSchema, {}),
    { ...extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {}), filterDisabled },
    { ...extension('envoy.filters.listener.http_inspector', HttpInspectorSchema, {}), filterDisabled },
  ];
}

/** Ports that carry TCP alone, and those of servers that speak first. A port that somewhere speaks HTTP is looked at everywhere. */
function unsniffed(hosts: readonly AddressedHost[]): number[] {
  const ports = hosts.flatMap((host) => host.ports);
  const looked = new Set(ports.filter(({ protocol, application }) => protocol !== 'tcp' || application === 'tls').map(({ port }) => port));
  const all = new Set([...SERVER_FIRST, ...ports.map(({ port }) => port)]);
  return [...all]
    .filter((port) => !looked.has(port))
    .sort((a, b) => a - b)
    .slice(0, MOST_UNSNIFFED);
}

function onPort(port: number): PredicateInit {
  return { rule: { case: 'destinationPortRange', value: { start: port, end: port + 1 } } };
}

function anyOf(rules: readonly PredicateInit[]): PredicateInit {
  return rules.length === 1 && rules[0] !== undefined ? rules[0] : { rule: { case: 'orMatch', value: { rules: [...rules] } } };
}

/**
 * Envoy looks at the port first and does not come back from it: what holds for all ports is there once for each port that has chains
 * of its own, and once for all others.
 */
function filterChains(options: CaptureOptions): ChainInit[] {
  const own = new Map<number, ChainInit[]>();
  for (const { port, chain } of boundChains(options.bound)) own.set(port, [...(own.get(port) ?? []), chain]);
  for (const host of options.hosts) {
    for (const port of host.ports) {
      const chains = servicePort(host, port, options.fetches);
      if (chains.length > 0) own.set(port.port, [...(own.get(port.port) ?? []), ...chains]);
      for (const { port: called, chain, isAuto } of endpointChains(host, port, options.fetches)) {
        const http = { ...chain, name: `${chain.name}|http`, filterChainMatch: { ...chain.filterChainMatch, ...HTTP_SEEN } };
        const beside = isAuto ? [{ ...http, filters: [outboundHttp(routesElsewhere(options), options.fetches)] }] : [];
        own.set(called, [...(own.get(called) ?? []), ...beside, ...besideHttp(chain)]);
      }
    }
  }
  const ports = [...own].sort(([a], [b]) => a - b);
  return [
    ...distinct(ports.flatMap(([port, chains]) => [...chains, ...common(options, port)])),
    ...common(options, undefined),
    // Called itself, it would call itself for ever.
    {
      name: 'itself',
      filterChainMatch: { destinationPort: PORTS.capture },
      filters: [outboundTcp('itself', UNAVAILABLE_CLUSTER)],
    },
  ];
}

/**
 * Two chains for one connection would make Envoy refuse the listener: the first has it. So has, of hosts that were given one address, the
 * first by name, and before the host that a server name is of the rule that leads it elsewhere.
 */
function distinct(chains: readonly ChainInit[]): ChainInit[] {
  const matches = new UniqueMatches();
  return chains.flatMap((chain) => {
    const filterChainMatch = matches.take((chain.filterChainMatch ?? {}) as MatchInit);
    return filterChainMatch === undefined ? [] : [{ ...chain, filterChainMatch }];
  });
}

/** HTTP for the mesh by its virtual addresses, and by its `Host` wherever it was going. */
function common(options: CaptureOptions, port: number | undefined): ChainInit[] {
  const at = port === undefined ? {} : { destinationPort: port };
  const suffix = port === undefined ? '' : `|${port}`;
  const routes = routesElsewhere(options);
  return [
    {
      name: `virtual${suffix}`,
      filterChainMatch: { ...at, prefixRanges: rangeTexts(options.range).map(cidrRange) },
      filters: [outboundHttp(options.isPartial ? CAPTURE : OUTBOUND, options.fetches)],
    },
    { name: `http${suffix}`, filterChainMatch: { ...at, ...HTTP_SEEN }, filters: [outboundHttp(routes, options.fetches)] },
  ];
}

/** Routes of HTTP that was going to an address which is not virtual. */
function routesElsewhere({ elsewhere: others, isPartial }: CaptureOptions): string {
  return others === 'ALLOW_ANY' || isPartial ? CAPTURE : OUTBOUND;
}

/** What is called by address and port: TCP, TLS also by the name of its server, and what may be HTTP or not. */
function servicePort(host: AddressedHost, port: ServicePort, fetches: boolean): ChainInit[] {
  const name = tcpListenerName(port.port, host.host);
  const there: MatchInit = { destinationPort: port.port, prefixRanges: host.addresses.map(cidrRange) };
  const rules = { ...host.rules?.[port.port], fetches };
  if (port.protocol === 'tcp') return tcpPort(host, port, { there, rules });
  if (port.application !== 'auto' || host.addresses.length === 0) return [];
  return [
    { name: `${name}|http`, filterChainMatch: { ...there, ...HTTP_SEEN }, filters: [outboundHttp(OUTBOUND, fetches)] },
    ...besideHttp({ name, filterChainMatch: there, filters: [outboundTcp(name, plainUpstreamName(port.port, '', host.host), rules)] }),
  ];
}

/** The same for what is no TLS and for the rest: Envoy does not come back from the chains for HTTP, which are for what is no TLS. */
function besideHttp(chain: ChainInit & { readonly name: string }): ChainInit[] {
  const plain = { ...chain.filterChainMatch, transportProtocol: HTTP_SEEN.transportProtocol } as MatchInit;
  return [chain, { ...chain, name: `${chain.name}|plain`, filterChainMatch: plain }];
}

function tcpPort(host: AddressedHost, port: ServicePort, { there, rules }: { there: MatchInit; rules: TcpRules }): ChainInit[] {
  const name = tcpListenerName(port.port, host.host);
  const cluster = host.forwards ? PASSTHROUGH_CLUSTER : upstreamName(port.port, '', host.host);
  const filters = [outboundTcp(name, cluster, rules)];
  const isTls = port.application === 'tls';
  const bySni = { destinationPort: port.port, serverNames: [host.host, ...host.aliases], transportProtocol: 'tls' };
  return [
    ...ruledChains(name, { host, isTls, there, rules }),
    // A host whose connections go where they were going is its port, wherever it is called, unless TLS can tell.
    ...(host.addresses.length > 0 || (host.forwards && !isTls) ? besideHttp({ name, filterChainMatch: there, filters }) : []),
    ...(isTls ? [{ name: `${name}|sni`, filterChainMatch: bySni, filters }] : []),
  ];
}

/** What VirtualServices lead elsewhere, at the host's addresses; by server name wherever the connection was going. */
function ruledChains(
  name: string,
  { host, isTls, there, rules }: { host: AddressedHost; isTls: boolean; there: MatchInit; rules: TcpRules },
): ChainInit[] {
  const port = there.destinationPort ?? 0;
  const meant = (rules.routes ?? []).map((route) => ({ route, addresses: meantBy(route, host.addresses) }));
  const routes = meant.filter(({ route, addresses }) => route.destinations === undefined || addresses.length > 0).map(({ route }) => route);
  const here = meant.flatMap(({ route: { destinations: _destinations, ...route }, addresses }) => {
    if (addresses.length === 0) return [];
    return [host.addresses.every((address) => addresses.includes(address)) ? route : { ...route, destinations: addresses }];
  });
  const named = isTls ? routes.filter(({ serverNames }) => serverNames !== undefined) : [];
  return [
    ...routedChains(name, { ...rules, routes: here }, there).flatMap((chain) => (asksForTls(chain) ? [chain] : besideHttp(chain))),
    ...routedChains(`${name}|sni`, { ...rules, routes: named }, { destinationPort: port }),
  ];
}

/** Of a host's addresses what a rule is for: all that its ranges have, and ranges within one that is a range itself. */
function meantBy({ destinations }: ConnectionRoute, addresses: readonly string[]): readonly string[] {
  if (destinations === undefined) return addresses;
  const parts = addresses.flatMap((address) =>
    destinations.flatMap((range) => (isInRange(address, range) ? [address] : isInRange(range, address) ? [range] : [])),
  );
  return [...new Set(parts)];
}

function asksForTls({ filterChainMatch }: ChainInit): boolean {
  return filterChainMatch?.transportProtocol === 'tls';
}
