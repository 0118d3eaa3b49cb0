/** How the upstreams of ServiceEntries find their servers. Pure. */

import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  type ClusterSchema,
} from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ClusterConfigSchema } from '@hawser/xds/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts';
import type { DnsCacheConfigSchema } from '@hawser/xds/generated/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.ts';
import type { HostView } from '../services/service-view.ts';
import { type Init, millis, packed } from '../wire-values.ts';

type ClusterInit = Init<typeof ClusterSchema>;

/** Whether the servers are written into the upstream cluster, because Envoy has to resolve their names. */
export function isInline({ external }: HostView): boolean {
  return external?.resolution === 'DNS' || external?.resolution === 'DNS_ROUND_ROBIN';
}

/** Whether callers name the server with every request: there are no servers to be told of. */
export function isForwarding({ external }: HostView): boolean {
  return external?.resolution === 'NONE' || external?.resolution === 'DYNAMIC_DNS';
}

/** Whether an upstream of the host gets its servers by EDS. */
export function hasAssignment(host: HostView): boolean {
  return !isInline(host) && !isForwarding(host);
}

/** Names are asked again when their time to live is over, or after a minute, and IPv4 is taken where both are there. */
const DNS: ClusterInit = {
  dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
  respectDnsTtl: true,
  dnsRefreshRate: millis(60_000),
  dnsFailureRefreshRate: { baseInterval: millis(1_000), maxInterval: millis(30_000) },
};

/**
 * An upstream whose servers Envoy resolves: each address of each name, or one name of which a connection takes any address. Envoy takes
 * that of one name exactly: a subset may have none, entries of one host may have several.
 */
export function resolvedUpstream({ external }: HostView, loadAssignment: ClusterLoadAssignment): ClusterInit {
  const names = loadAssignment.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints);
  const isAnyAddress = external?.resolution === 'DNS_ROUND_ROBIN' && names.length === 1;
  const type = isAnyAddress ? Cluster_DiscoveryType.LOGICAL_DNS : Cluster_DiscoveryType.STRICT_DNS;
  return { ...DNS, clusterDiscoveryType: { case: 'type', value: type }, loadAssignment };
}

/** The one cache of names that callers gave; filter and clusters must be configured alike. */
export const FORWARD_CACHE: Init<typeof DnsCacheConfigSchema> = {
  name: 'forward',
  dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
  hostTtl: millis(300_000),
  dnsFailureRefreshRate: { baseInterval: millis(1_000), maxInterval: millis(30_000) },
};

/**
 * An upstream whose server is the one that the caller names: in `Host`, or in the server name of its TLS. A connection whose
 * caller names none goes to where it was going before it was captured.
 */
export function forwardingUpstream(isNamed: boolean): ClusterInit {
  if (!isNamed) {
    return {
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    };
  }
  const typedConfig = packed(ClusterConfigSchema, {
    clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: FORWARD_CACHE },
    // Envoy asks for it where the name of the server is not checked: what is forwarded here is in the clear, or the caller's own TLS.
    allowInsecureClusterOptions: true,
  });
  return {
    clusterDiscoveryType: { case: 'clusterType', value: { name: 'envoy.clusters.dynamic_forward_proxy', typedConfig } },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  };
}
