/** What one proxy logs, traces and counts, ready to be put on its listeners, with the resources that needs. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { FileAccessLogProvider } from '@hawser/model/extension-provider.ts';
import type { WasmPluginSpec } from '@hawser/model/istio/specs.ts';
import { BUILT_IN_LOG } from '@hawser/model/provider-references.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { HeaderValueOption_HeaderAppendAction } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { HeaderMutationSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts';
import type { HttpConnectionManager_TracingSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { type PeerModes, peerModes } from '../access/peer-modes.ts';
import { type ProxyAccess, proxyAccess } from '../access/proxy-access.ts';
import { type TrustDomains, trustDomainsOf } from '../access/rule-context.ts';
import { connectionPluginFilters, pluginFilters, pluginsFor, pluginUpstreams } from '../extension/wasm-plugins.ts';
import { extension, type Init } from '../wire-values.ts';
import { type AccessLogInit, accessLogs, isSwitched } from './access-logs.ts';
import {
  type MetricOverrides,
  metricOverrides,
  type Side,
  telemetryFor,
  type WantedLog,
  type WantedTracing,
  wantedLogs,
  wantedTracing,
} from './effective-telemetry.ts';
import { type ExtensionPolicies, levelFor, type Policy, providerNamed, type Workload } from './extension-policies.ts';
import { httpMetrics, metricFilters, tcpMetrics } from './istio-metrics.ts';
import { destinationLabels, type MetadataBearer, ownMetadata, ownValue, PEER_HEADERS, peerOf, sourceLabels } from './labels.ts';
import { httpSwitch, logSwitch, tcpSwitch } from './log-switch.ts';
import { type ProviderWorld, providerUpstream } from './provider-upstreams.ts';
import { requestIds, tracingOf } from './tracing.ts';
import { ATTEMPT_LOGS, REQUEST_LOG } from './traffic-logs.ts';

type Filter = ReturnType<typeof extension>;

/** What a connection manager is given. */
export interface HttpObservers {
  readonly accessLog: readonly AccessLogInit[];
  /** The router's: one entry for each attempt. */
  readonly upstreamLog: readonly AccessLogInit[];
  readonly tracing: Init<typeof HttpConnectionManager_TracingSchema> | undefined;
  readonly requestIds: Filter | undefined;
  /** Before all other filters. */
  readonly filters: readonly Filter[];
  /** After all others but the last, which is the router. */
  readonly lastFilters: readonly Filter[];
  /** Before it, of connections. */
  readonly connectionFilters: readonly Filter[];
}

/** What a TCP proxy is given. */
export interface TcpObservers {
  readonly accessLog: readonly AccessLogInit[];
  /** Before it. */
  readonly filters: readonly Filter[];
}

/** What is put on the listeners of a proxy: the same object for all proxies that are observed alike, whatever their workloads are called. */
export interface Observers {
  http(side: Side, chain: ObservedFor): HttpObservers;
  tcp(side: Side, chain: ObservedFor): TcpObservers;
}

/** What a server's filter chain is for. */
export interface ObservedFor {
  readonly service: ServiceName | undefined;
  /** The application's. */
  readonly port: number | undefined;
  /** Whether its callers prove nothing: it ends no TLS. */
  readonly isPlain: boolean;
}

/** The telemetry of one proxy. */
export interface ProxyTelemetry {
  readonly observers: Observers;
  readonly access: ProxyAccess;
  readonly peers: PeerModes;
  /** What the observers read of the workload, as metadata of the listener. */
  readonly metadata: JsonObject;
  readonly resources: readonly XdsResource[];
}

/** What is around a proxy. */
export interface ObservedWorld extends ProviderWorld {
  /** Whether its clients are outside of the mesh. */
  readonly isEdge: boolean;
  /** What says whose the requests are; the listener unless given. */
  readonly bearer?: MetadataBearer;
  /** Whether the workload's port speaks HTTP/1.1 alone, so that nothing is gRPC; what tells gRPC from others costs memory and time. */
  readonly isHttp1?: boolean;
}

/** What of the policies is for a workload's proxy. */
interface Wanted {
  readonly builtIn: FileAccessLogProvider;
  readonly sides: Readonly<Record<Side, WantedOfSide>>;
  readonly plugins: readonly Policy<WasmPluginSpec>[];
  readonly access: ProxyAccess;
}

interface WantedOfSide {
  readonly logs: readonly WantedLog[];
  readonly tracing: WantedTracing | undefined;
  readonly overrides: MetricOverrides;
}

/** The telemetry of a workload's proxy. */
export function proxyTelemetry(workload: Workload, policies: ExtensionPolicies, world: ObservedWorld): ProxyTelemetry {
  const { wanted, observers } = sharedFor(workload, policies, {
    ...{ isEdge: world.isEdge, bearer: world.bearer, isHttp1: world.isHttp1, domains: trustDomainsOf(world.fleet) },
  });
  const { sides, plugins, access } = wanted;
  const tracers = Object.values(sides).map(({ tracing }) => tracing?.provider);
  const providers = new Set(
    [...tracers, ...access.decisions(undefined).map(({ provider }) => provider)].filter((one) => one !== undefined),
  );
  return {
    observers,
    access,
    peers: peerModes(workload, policies),
    metadata: ownMetadata(workload),
    resources: [
      ...(['CLIENT', 'SERVER'] as const).map((of) => logSwitch(of, sides[of].logs.some(isSwitched))),
      ...[...providers].flatMap((provider) => providerUpstream(provider, world)),
      ...access.resources(world),
      ...pluginUpstreams(plugins),
    ],
  };
}

