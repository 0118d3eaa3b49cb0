/** Upstreams that go where the connection was going before the kernel led it to the sidecar. */
import { create } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { millis } from '../wire-values.ts';
import { circuitBreakers, protocolOptions } from './upstream-defaults.ts';

/** An upstream of original destinations, in plain and in the protocol of the caller. */
export function passthroughCluster(name: string): XdsResource {
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: millis(10_000),
    circuitBreakers: circuitBreakers(),
    typedExtensionProtocolOptions: protocolOptions({
      upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
    }),
  });
  return encoded('CDS', name, message, ClusterSchema);
}
