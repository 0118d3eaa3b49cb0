/** PURE: the Envoy bootstrap of one proxy, in Envoy's JSON (envoy.config.bootstrap.v3.Bootstrap). Everything that changes comes from the agent. */
import { isIP } from 'node:net';
import { PORTS } from '@hawser/model/ports.ts';
import { TRAFFIC_ADMIN_PATH, TRAFFIC_BOUNDS_US, TRAFFIC_PATH, TRAFFIC_SCOPE } from '@hawser/model/traffic-stats.ts';
import { agentTls } from './agent-tls.ts';
import { metricNames } from './metric-names.ts';
import { httpListener } from './static-listener.ts';
import { tokenInjector } from './token-secret.ts';

/** What one proxy's bootstrap is made of. */
export interface BootstrapOptions {
  readonly role: 'sidecar' | 'gateway' | 'edge';
  readonly cluster: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** IP address of the workload; health and statistics listen on it. */
  readonly address: string;
  /** IP address of Envoy's admin interface, which is plain and all-powerful; that of the workload unless given. */
  readonly adminAddress?: string;
  /** Loopback address where the workload calls its sidecar; its own if it is one, else 127.0.0.1. */
  readonly outboundAddress?: string;
  /** Whether it calls for workloads without a sidecar, which reach it at `address`. */
  readonly outboundGateway?: true;
  /** The agent's xDS address, `IP:PORT` or `NAME:PORT`; of several, separated by commas, any serves it, and the others when that one is gone. */
  readonly agent: string;
  /** PEM of the cluster's trust bundle: the agent is reached by TLS and must prove to be it. */
  readonly agentCa?: string | undefined;
  /** The file (`writeAgentCa`) that Envoy takes that bundle from, and takes it again when it is replaced; without one it has it for good. */
  readonly agentCaFile?: string | undefined;
  /** What Istio's selectors choose the proxy by. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What proves who the proxy is, sent to the agent with every stream. */
  readonly token: ProxyToken;
  /** Which of its workload's traffic the kernel leads to it; none unless given. */
  readonly capture?: 'ipv4' | 'dual';
  readonly region?: string;
  readonly zone?: string;
}

/** A proxy's token: as it is for good, or the file (`tokenSecret`) that Envoy takes it from, and takes it again when that is replaced. */
export type ProxyToken = { readonly text: string } | { readonly secretFile: string };

/** A JSON object as Envoy reads it. */
export type Json = { readonly [key: string]: unknown };

/** Name of the cluster that leads to the agent. */
const XDS_UPSTREAM = 'xds';
/** Name of the cluster that leads to Envoy's own admin interface. */
const ADMIN_UPSTREAM = 'admin';

/** The whole bootstrap. It may hold the token: keep the file it is written to 0600. */
export function envoyBootstrap(options: BootstrapOptions): Json {
  const names = metricNames();
  return {
    node: nodeOf(options),
    admin: { address: socketAddress(adminAddressOf(options), PORTS.envoyAdmin) },
    dynamic_resources: dynamicResources(options.token),
    static_resources: {
      clusters: [xdsUpstream(options), adminUpstream(adminAddressOf(options)), names.cluster],
      listeners: [
        httpListener({
          name: 'health',
          address: options.address,
          port: PORTS.health,
          paths: [{ path: '/healthz/ready', rewrite: '/ready' }],
          upstream: ADMIN_UPSTREAM,
        }),
        httpListener({
          name: 'stats',
          address: options.address,
          port: PORTS.stats,
          paths: [{ path: '/stats/prometheus' }, { path: TRAFFIC_PATH, rewrite: TRAFFIC_ADMIN_PATH }],
          upstream: ADMIN_UPSTREAM,
        }),
      ],
    },
    // A tunnel to another cluster is an internal listener (DATAPATH.md A).
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener' },
      },
      names.extension,
    ],
    layered_runtime: {
      layers: [
        { name: 'static', static_layer: {} },
        { name: 'admin', admin_layer: {} },
      ],
    },
    stats_config: statsConfig(),
    // Nothing pushes statistics: counters and histograms are merged when somebody asks, not every five seconds in every proxy.
    stats_flush_on_admin: true,
    overload_manager: overloadLimits(),
  };
}

/** Where Envoy's admin interface listens. */
export function adminAddressOf({ address, adminAddress }: Pick<BootstrapOptions, 'address' | 'adminAddress'>): string {
  return adminAddress ?? address;
}

/** Node id of a proxy: `ROLE~ADDRESS~NAME.NAMESPACE~CLUSTER`. */
export function nodeId(options: Pick<BootstrapOptions, 'role' | 'address' | 'name' | 'namespace' | 'cluster'>): string {
  return `${options.role}~${options.address}~${options.name}.${options.namespace}~${options.cluster}`;
}