interface Shared {
  readonly wanted: Map<string, Wanted>;
  readonly observers: Map<string, Observers>;
}

/** How its requests are judged. */
interface Judged {
  readonly isEdge: boolean;
  readonly bearer: MetadataBearer | undefined;
  readonly isHttp1: boolean | undefined;
  readonly domains: TrustDomains;
}

/** While the policies are the same: by those of them that are for a workload. */
const known = new WeakMap<ExtensionPolicies, Shared>();
/** Tracers name the workload: then there may be many. */
const MOST_KNOWN = 1_000;

function sharedFor(workload: Workload, policies: ExtensionPolicies, judged: Judged): { wanted: Wanted; observers: Observers } {
  const { telemetry, authorization, authentication, plugins } = policies;
  const shared: Shared = known.get(policies) ?? { wanted: new Map(), observers: new Map() };
  known.set(policies, shared);
  const held = [...telemetry, ...authorization, ...authentication, ...plugins].filter((policy) => levelFor(workload, policy) !== undefined);
  const { isEdge, bearer, isHttp1, domains } = judged;
  const key = JSON.stringify([
    workload.namespace,
    isEdge,
    bearer,
    isHttp1,
    { ...domains, aliases: [...domains.aliases] },
    held.map((policy) => policy.key),
  ]);
  const wanted = kept(shared.wanted, key, () => wantedFor(workload, policies, judged));
  const isTraced = Object.values(wanted.sides).some(({ tracing }) => tracing !== undefined);
  const named = isTraced ? `${key} ${JSON.stringify(peerOf(workload))}` : key;
  return { wanted, observers: kept(shared.observers, named, () => observersOf(wanted, workload, judged)) };
}

function kept<Value>(all: Map<string, Value>, key: string, make: () => Value): Value {
  const before = all.get(key);
  if (before !== undefined) return before;
  if (all.size >= MOST_KNOWN) all.clear();
  const made = make();
  all.set(key, made);
  return made;
}

function wantedFor(workload: Workload, policies: ExtensionPolicies, judged: Judged): Wanted {
  const held = telemetryFor(workload, policies);
  const side = (of: Side): WantedOfSide => ({
    logs: wantedLogs(held, policies, of),
    tracing: wantedTracing(held, policies, of),
    overrides: metricOverrides(held, of),
  });
  return {
    builtIn: providerNamed(policies, BUILT_IN_LOG, held.at(-1)?.namespace ?? workload.namespace)?.spec.envoyFileAccessLog ?? {},
    sides: { CLIENT: side('CLIENT'), SERVER: side('SERVER') },
    plugins: pluginsFor(workload, policies),
    access: proxyAccess(workload, policies, judged),
  };
}

/** Says with every request whose it is; what the application said of that is overwritten. */
const TELLS_PEER: Filter = extension('envoy.filters.http.header_mutation', HeaderMutationSchema, {
  mutations: {
    requestMutations: (Object.keys(PEER_HEADERS) as (keyof typeof PEER_HEADERS)[]).map((key) => ({
      action: {
        case: 'append' as const,
        value: {
          header: { key: PEER_HEADERS[key], value: ownValue(key) },
          appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        },
      },
    })),
  },
});

const PLAIN = { connection_security_policy: 'none' } as const;

function observersOf({ builtIn, sides, plugins, access }: Wanted, workload: Workload, { bearer, isHttp1 }: Judged): Observers {
  const labels = (of: Side, { service, isPlain }: Pick<ObservedFor, 'service' | 'isPlain'>, isHttp: boolean) =>
    of === 'CLIENT' ? sourceLabels() : { ...destinationLabels(service, isHttp, bearer), ...(isPlain ? PLAIN : {}) };
  return {
    http: (of, { port, ...chain }) => {
      const { logs, tracing, overrides } = sides[of];
      return {
        accessLog: [
          ...accessLogs(logs, builtIn),
          ...httpMetrics(labels(of, chain, true), overrides, isHttp1),
          ...(of === 'CLIENT' ? [REQUEST_LOG] : []),
        ],
        upstreamLog: of === 'CLIENT' ? ATTEMPT_LOGS : [],
        tracing: tracing && tracingOf(tracing, workload),
        requestIds: tracing && requestIds(tracing),
        filters: [httpSwitch(of), ...(of === 'CLIENT' ? [TELLS_PEER] : [])],
        lastFilters: [
          ...pluginFilters(plugins, of, 'authn'),
          ...access.tokenFilters(of),
          ...pluginFilters(plugins, of, 'authz'),
          ...access.httpFilters(of, port),
          ...pluginFilters(plugins, of, 'behind'),
          ...(isHttp1 === true ? [] : metricFilters(overrides)),
        ],
        connectionFilters: connectionPluginFilters(plugins, { side: of, port }),
      };
    },
    tcp: (of, { port, ...chain }) => {
      const { logs, overrides } = sides[of];
      return {
        accessLog: [...accessLogs(logs, builtIn), ...tcpMetrics(labels(of, chain, false), overrides)],
        filters: [
          tcpSwitch(of),
          ...connectionPluginFilters(plugins, { side: of, port }, 'authn'),
          ...access.tcpFilters(of, port),
          ...connectionPluginFilters(plugins, { side: of, port }, 'authz'),
          ...connectionPluginFilters(plugins, { side: of, port }, 'behind'),
        ],
      };
    },
  };
}
