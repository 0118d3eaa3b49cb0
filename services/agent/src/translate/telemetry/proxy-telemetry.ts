/** What one proxy logs, traces and counts, ready to be put on its listeners, with the resources that needs. */
import { BUILT_IN_LOG } from '@hawser/model/provider-references.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { HeaderValueOption_HeaderAppendAction } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { HeaderMutationSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts';
import type { HttpConnectionManager_TracingSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { decisionFilters, decisionsFor } from '../extension/ext-authz.ts';
import { pluginFilters, pluginsFor, pluginUpstreams } from '../extension/wasm-plugins.ts';
import { extension, type Init } from '../wire-values.ts';
import { type AccessLogInit, accessLogs, isSwitched } from './access-logs.ts';
import { metricOverrides, type Side, telemetryFor, wantedLogs, wantedTracing } from './effective-telemetry.ts';
import { type ExtensionPolicies, providerNamed, type Workload } from './extension-policies.ts';
import { httpMetrics, tcpMetrics } from './istio-metrics.ts';
import { destinationLabels, PEER_HEADERS, peerOf, sourceLabels } from './labels.ts';
import { httpSwitch, logSwitch, tcpSwitch } from './log-switch.ts';
import { type ProviderWorld, providerUpstream } from './provider-upstreams.ts';
import { requestIds, tracingOf } from './tracing.ts';

type Filter = ReturnType<typeof extension>;

/** What a connection manager is given. */
export interface HttpObservers {
  readonly accessLog: readonly AccessLogInit[];
  readonly tracing: Init<typeof HttpConnectionManager_TracingSchema> | undefined;
  readonly requestIds: Filter | undefined;
  /** Before all other filters. */
  readonly filters: readonly Filter[];
  /** After all others but the last, which is the router. */
  readonly lastFilters: readonly Filter[];
}

/** What a TCP proxy is given. */
export interface TcpObservers {
  readonly accessLog: readonly AccessLogInit[];
  /** Before it. */
  readonly filters: readonly Filter[];
}

/** The observers of one proxy. */
export interface ProxyTelemetry {
  /** `service` is what a server's filter chain is for. */
  http(side: Side, service?: ServiceName): HttpObservers;
  tcp(side: Side, service?: ServiceName): TcpObservers;
  readonly resources: readonly XdsResource[];
}

/** What is around a proxy. */
export interface ObservedWorld extends ProviderWorld {
  /** Whether its clients are outside of the mesh. */
  readonly isEdge: boolean;
}

/** The telemetry of a workload's proxy. */
export function proxyTelemetry(workload: Workload, policies: ExtensionPolicies, world: ObservedWorld): ProxyTelemetry {
  const held = telemetryFor(workload, policies);
  const builtIn = providerNamed(policies, BUILT_IN_LOG, held.at(-1)?.namespace ?? workload.namespace)?.spec.envoyFileAccessLog ?? {};
  const side = (of: Side) => ({
    logs: wantedLogs(held, policies, of),
    tracing: wantedTracing(held, policies, of),
    overrides: metricOverrides(held, of),
  });
  const sides = { CLIENT: side('CLIENT'), SERVER: side('SERVER') };
  const labels = (of: Side, service: ServiceName | undefined, isHttp: boolean) =>
    of === 'CLIENT' ? sourceLabels(workload) : destinationLabels(workload, service, isHttp);
  const plugins = pluginsFor(workload, policies);
  const decisions = decisionsFor(workload, policies);
  const tracers = Object.values(sides).map(({ tracing }) => tracing?.provider);
  const providers = new Set([...tracers, ...decisions.map(({ provider }) => provider)].filter((one) => one !== undefined));
  return {
    http: (of, service) => {
      const { logs, tracing, overrides } = sides[of];
      return {
        accessLog: [...accessLogs(logs, builtIn), ...httpMetrics(labels(of, service, true), overrides)],
        tracing: tracing && tracingOf(tracing, workload),
        requestIds: tracing && requestIds(tracing),
        filters: [httpSwitch(of), ...(of === 'CLIENT' ? [tellsPeer(workload)] : [])],
        lastFilters: [
          ...pluginFilters(plugins, of, 'before'),
          // Callers are not judged by their own proxies: a workload can go around its own. Clients of an edge cannot go around that.
          ...(of === 'SERVER' || world.isEdge ? decisions.flatMap(decisionFilters) : []),
          ...pluginFilters(plugins, of, 'behind'),
        ],
      };
    },
    tcp: (of, service) => {
      const { logs, overrides } = sides[of];
      return {
        accessLog: [...accessLogs(logs, builtIn), ...tcpMetrics(labels(of, service, false), overrides)],
        filters: [tcpSwitch(of)],
      };
    },
    resources: [
      ...(['CLIENT', 'SERVER'] as const).map((of) => logSwitch(of, sides[of].logs.some(isSwitched))),
      ...[...providers].flatMap((provider) => providerUpstream(provider, world)),
      ...pluginUpstreams(plugins),
    ],
  };
}

/** Says with every request whose it is; what the application said of that is overwritten. */
function tellsPeer(workload: Workload): Filter {
  const peer = peerOf(workload);
  const appendAction = HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD;
  const requestMutations = (Object.keys(PEER_HEADERS) as (keyof typeof PEER_HEADERS)[]).map((key) => ({
    action: { case: 'append' as const, value: { header: { key: PEER_HEADERS[key], value: peer[key] }, appendAction } },
  }));
  return extension('envoy.filters.http.header_mutation', HeaderMutationSchema, { mutations: { requestMutations } });
}
