/** Listeners for what a workload calls: one for HTTP, one for each TCP service port. */
import { create } from '@bufbuild/protobuf';
import { PORTS } from '@hawser/model/ports.ts';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { CorsSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { FilterConfigSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts';
import { HTTPFaultSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { OnDemandSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.ts';
import { RouterSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import {
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
  type ResponseMapperSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { FilterConfigSchema as SniFilterConfigSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts';
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { ProxyRef } from '../../state/world.ts';
import { encoded } from '../encode.ts';
import { OUTBOUND, tcpListenerName, upstreamName } from '../names.ts';
import type { WeightedUpstream } from '../routes/connection-routes.ts';
import { CORS_FILTER, FAULT_FILTER } from '../routes/route-filters.ts';
import { FORWARD_CACHE } from '../upstreams/external-upstreams.ts';
import { ADS, extension, type Init, millis, socketAddress } from '../wire-values.ts';
import { routedChains, takesAll } from './connection-chains.ts';
import type { TcpPort, TcpRules, TcpService } from './tcp-ports.ts';

/**
 * Where a workload calls its sidecar. Calls are plain and go out under the workload's identity, so beyond loopback addresses they are
 * taken on loopback alone: nobody else on the network speaks in its name. Where several workloads share a machine each sidecar says where.
 * An outbound gateway is there for others.
 */
export function callersAddress({
  address,
  outboundAddress,
  outboundGateway,
}: Pick<ProxyRef, 'address' | 'outboundAddress' | 'outboundGateway'>): string {
  if (outboundGateway === true) return address;
  if (outboundAddress !== undefined) return outboundAddress;
  if (/^127\./.test(address) || address === '::1') return address;
  return address.includes(':') ? '::1' : '127.0.0.1';
}

/** How long a request, or a connection, waits for an upstream that is fetched for it; then it is answered 503, or closed. */
const FETCH_MS = 5_000;

const FETCHING = extension('envoy.filters.http.on_demand', OnDemandSchema, { odcds: { source: ADS, timeout: millis(FETCH_MS) } });

/** Says why: an upstream that is not there was not given by the agent. */
const NOT_FETCHED: Init<typeof ResponseMapperSchema> = {
  filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['NC'] } } },
  body: { specifier: { case: 'inlineString', value: 'hawser: the agent did not give the upstream of this service in time\n' } },
};

/**
 * The listener that takes every HTTP call of a workload at the address where it calls its sidecar, and `fetches` the upstreams that its sidecar was not sent; the
 * same for all workloads that are called at one.
 */
export function outboundListener(at: string, fetches = false): XdsResource {
  const chain = fetches ? FETCHING_CHAIN : OUTBOUND_CHAIN;
  return calledAt(chain, at, () => {
    const message = create(ListenerSchema, {
      name: OUTBOUND,
      address: socketAddress(at, PORTS.outbound),
      filterChains: [chain],
    });
    return encoded('LDS', OUTBOUND, message, ListenerSchema);
  });
}

/** Takes HTTP calls of the workload, by the named route configuration; `fetches` upstreams that are not there. */
export function outboundHttp(routes: string, fetches = false): ReturnType<typeof extension> {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: OUTBOUND,
    routeSpecifier: { case: 'rds', value: { routeConfigName: routes, configSource: ADS } },
    httpFilters: [
      // The first of all: the request begins anew when its upstream is there.
      ...(fetches ? [FETCHING] : []),
      // Idle until a route configures them: adding one later would drain the listener (DATAPATH.md D).
      extension(CORS_FILTER, CorsSchema, {}),
      extension(FAULT_FILTER, HTTPFaultSchema, {}),
      // Finds the servers that callers name; any other request passes it untouched.
      extension('envoy.filters.http.dynamic_forward_proxy', FilterConfigSchema, {
        implementationSpecifier: { case: 'dnsCacheConfig', value: FORWARD_CACHE },
      }),
      extension('envoy.filters.http.router', RouterSchema, {}),
    ],
    ...(fetches ? { localReplyConfig: { mappers: [NOT_FETCHED] } } : {}),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    normalizePath: true,
    streamIdleTimeout: millis(300_000),
  });
}

/** All callers have the same, but for those that fetch upstreams. */
const OUTBOUND_CHAIN = create(FilterChainSchema, { filters: [outboundHttp(OUTBOUND)] });
const FETCHING_CHAIN = create(FilterChainSchema, { filters: [outboundHttp(OUTBOUND, true)] });

/** By the service: the same object each time, because its listener is known by it. */
const fetching = new WeakMap<TcpService, TcpService>();

function fetched(service: TcpService): TcpService {
  const known = fetching.get(service) ?? { ...service, fetches: true };
  fetching.set(service, known);
  return known;
}

/** The listener of a TCP service at the address where a workload calls its sidecar; the same for all that are called at one. */
export function tcpListener(at: string, called: TcpService, fetches = false): XdsResource {
  const service = fetches ? fetched(called) : called;
  return calledAt(service, at, () =>
    connectionListener(tcpListenerName(service.port, service.host), socketAddress(at, service.listenerPort), service),
  );
}

/** A listener that takes connections to a TCP port. */
export function connectionListener(name: string, address: Address, service: TcpPort): XdsResource {
  const proxy = outboundTcp(name, upstreamName(service.port, '', service.host), service);
  return encoded('LDS', name, create(ListenerSchema, { name, address, ...chains(service, proxy) }), ListenerSchema);
}

/** By what is called, and where: beyond loopback addresses, of which a machine has few, there are two. */
const known = new WeakMap<object, Map<string, XdsResource>>();

function calledAt(what: object, at: string, make: () => XdsResource): XdsResource {
  const listeners = known.get(what) ?? new Map<string, XdsResource>();
  known.set(what, listeners);
  const listener = listeners.get(at) ?? make();
  listeners.set(at, listener);
  return listener;
}

/**
 * What VirtualServices lead elsewhere, then the port itself. Where the caller names the server, only TLS that asks for the host, or
 * for one that a wildcard means, is let through, and goes there.
 */
function chains(service: TcpPort, proxy: ReturnType<typeof extension>): Init<typeof ListenerSchema> {
  const { host, port, isNamed, routes = [] } = service;
  const routed = routedChains(tcpListenerName(port, host), service);
  const isTaken = routes.some((route) => takesAll(route) || (isNamed === true && route.serverNames?.includes(host)));
  const named = { filterChainMatch: { serverNames: [host] }, filters: [namedServer(port), proxy] };
  const own = isNamed === undefined ? { filters: [proxy] } : named;
  const filterChains = isTaken ? routed : [...routed, own];
  const looksForNames = isNamed === true || routes.some(({ serverNames }) => serverNames !== undefined);
  if (!looksForNames) return { filterChains };
  const listenerFilters = [extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {})];
  if (isNamed === true) return { listenerFilters, filterChains };
  // A server may speak first: then there is nothing to find, and nothing to wait for.
  return { listenerFilters, filterChains, listenerFiltersTimeout: millis(SNIFF_MS), continueOnListenerFiltersTimeout: true };
}

const SNIFF_MS = 300;

/** Looks up the server that the caller's TLS asks for, so that an upstream of forwarded connections finds it. */
export function namedServer(port: number): ReturnType<typeof extension> {
  return extension('envoy.filters.network.sni_dynamic_forward_proxy', SniFilterConfigSchema, {
    dnsCacheConfig: FORWARD_CACHE,
    portSpecifier: { case: 'portValue', value: port },
  });
}

/**
 * An address that fails three times is ejected, and the next attempt goes to another, in another region where need be. The ejection takes
 * effect a moment later: attempts without a pause would all be over by then.
 */
const CONNECT_ATTEMPTS = 6;

/** Takes a connection of the workload to an upstream, as DestinationRules want it. */
export function outboundTcp(statPrefix: string, cluster: string, rules: TcpRules = {}): ReturnType<typeof extension> {
  return outboundSplit(statPrefix, [{ name: cluster, weight: 1 }], rules);
}

/** Takes connections of the workload to one of several upstreams, by their weights. */
export function outboundSplit(statPrefix: string, clusters: readonly WeightedUpstream[], rules: TcpRules): ReturnType<typeof extension> {
  const [only, ...others] = clusters;
  const clusterSpecifier: Init<typeof TcpProxySchema>['clusterSpecifier'] =
    only !== undefined && others.length === 0
      ? { case: 'cluster', value: only.name }
      : { case: 'weightedClusters', value: { clusters: [...clusters] } };
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    ...{ statPrefix, clusterSpecifier, maxConnectAttempts: CONNECT_ATTEMPTS },
    backoffOptions: { baseInterval: millis(20), maxInterval: millis(200) },
    ...policed(rules),
  });
}

/** What a DestinationRule says of the connections, and whether their upstream is fetched. Envoy's own: an hour of idleness, no longest time. */
function policed({ times = {}, hashesSourceIp = false, fetches = false }: TcpRules): Init<typeof TcpProxySchema> {
  return {
    ...(times.idleMs === undefined ? {} : { idleTimeout: millis(times.idleMs) }),
    ...(times.longestMs === undefined ? {} : { maxDownstreamConnectionDuration: millis(times.longestMs) }),
    ...(fetches ? { onDemand: { odcdsConfig: ADS, timeout: millis(FETCH_MS) } } : {}),
    ...(hashesSourceIp ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
  };
}
