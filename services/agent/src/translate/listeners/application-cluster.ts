/** The way from a sidecar to its application: one upstream cluster for each port, within the limits that a Sidecar sets. */
import { create } from '@bufbuild/protobuf';
import type { SidecarInboundConnectionPool } from '@hawser/model/istio/specs.ts';
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import type { HttpProtocolOptionsSchema as UpstreamOptionsSchema } from '@hawser/xds/generated/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { durationMs, positiveCount } from '../routes/rule-values.ts';
import { circuitBreakersOf, connectTimeoutMs, httpVersion, keepaliveOf } from '../upstreams/connection-pool.ts';
import { protocolOptions } from '../upstreams/upstream-defaults.ts';
import { type Init, millis } from '../wire-values.ts';
import type { ServedPort } from './inbound.ts';
import { applicationAddress, type InboundBounds, ingressOf, poolOf, type Workload } from './ingress.ts';

const CONNECT_MS = 1_000;
/**
 * Idle connections are given up before applications do (Node 5 s, gunicorn 2 s): a request on a connection that is being closed
 * could not be repeated.
 */
const IDLE_MS = 1_500;

/** What is behind a port of a workload. */
export interface Application {
  /** Undefined: the one that the connection was made for. */
  readonly workload: Workload | undefined;
  readonly port: ServedPort;
  readonly bounds: InboundBounds | undefined;
}

/** The upstream of a port, under its name. */
export function applicationCluster(name: string, { workload, port, bounds }: Application): XdsResource {
  const ingress = ingressOf(bounds, port.targetPort) ?? {};
  const pool = poolOf(bounds, ingress);
  const keepalive = keepaliveOf(pool);
  const message = create(ClusterSchema, {
    name,
    ...(workload === undefined ? AS_CALLED : at(name, applicationAddress(ingress, workload, port.targetPort))),
    connectTimeout: millis(connectTimeoutMs(pool, CONNECT_MS)),
    circuitBreakers: circuitBreakersOf({ connectionPool: pool }),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: keepalive }),
    typedExtensionProtocolOptions:
      port.protocol === 'tcp'
        ? {}
        : protocolOptions({ commonHttpProtocolOptions: common(pool), upstreamProtocolOptions: version(pool, port.protocol) }),
  });
  return encoded('CDS', name, message, ClusterSchema);
}

const AS_CALLED: Init<typeof ClusterSchema> = {
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
  lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
};

function at(clusterName: string, address: Address): Init<typeof ClusterSchema> {
  const hostIdentifier = { case: 'endpoint', value: { address } } as const;
  return {
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName, endpoints: [{ lbEndpoints: [{ hostIdentifier }] }] },
  };
}

type UpstreamOptions = Init<typeof UpstreamOptionsSchema>;

/** The time of TCP stands in for that of HTTP where only the former is given, as in Istio. */
function common(pool: SidecarInboundConnectionPool | undefined): NonNullable<UpstreamOptions['commonHttpProtocolOptions']> {
  const requests = positiveCount(pool?.http?.maxRequestsPerConnection);
  const longest = durationMs(pool?.tcp?.maxConnectionDuration);
  return {
    idleTimeout: millis(durationMs(pool?.http?.idleTimeout) ?? durationMs(pool?.tcp?.idleTimeout) ?? IDLE_MS),
    ...(longest === undefined ? {} : { maxConnectionDuration: millis(longest) }),
    ...(requests === undefined ? {} : { maxRequestsPerConnection: requests }),
  };
}

/** HTTP/1.1 to a port of HTTP and HTTP/2 to one of HTTP/2, unless the Sidecar says otherwise. */
function version(
  pool: SidecarInboundConnectionPool | undefined,
  protocol: ServedPort['protocol'],
): NonNullable<UpstreamOptions['upstreamProtocolOptions']> {
  const streams = positiveCount(pool?.http?.maxConcurrentStreams);
  const http2 = { allowConnect: true, ...(streams === undefined ? {} : { maxConcurrentStreams: streams }) };
  const asked = httpVersion(pool, protocol, 'http1');
  if (asked === 'as-called') {
    return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } };
  }
  const one = { case: 'httpProtocolOptions', value: {} } as const;
  const two = { case: 'http2ProtocolOptions', value: http2 } as const;
  return { case: 'explicitHttpConfig', value: { protocolConfig: asked === 'http2' ? two : one } };
}
