/** The server sidecar's side of connections that are not HTTP. */
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { AccessLogInit } from '../telemetry/access-logs.ts';
import type { TcpTimes } from '../upstreams/connection-pool.ts';
import { extension, millis } from '../wire-values.ts';

/** How a port's connections are taken. */
export interface InboundTcp extends TcpTimes {
  /** What is counted of them, beside what every proxy counts. */
  readonly counted?: readonly AccessLogInit[];
}

/** Takes connections to an upstream, for as long as the times allow. */
export function inboundTcp(statPrefix: string, cluster: string, options: InboundTcp = {}): ReturnType<typeof extension> {
  const { idleMs, longestMs, counted = [] } = options;
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: 'cluster', value: cluster },
    accessLog: [...counted],
    ...(idleMs === undefined ? {} : { idleTimeout: millis(idleMs) }),
    ...(longestMs === undefined ? {} : { maxDownstreamConnectionDuration: millis(longestMs) }),
  });
}
