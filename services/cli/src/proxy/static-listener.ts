import type { Json } from './bootstrap.ts';

/** A path that is offered. */
export interface OfferedPath {
  readonly path: string;
  /** Path at the upstream, where it differs. */
  readonly rewrite?: string;
}

/** Some paths of Envoy's admin interface, offered on a port of their own. */
export interface StaticListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly paths: readonly OfferedPath[];
  readonly upstream: string;
}

/** Prefix of the statistics of these listeners, so that a drain does not wait for whoever watches it. */
export const STATIC_STAT_PREFIX = 'hawser_';

/** PURE: a listener that answers GETs of these paths from an upstream and nothing else. */
export function httpListener(options: StaticListener): Json {
  const { name, address, port } = options;
  return {
    name,
    address: { socket_address: { address, port_value: port } },
    // Probes and scrapes must reach a proxy that refuses clients.
    ignore_global_conn_limit: true,
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager(options) }] }],
  };
}

function connectionManager({ name, paths, upstream }: StaticListener): Json {
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: `${STATIC_STAT_PREFIX}${name}`,
    stream_idle_timeout: '10s',
    common_http_protocol_options: { idle_timeout: '60s' },
    route_config: {
      name,
      virtual_hosts: [
        {
          name,
          domains: ['*'],
          routes: paths.map(({ path, rewrite }) => ({
            match: { path, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
            route: { cluster: upstream, timeout: '5s', ...(rewrite === undefined ? {} : { prefix_rewrite: rewrite }) },
          })),
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
}
