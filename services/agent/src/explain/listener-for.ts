/** Which of a proxy's listeners takes a request, and by which routes. */
import { fromBinary } from '@bufbuild/protobuf';
import type { FilterChain } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfiguration } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { OUTBOUND, tcpListenerName } from '../translate/names.ts';
import type { SentConfig } from './sent-config.ts';

/** A listener, how it takes HTTP, and the routes of that. */
export interface FoundListener {
  readonly listener: string;
  readonly http: HttpConnectionManager;
  readonly routes: RouteConfiguration;
}

/**
 * The listener of a sidecar's calls when there is one, which takes all HTTP of its workload; else, at the edge, the one at the port of
 * the URL, by its server name if it has TLS. A string says what is missing.
 */
export function listenerFor(url: URL, config: SentConfig): FoundListener | string {
  const outbound = config.listeners.find(({ name }) => name === OUTBOUND);
  if (outbound !== undefined) {
    if (url.protocol !== 'http:') return connectionsText('a sidecar does not read TLS');
    const tcp = tcpListenerOf(url, config);
    if (tcp !== undefined) return connectionsText(`${url.host} is no HTTP to the proxy: its listener ${tcp} takes TCP`);
    return found(outbound, outbound.filterChains[0], config);
  }
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const listener = config.listeners.find((one) => portOf(one) === port);
  if (listener === undefined) {
    const known = config.listeners.map((one) => `${one.name} at ${portOf(one)}`).join(', ');
    return `the proxy listens for nothing at port ${port}; it has ${known === '' ? 'no listener' : known}`;
  }
  return found(listener, chainFor(listener, url), config);
}

/** What is said of connections that are asked for as if they were requests. */
function connectionsText(why: string): string {
  return `${why}: ask for tcp://HOST:PORT, or for tls://HOST:PORT by its server name`;
}

/** The TCP listener of a host and port, if the proxy has one; a name such as `SERVICE.NAMESPACE` is the beginning of it. */
export function tcpListenerOf({ hostname, port }: URL, { listeners }: SentConfig): string | undefined {
  const prefix = tcpListenerName(Number(port) || 80, hostname);
  const isBeginning = hostname.includes('.');
  return listeners.find(({ name }) => name === prefix || (isBeginning && name.startsWith(`${prefix}.`)))?.name;
}

function found(listener: Listener, chain: FilterChain | undefined, config: SentConfig): FoundListener | string {
  const filter = chain?.filters.find(
    ({ configType }) => configType.case === 'typedConfig' && configType.value.typeUrl.endsWith(HttpConnectionManagerSchema.typeName),
  );
  if (filter === undefined || filter.configType.case !== 'typedConfig')
    return connectionsText(`the listener ${listener.name} does not take this as HTTP`);
  const http = fromBinary(HttpConnectionManagerSchema, filter.configType.value.value);
  const { routeSpecifier: specifier } = http;
  const name = specifier.case === 'rds' ? specifier.value.routeConfigName : '';
  const routes = specifier.case === 'routeConfig' ? specifier.value : config.routes(name);
  return routes === undefined
    ? `the proxy was not sent the routes ${name} of its listener ${listener.name}`
    : { listener: listener.name, http, routes };
}

/** By server name as Envoy picks it: the exact one, the longest wildcard, then chains that ask for none. */
function chainFor(listener: Listener, url: URL): FilterChain | undefined {
  const isTls = url.protocol === 'https:';
  const chains = listener.filterChains.filter(({ transportSocket }) => (transportSocket !== undefined) === isTls);
  const named = (name: string): FilterChain | undefined =>
    chains.find(({ filterChainMatch }) => filterChainMatch?.serverNames.includes(name));
  const parts = url.hostname.split('.');
  const wildcards = parts.slice(1).map((_, index) => `*.${parts.slice(index + 1).join('.')}`);
  const bySni = isTls ? [url.hostname, ...wildcards].map(named).find((chain) => chain !== undefined) : undefined;
  return bySni ?? chains.find(({ filterChainMatch }) => (filterChainMatch?.serverNames ?? []).length === 0) ?? listener.defaultFilterChain;
}

/** The port that a listener is bound to; 0 for a Unix domain socket. */
export function portOf({ address }: Listener): number {
  const at = address?.address;
  return at?.case === 'socketAddress' && at.value.portSpecifier.case === 'portValue' ? at.value.portSpecifier.value : 0;
}
