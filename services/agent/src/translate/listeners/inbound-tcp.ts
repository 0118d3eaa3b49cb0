/** The server sidecar's side of connections that are not HTTP. */
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { TcpTimes } from '../upstreams/connection-pool.ts';
import { extension, millis } from '../wire-values.ts';

/** Takes connections to an upstream, for as long as `times` allows. */
export function inboundTcp(statPrefix: string, cluster: string, { idleMs, longestMs }: TcpTimes = {}): ReturnType<typeof extension> {
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: 'cluster', value: cluster },
    ...(idleMs === undefined ? {} : { idleTimeout: millis(idleMs) }),
    ...(longestMs === undefined ? {} : { maxDownstreamConnectionDuration: millis(longestMs) }),
  });
}
