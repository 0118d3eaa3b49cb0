/** What a proxy is served, decoded as far as it is asked for. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { XdsType } from '@hawser/wire/messages.ts';
import { type Cluster, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { type Listener, ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { type RouteConfiguration, RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';

/** A proxy's resources by type and name. */
export interface SentResources {
  get(type: XdsType, name: string): XdsResource | undefined;
  names(type: XdsType): Iterable<string>;
  /** Whether it has an upstream, and need not fetch it first; it has all of them when this is left out. */
  hasUpstream?(name: string): boolean;
}

/** The parts of it that decide over a request. */
export interface SentConfig {
  readonly listeners: readonly Listener[];
  routes(name: string): RouteConfiguration | undefined;
  upstream(name: string): Cluster | undefined;
  /** Whether the proxy asks for the upstream when the first request needs it. */
  isFetched(name: string): boolean;
  /** Of an upstream. */
  assignment(name: string): ClusterLoadAssignment | undefined;
}

/** Decodes what is asked for. */
export function sentConfig(sent: SentResources): SentConfig {
  const decode = <Desc extends DescMessage>(schema: Desc, type: XdsType, name: string): MessageShape<Desc> | undefined => {
    const resource = sent.get(type, name);
    return resource === undefined ? undefined : fromBinary(schema, resource.bytes);
  };
  const names = [...sent.names('LDS')].sort();
  const upstream = (name: string): Cluster | undefined => decode(ClusterSchema, 'CDS', name);
  return {
    listeners: names.map((name) => decode(ListenerSchema, 'LDS', name)).filter((listener) => listener !== undefined),
    routes: (name) => decode(RouteConfigurationSchema, 'RDS', name),
    upstream,
    isFetched: (name) => upstream(name) !== undefined && sent.hasUpstream?.(name) === false,
    assignment: (name) => {
      const cluster = upstream(name);
      const served = cluster?.edsClusterConfig?.serviceName ?? '';
      return decode(ClusterLoadAssignmentSchema, 'EDS', served === '' ? name : served) ?? cluster?.loadAssignment;
    },
  };
}
