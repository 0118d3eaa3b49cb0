/** A server's `defaultEndpoint`: who gets what no VirtualService routes. Pure. */
import { create } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { circuitBreakers } from '../upstreams/upstream-defaults.ts';
import { millis, parseHostPort, pipeAddress, socketAddress } from '../wire-values.ts';

/** The upstream of `127.0.0.1:PORT`, `unix:///PATH` or `unix://@NAME`; undefined for anything else: it has to be on this machine. */
export function defaultCluster(endpoint: string | undefined): XdsResource | undefined {
  const address = addressOf(endpoint ?? '');
  if (address === undefined) return undefined;
  const name = `edge|default|${endpoint}`;
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: millis(1_000),
    circuitBreakers: circuitBreakers(),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address } } }] }] },
  });
  return encoded('CDS', name, message, ClusterSchema);
}

function addressOf(endpoint: string): ReturnType<typeof socketAddress> | undefined {
  if (/^unix:\/\/(\/|@)./.test(endpoint)) return pipeAddress(endpoint.slice('unix://'.length));
  const parsed = parseHostPort(endpoint);
  const isLocal = parsed !== undefined && (/^127\.\d+\.\d+\.\d+$/.test(parsed.address) || parsed.address === '::1');
  return isLocal ? socketAddress(parsed.address, parsed.port) : undefined;
}