function nodeOf(options: BootstrapOptions): Json {
  const { role, address, name, namespace, serviceAccount, cluster, region, zone, labels, capture, outboundAddress, outboundGateway } =
    options;
  const locality = { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) };
  return {
    id: nodeId(options),
    cluster: `${name}.${namespace}`,
    ...(Object.keys(locality).length === 0 ? {} : { locality }),
    metadata: {
      ...{ role, address, name, namespace, serviceAccount, cluster },
      ...(labels === undefined ? {} : { labels }),
      ...(capture === undefined ? {} : { capture }),
      ...(outboundAddress === undefined ? {} : { outboundAddress }),
      ...(outboundGateway === undefined ? {} : { outboundGateway }),
      // It speaks delta, so it can fetch an upstream at the first request for it, and need not be sent all of them.
      ...(role === 'sidecar' ? { onDemand: 'upstreams' } : {}),
    },
  };
}

/** Delta ADS for listeners and clusters; what they refer to follows on the same stream. */
function dynamicResources(token: ProxyToken): Json {
  // Without a limit: Envoy would call itself ready after 30 s without any listener or cluster, and the application beside it would start.
  // What these refer to keeps the default of 15 s, or one missing resource would block all xDS (envoy #47066).
  const fromAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    lds_config: fromAds,
    cds_config: fromAds,
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      set_node_on_first_message_only: true,
      grpc_services: [
        {
          envoy_grpc: {
            cluster_name: XDS_UPSTREAM,
            // Envoy jitters between the bounds. The default maximum of 30 s would leave proxies behind long after an agent's restart.
            retry_policy: { retry_back_off: { base_interval: '0.25s', max_interval: '5s' } },
          },
          ...('text' in token ? { initial_metadata: [{ key: 'authorization', value: `Bearer ${token.text}` }] } : {}),
        },
      ],
    },
  };
}

function xdsUpstream({ agent, agentCa, agentCaFile, cluster, token }: BootstrapOptions): Json {
  const agents = agent.split(',').map((one) => splitAddress(one));
  const addresses = agents.map(({ address, port }) => socketAddress(address, port));
  return {
    name: XDS_UPSTREAM,
    // A Service of Kubernetes has a name that outlives its address.
    ...(agents.every(({ address }) => isIP(address) !== 0) ? { type: 'STATIC' } : BY_NAME),
    connect_timeout: '1s',
    load_assignment: assignment(XDS_UPSTREAM, addresses),
    // Of several agents, one that cannot be reached is left out for a while: the next attempt goes to another.
    ...(addresses.length < 2 ? {} : { outlier_detection: AWAY }),
    ...(agentCa === undefined ? {} : { transport_socket: agentTls(agentCa, cluster, agentCaFile) }),
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        // An agent that hangs (SIGSTOP, lost network) answers no PING: the stream is opened again, to its successor.
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '5s' } } },
        ...('secretFile' in token ? { http_filters: [tokenInjector(token.secretFile), UPSTREAM_CODEC] } : {}),
      },
    },
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 10, keepalive_interval: 5, keepalive_probes: 3 } },
    circuit_breakers: { thresholds: [{ max_connections: 100, max_requests: 1000 }] },
  };
}

/** Asked again each 5 s: by then a Service that was made anew has its address. Of both families, whichever answers. */
const BY_NAME: Json = { type: 'STRICT_DNS', dns_lookup_family: 'ALL', dns_refresh_rate: '5s' };

const UPSTREAM_CODEC: Json = {
  name: 'envoy.filters.http.upstream_codec',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec' },
};

const AWAY: Json = {
  split_external_local_origin_errors: true,
  ...{ consecutive_local_origin_failure: 1, enforcing_consecutive_local_origin_failure: 100 },
  ...{ interval: '1s', base_ejection_time: '5s', max_ejection_time: '30s', max_ejection_percent: 50 },
};

function adminUpstream(address: string): Json {
  return {
    name: ADMIN_UPSTREAM,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: assignment(ADMIN_UPSTREAM, [socketAddress(address, PORTS.envoyAdmin)]),
  };
}

/** Statistics of single workers are noise; everything else stays. */
function statsConfig(): Json {
  return {
    stats_matcher: {
      exclusion_list: {
        patterns: [{ safe_regex: { regex: '^listener\\..*\\.worker_[0-9]+\\..*' } }, { prefix: 'listener_manager.worker_' }],
      },
    },
    // Latencies in the buckets that they are kept in (decision 0028).
    histogram_bucket_settings: [{ match: { prefix: `${TRAFFIC_SCOPE}.` }, buckets: TRAFFIC_BOUNDS_US }],
  };
}

/** A bound on client connections; health and statistics stay reachable beyond it. */
function overloadLimits(): Json {
  return {
    resource_monitors: [
      {
        name: 'envoy.resource_monitors.global_downstream_max_connections',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
          max_active_downstream_connections: 50_000,
        },
      },
    ],
  };
}

/** Splits `IP:PORT` (IPv6 in brackets); throws when it is not one. */
export function splitAddress(text: string): { address: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  const port = Number(digits);
  if (address === undefined || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`${text} is not an address: expected IP:PORT`);
  return { address, port };
}

function socketAddress(address: string, port: number): Json {
  return { socket_address: { address, port_value: port } };
}

function assignment(name: string, addresses: readonly Json[]): Json {
  return { cluster_name: name, endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address } })) }] };
}
