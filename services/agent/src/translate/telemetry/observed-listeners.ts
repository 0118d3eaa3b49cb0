/** Puts the observers of a proxy on its listeners, whoever built them and whatever they are for. */
import { create, type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { anyIs, anyPack } from '@bufbuild/protobuf/wkt';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { AccessLogSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import { type Filter, type FilterChain, FilterSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import {
  HttpConnectionManager_TracingSchema,
  HttpConnectionManagerSchema,
  HttpFilterSchema,
  RequestIDExtensionSchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import {
  TcpProxy_TcpAccessLogOptionsSchema,
  TcpProxySchema,
} from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { isInboundName } from '../names.ts';
import type { Side } from './effective-telemetry.ts';
import type { ProxyTelemetry } from './proxy-telemetry.ts';

/** Listeners with observers, all other resources as they are, and what the observers need. */
export function observedAll(resources: readonly XdsResource[], telemetry: ProxyTelemetry): XdsResource[] {
  return [...resources.map((resource) => observed(resource, telemetry)), ...telemetry.resources];
}

/** What comes from the mesh is the server's side; whatever else a proxy listens for is the caller's, clients of an edge too (Istio). */
function observed(resource: XdsResource, telemetry: ProxyTelemetry): XdsResource {
  if (resource.type !== 'LDS') return resource;
  const listener = fromBinary(ListenerSchema, resource.bytes);
  const side: Side = isInboundName(listener.name) ? 'SERVER' : 'CLIENT';
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain === undefined ? [] : [listener.defaultFilterChain])];
  for (const chain of chains) observeChain(chain, side, telemetry);
  return encoded('LDS', listener.name, listener, ListenerSchema);
}

function observeChain(chain: FilterChain, side: Side, telemetry: ProxyTelemetry): void {
  const service = side === 'SERVER' ? serviceOf(chain.name) : undefined;
  chain.filters = chain.filters.flatMap((filter) => {
    const config = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    if (config === undefined) return [filter];
    if (anyIs(config, HttpConnectionManagerSchema)) return [observedHttp(filter, side, telemetry.http(side, service))];
    if (anyIs(config, TcpProxySchema)) return observedTcp(filter, telemetry.tcp(side, service));
    return [filter];
  });
}

/** Filter chains of servers are named `PORT.SERVICE.NAMESPACE` (`serverName`). */
function serviceOf(chain: string): ServiceName | undefined {
  const [, service, namespace] = /^\d+\.([^.|]+)\.([^.|]+)/.exec(chain) ?? [];
  return service === undefined || namespace === undefined ? undefined : { service, namespace };
}

function observedHttp(filter: Filter, side: Side, observers: ReturnType<ProxyTelemetry['http']>): Filter {
  return changed(filter, HttpConnectionManagerSchema, (manager) => {
    manager.accessLog.push(...observers.accessLog.map((log) => create(AccessLogSchema, log)));
    manager.httpFilters.unshift(...observers.filters.map((one) => create(HttpFilterSchema, one)));
    manager.httpFilters.splice(-1, 0, ...observers.lastFilters.map((one) => create(HttpFilterSchema, one)));
    if (observers.tracing !== undefined) manager.tracing = create(HttpConnectionManager_TracingSchema, observers.tracing);
    const ids = observers.requestIds?.configType.value;
    if (ids !== undefined) manager.requestIdExtension = create(RequestIDExtensionSchema, { typedConfig: ids });
    // A server's proxy keeps the id that the caller's has given to the request: both are of the mesh.
    if (side === 'SERVER') manager.preserveExternalRequestId = true;
  });
}

function observedTcp(filter: Filter, observers: ReturnType<ProxyTelemetry['tcp']>): Filter[] {
  const proxy = changed(filter, TcpProxySchema, (tcp) => {
    tcp.accessLog.push(...observers.accessLog.map((log) => create(AccessLogSchema, log)));
    tcp.accessLogOptions = create(TcpProxy_TcpAccessLogOptionsSchema, { flushAccessLogOnConnected: true });
  });
  return [...observers.filters.map((one) => create(FilterSchema, one)), proxy];
}

function changed<Desc extends DescMessage>(filter: Filter, schema: Desc, change: (message: MessageShape<Desc>) => void): Filter {
  if (filter.configType.case !== 'typedConfig') return filter;
  const message = fromBinary(schema, filter.configType.value.value);
  change(message);
  return create(FilterSchema, { name: filter.name, configType: { case: 'typedConfig', value: anyPack(schema, message) } });
}
