/** Upstream clusters: constant while a service keeps its ports. What moves is in their endpoints and secrets. */
import { create } from '@bufbuild/protobuf';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { encoded } from './encode.ts';
import { plainUpstreamName, serverName, serviceTrustName, UNAVAILABLE_CLUSTER, upstreamName } from './names.ts';
import type { HostView, ServiceView } from './service-view.ts';
import { clientTls, plainSocket, throughTunnel } from './tls.ts';
import { circuitBreakers, healthChecks, http2Upstream, outlierDetection, PLAIN_MATCH, TUNNEL_MATCH } from './upstream-defaults.ts';
import { ADS, type Init, millis } from './wire-values.ts';

const SIDECAR = http2Upstream({ idleMs: 300_000, pingMs: 10_000, pingTimeoutMs: 3_000 });

type ClusterInit = Init<typeof ClusterSchema>;

/** One cluster and the endpoints it stands for. */
export interface Upstream {
  readonly name: string;
  readonly host: HostView;
  readonly port: ServicePort;
  /** Whether it is the way of those who do not speak HTTP to a port that may speak it. */
  readonly plain: boolean;
  /** Labels that endpoints must carry; none for all of them. */
  readonly labels: readonly (readonly [string, string])[];
}

/** All upstreams of a service: for each host and port the whole and its subsets. */
export function upstreamsOf(view: ServiceView): Upstream[] {
  return view.hosts.flatMap((host) =>
    host.ports.flatMap((port) =>
      [{ name: '', labels: [] }, ...view.subsets].flatMap(({ name, labels }) => [
        { name: upstreamName(port.port, name, host.host), host, port, plain: false, labels },
        ...(port.application === 'auto' ? [{ name: plainUpstreamName(port.port, name, host.host), host, port, plain: true, labels }] : []),
      ]),
    ),
  );
}

/** The cluster of an upstream. */
export function upstreamCluster(upstream: Upstream, view: ServiceView): XdsResource {
  const isHttp = upstream.port.protocol !== 'tcp' && !upstream.plain;
  const tls = clientTls(serviceTrustName(view.key), serverName(upstream.port.port, view.name), isHttp ? ['h2'] : []);
  const cluster = create(ClusterSchema, {
    ...dynamic(upstream.name),
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    commonLbConfig: {
      healthyPanicThreshold: { value: 10 },
      localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} },
      // Changes of weight and health act at once; Envoy would gather them for 1 s.
      updateMergeWindow: millis(0),
    },
    // Without it, removed hosts keep their traffic while their checks pass (RELIABILITY.md 0.1 F).
    ignoreHealthOnHostRemoval: true,
    healthChecks: healthChecks(),
    outlierDetection: outlierDetection(),
    transportSocket: tls,
    transportSocketMatches: [
      { name: 'tunnel', match: TUNNEL_MATCH, transportSocket: throughTunnel(tls) },
      { name: 'plain', match: PLAIN_MATCH, transportSocket: plainSocket() },
    ],
    typedExtensionProtocolOptions: isHttp ? SIDECAR : {},
  });
  return encoded('CDS', upstream.name, cluster, ClusterSchema);
}

/** The upstream that never has an endpoint. */
export function unavailableCluster(): XdsResource {
  const cluster = create(ClusterSchema, {
    name: UNAVAILABLE_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: millis(1_000),
  });
  return encoded('CDS', UNAVAILABLE_CLUSTER, cluster, ClusterSchema);
}

/** What every cluster with endpoints by EDS shares. */
export function dynamic(name: string): ClusterInit {
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS },
    connectTimeout: millis(2_000),
    circuitBreakers: circuitBreakers(),
  };
}
