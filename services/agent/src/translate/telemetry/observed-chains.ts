/** Filter chains with observers, made once and shared for as long as any listener has them. */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { anyIs, anyPack } from '@bufbuild/protobuf/wkt';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { AccessLogSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import {
  type Filter,
  type FilterChain,
  FilterChainSchema,
  FilterSchema,
} from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import {
  Router_UpstreamAccessLogOptionsSchema,
  RouterSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_TracingSchema,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
  RequestIDExtensionSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import {
  TcpProxy_TcpAccessLogOptionsSchema,
  TcpProxySchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { versionOf } from '../encode.ts';
import { applicationPort } from '../names.ts';
import type { AccessLogInit } from './access-logs.ts';
import type { Side } from './effective-telemetry.ts';
import type { HttpObservers, Observers, TcpObservers } from './proxy-telemetry.ts';

/** A chain with its observers. */
export interface ObservedChain {
  /** As a field of a listener: tag, length and message. */
  readonly field: Uint8Array;
  /** Content hash. */
  readonly version: string;
}

/** Who observes a chain. */
export interface Observing {
  readonly side: Side;
  readonly observers: Observers;
}

/** By chain without observers; a field is kept as long as a listener has it. */
type KnownChains = Map<string, { readonly field: WeakRef<Uint8Array>; readonly version: string }>;

const known = new WeakMap<Observers, Readonly<Record<Side, KnownChains>>>();
const unused = new FinalizationRegistry<{ readonly chains: KnownChains; readonly key: string }>(({ chains, key }) => {
  if (chains.get(key)?.field.deref() === undefined) chains.delete(key);
});

/** The chain in a listener's field `number`; `content` is the field without its tag: length and message. */
export function observedChain(number: number, content: Uint8Array, { side, observers }: Observing): ObservedChain {
  const bySide = known.get(observers) ?? { CLIENT: new Map(), SERVER: new Map() };
  known.set(observers, bySide);
  const chains: KnownChains = bySide[side];
  const key = `${number} ${Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1')}`;
  const before = chains.get(key);
  const kept = before?.field.deref();
  if (before !== undefined && kept !== undefined) return { field: kept, version: before.version };
  const chain = fromBinary(FilterChainSchema, new BinaryReader(content).bytes());
  observeChain(chain, { side, observers });
  const field = new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(toBinary(FilterChainSchema, chain)).finish();
  const version = versionOf(field);
  chains.set(key, { field: new WeakRef(field), version });
  unused.register(field, { chains, key });
  return { field, version };
}

function observeChain(chain: FilterChain, { side, observers }: Observing): void {
  const service = side === 'SERVER' ? serviceOf(chain.name) : undefined;
  const isPlain = chain.transportSocket === undefined;
  chain.filters = chain.filters.flatMap((filter) => {
    const config = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    if (config === undefined) return [filter];
    if (anyIs(config, HttpConnectionManagerSchema))
      return observedHttp(filter, side, (port) => observers.http(side, { service, port, isPlain }));
    if (anyIs(config, TcpProxySchema)) return observedTcp(filter, (port) => observers.tcp(side, { service, port, isPlain }));
    return [filter];
  });
}

/** Filter chains of servers are named `PORT.SERVICE.NAMESPACE` (`serverName`). */
function serviceOf(chain: string): ServiceName | undefined {
  const [, service, namespace] = /^\d+\.([^.|]+)\.([^.|]+)/.exec(chain) ?? [];
  return service === undefined || namespace === undefined ? undefined : { service, namespace };
}

function observedHttp(filter: Filter, side: Side, observersAt: (port: number | undefined) => HttpObservers): Filter[] {
  let before: HttpObservers['connectionFilters'] = [];
  const http = changed(filter, HttpConnectionManagerSchema, (manager) => {
    const routes = manager.routeSpecifier.case === 'rds' ? manager.routeSpecifier.value.routeConfigName : '';
    const observers = observersAt(applicationPort(routes));
    before = observers.connectionFilters;
    manager.accessLog.push(...observers.accessLog.map((log) => create(AccessLogSchema, log)));
    manager.httpFilters.unshift(...observers.filters.map((one) => create(HttpFilterSchema, one)));
    logAttempts(manager.httpFilters.at(-1), observers.upstreamLog);
    manager.httpFilters.splice(-1, 0, ...observers.lastFilters.map((one) => create(HttpFilterSchema, one)));
    if (observers.tracing !== undefined) manager.tracing = create(HttpConnectionManager_TracingSchema, observers.tracing);
    const ids = observers.requestIds?.configType.value;
    if (ids !== undefined) manager.requestIdExtension = create(RequestIDExtensionSchema, { typedConfig: ids });
    // A server's proxy keeps the id that the caller's has given to the request: both are of the mesh.
    if (side === 'SERVER') manager.preserveExternalRequestId = true;
  });
  return [...before.map((one) => create(FilterSchema, one)), http];
}

/** The last filter is the router; pool readiness is logged too, so that attempts in progress can be told. */
function logAttempts(router: HttpFilter | undefined, logs: readonly AccessLogInit[]): void {
  if (logs.length === 0 || router?.configType.case !== 'typedConfig') return;
  const config = fromBinary(RouterSchema, router.configType.value.value);
  config.upstreamLog.push(...logs.map((log) => create(AccessLogSchema, log)));
  config.upstreamLogOptions = create(Router_UpstreamAccessLogOptionsSchema, { flushUpstreamLogOnUpstreamStream: true });
  router.configType.value = anyPack(RouterSchema, config);
}

function observedTcp(filter: Filter, observersAt: (port: number | undefined) => TcpObservers): Filter[] {
  let before: TcpObservers['filters'] = [];
  const proxy = changed(filter, TcpProxySchema, (tcp) => {
    const observers = observersAt(applicationPort(tcp.clusterSpecifier.case === 'cluster' ? tcp.clusterSpecifier.value : ''));
    before = observers.filters;
    tcp.accessLog.push(...observers.accessLog.map((log) => create(AccessLogSchema, log)));
    tcp.accessLogOptions = create(TcpProxy_TcpAccessLogOptionsSchema, { flushAccessLogOnConnected: true });
  });
  return [...before.map((one) => create(FilterSchema, one)), proxy];
}

function changed<Desc extends DescMessage>(filter: Filter, schema: Desc, change: (message: MessageShape<Desc>) => void): Filter {
  if (filter.configType.case !== 'typedConfig') return filter;
  const message = fromBinary(schema, filter.configType.value.value);
  change(message);
  return create(FilterSchema, { name: filter.name, configType: { case: 'typedConfig', value: anyPack(schema, message) } });
}
