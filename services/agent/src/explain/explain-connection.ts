/** What becomes of a connection that is no HTTP, by what the proxy is served: listener, filter chain, upstreams. */
import { fromBinary } from '@bufbuild/protobuf';
import { isIpAddress } from '@hawser/model/ip-address.ts';
import type { ExplainRouteResponse, RouteExplanation } from '@hawser/wire/messages.ts';
import type { FilterChain } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { type TcpProxy, TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { CAPTURE, NAMES, OUTBOUND } from '../translate/names.ts';
import { explainedUpstream } from './explained-upstream.ts';
import { chainOfConnection } from './filter-chain-matching.ts';
import { portOf, tcpListenerOf } from './listener-for.ts';
import type { SentConfig } from './sent-config.ts';

/** Explains `tcp://HOST:PORT` and `tls://HOST:PORT`, whose server name is the host. The host may be an address where the workload is captured. */
export function explainConnection(url: URL, config: SentConfig): ExplainRouteResponse {
  const port = Number(url.port);
  if (port === 0) return { error: `${url.href} has no port: write ${url.protocol}//HOST:PORT` };
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const found = listenerOf(url, { host, port }, config);
  if (typeof found === 'string') return { error: found };
  const { listener, address } = found;
  const serverName = url.protocol === 'tls:' && !isIpAddress(host) ? host : undefined;
  const at = listener.name === CAPTURE ? { address, port } : { address, port: portOf(listener) };
  const chain = chainOfConnection(listener, { ...at, serverName });
  if (chain === undefined) return { error: `no filter chain of ${listener.name} takes ${url.host}: the connection is closed` };
  const proxy = tcpProxyOf(chain);
  const name = chain.name === '' ? 'the only one' : chain.name;
  if (proxy === undefined) return { error: `the filter chain ${name} of ${listener.name} takes HTTP: ask for http://${url.host}/` };
  return {
    request: { method: 'CONNECT', scheme: url.protocol.slice(0, -1), authority: url.host, path: '' },
    ...{ listener: listener.name, filterChain: name, routeConfiguration: '', virtualHost: { name: '', domain: '' }, passed: [] },
    taken: [{ share: 100, action: 'forward', effects: [], upstreams: upstreamsOf(proxy, config) }],
  };
}

interface Found {
  readonly listener: Listener;
  /** Where the connection is going, for the listener. */
  readonly address: string;
}

/** A captured workload's connections come to one listener; others call the port that stands for a service, or an edge's own. */
function listenerOf(url: URL, { host, port }: { host: string; port: number }, config: SentConfig): Found | string {
  const captured = config.listeners.find(({ name }) => name === CAPTURE);
  const address = isIpAddress(host) ? host : addressOf(host, config);
  if (captured !== undefined && address !== undefined) return { listener: captured, address };
  const isSidecar = config.listeners.some(({ name }) => name === OUTBOUND);
  const name = tcpListenerOf(url, config);
  const listener = config.listeners.find((one) => (isSidecar ? one.name === name : portOf(one) === port));
  if (listener !== undefined) return { listener, address: boundTo(listener) };
  return `the proxy has no listener for connections to ${url.host}: hawser proxy-config shows those that it has`;
}

function boundTo({ address }: Listener): string {
  return address?.address.case === 'socketAddress' ? address.address.value.address : '';
}

/** What the resolver of a captured workload answers. */
function addressOf(host: string, config: SentConfig): string | undefined {
  const routes = config.routes(NAMES)?.virtualHosts.flatMap((one) => one.routes) ?? [];
  const bodies = routes.flatMap(({ action }) => (action.case === 'directResponse' ? [action.value.body?.specifier] : []));
  const table = bodies.map((body) => (body?.case === 'inlineString' ? body.value : '')).find((text) => text.startsWith('{'));
  const { names = {} } = JSON.parse(table ?? '{}') as { names?: Readonly<Record<string, readonly string[]>> };
  return names[host]?.[0];
}

function tcpProxyOf({ filters }: FilterChain): TcpProxy | undefined {
  const config = filters.at(-1)?.configType;
  if (config?.case !== 'typedConfig' || !config.value.typeUrl.endsWith(TcpProxySchema.typeName)) return undefined;
  return fromBinary(TcpProxySchema, config.value.value);
}

function upstreamsOf({ clusterSpecifier: to }: TcpProxy, config: SentConfig): RouteExplanation['taken'][number]['upstreams'] {
  if (to.case === 'cluster') return [explainedUpstream(to.value, { share: 100, effects: [] }, config)];
  if (to.case !== 'weightedClusters') return [];
  const sum = to.value.clusters.reduce((total, { weight }) => total + weight, 0);
  return to.value.clusters.map(({ name, weight }) =>
    explainedUpstream(name, { share: Math.round((1_000_000 * weight) / sum) / 10_000, effects: [] }, config),
  );
}
