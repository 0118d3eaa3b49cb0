/** Where calls go whose host no service has, when a Sidecar lets them (Istio's outboundTrafficPolicy). Pure. */
import { create } from '@bufbuild/protobuf';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { ANYWHERE_CLUSTER, UNAVAILABLE_CLUSTER } from '../names.ts';
import { destinationOf, isHttpPort, type ServiceLookup } from '../routes/destinations.ts';
import type { SidecarBounds } from '../scope/sidecar-bounds.ts';
import { forwardingUpstream } from '../upstreams/external-upstreams.ts';
import { circuitBreakers } from '../upstreams/upstream-defaults.ts';
import { millis } from '../wire-values.ts';

/** The upstream of such calls; undefined when they are told that there is no such service. */
export function elsewhereCluster(bounds: SidecarBounds | undefined, lookup: ServiceLookup): string | undefined {
  if (bounds?.elsewhere !== 'ALLOW_ANY') return undefined;
  const { egressProxy, namespace } = bounds;
  if (egressProxy === undefined) return ANYWHERE_CLUSTER;
  const found = destinationOf(egressProxy, { namespace, scope: undefined, port: 80, takes: isHttpPort }, lookup);
  return found.state === 'there' ? found.cluster : UNAVAILABLE_CLUSTER;
}

/** An upstream whose server is the one that a request names in its `Host`. */
export function anywhereCluster(): XdsResource {
  return ANYWHERE;
}

const ANYWHERE = encoded(
  'CDS',
  ANYWHERE_CLUSTER,
  create(ClusterSchema, {
    ...{ name: ANYWHERE_CLUSTER, connectTimeout: millis(10_000), circuitBreakers: circuitBreakers() },
    ...forwardingUpstream(true),
  }),
  ClusterSchema,
);
