/** The way to the services that providers name: those of the mesh as any call goes there, others directly. */
import { create } from '@bufbuild/protobuf';
import type { ExtensionProviderSpec } from '@hawser/model/extension-provider.ts';
import { Cluster_DiscoveryType, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { UpstreamTlsContextSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded, tiedTo } from '../encode.ts';
import type { Fleet } from '../fleet.ts';
import type { ServiceView } from '../services/service-view.ts';
import type { TransportSocketInit } from '../tls.ts';
import { serviceTrust } from '../trust.ts';
import { upstreamCluster, upstreamsOf } from '../upstreams/clusters.ts';
import { assignment } from '../upstreams/endpoints.ts';
import { hasAssignment } from '../upstreams/external-upstreams.ts';
import { originatedSocket } from '../upstreams/originated-tls.ts';
import { circuitBreakers, protocolOptions } from '../upstreams/upstream-defaults.ts';
import { extension, millis, socketAddress } from '../wire-values.ts';
import { type Policy, providerAddress, providerService } from './extension-policies.ts';

/** Where services are looked up by key. */
export interface ProviderWorld {
  readonly fleet: Fleet;
  lookup(key: string): ServiceView | undefined;
}

type Provider = Policy<ExtensionProviderSpec>;

/** Name of the upstream cluster of a provider. */
export function providerClusterName({ namespace, name }: Provider): string {
  return `provider|${namespace}/${name}`;
}

/** Cluster and endpoints of a provider, with the trust that it needs. */
export function providerUpstream(provider: Provider, world: ProviderWorld): readonly XdsResource[] {
  const address = providerAddress(provider.spec);
  if (address === undefined) return [];
  const name = providerClusterName(provider);
  const ofMesh = meshUpstream(name, { service: providerService(provider) ?? '', port: address.port }, world);
  return ofMesh ?? [outsideUpstream(name, address, { isGrpc: isGrpc(provider.spec), isTls: false })];
}

/** The way to a port of a service of the mesh, by its key; undefined when it has none. */
export function meshUpstream(
  name: string,
  { service, port: wanted }: { readonly service: string; readonly port: number },
  world: ProviderWorld,
): readonly XdsResource[] | undefined {
  const view = world.lookup(service);
  const found = view && upstreamsOf(view).find(({ port, labels, plain }) => port.port === wanted && labels.length === 0 && !plain);
  if (view === undefined || found === undefined) return undefined;
  const upstream = { ...found, name };
  const assigned = assignment(upstream, view, world.fleet);
  const cluster = upstreamCluster(upstream, view, assigned);
  if (!hasAssignment(upstream.host)) return [cluster];
  const endpoints = encoded('EDS', upstream.name, assigned, ClusterLoadAssignmentSchema);
  return [cluster, tiedTo(cluster, endpoints), serviceTrust(view, world.fleet)];
}

/** The cluster of a host outside the mesh. */
export function outsideUpstream(
  name: string,
  { service, port }: { readonly service: string; readonly port: number },
  { isGrpc, isTls, isVerified = false }: { readonly isGrpc: boolean; readonly isTls: boolean; readonly isVerified?: boolean },
): XdsResource {
  const type = isIpAddress(service) ? Cluster_DiscoveryType.STATIC : Cluster_DiscoveryType.STRICT_DNS;
  const endpoint = { address: socketAddress(service, port) };
  const http2 = { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } } } as const;
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: type },
    connectTimeout: millis(2_000),
    circuitBreakers: circuitBreakers(),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: endpoint } }] }] },
    typedExtensionProtocolOptions: isGrpc ? protocolOptions({ upstreamProtocolOptions: http2 }) : {},
    ...(isTls ? { transportSocket: isVerified ? verified(service) : unchecked(service) } : {}),
  });
  return encoded('CDS', name, message, ClusterSchema);
}

/** The host is checked by the authorities of the proxy's system. */
function verified(host: string): TransportSocketInit {
  return originatedSocket({ tls: { mode: 'SIMPLE' } }, { host, isHttp: false, alpn: [], subjectAltNames: [] });
}

/** The host is not checked: what is fetched has a digest that is. */
function unchecked(host: string): ReturnType<typeof extension> {
  return extension('envoy.transport_sockets.tls', UpstreamTlsContextSchema, { sni: host, commonTlsContext: {} });
}

function isGrpc(spec: ExtensionProviderSpec): boolean {
  return spec.envoyExtAuthzGrpc !== undefined || (spec.opentelemetry !== undefined && spec.opentelemetry.http === undefined);
}

function isIpAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}
