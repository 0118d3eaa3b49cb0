/** Small resources that real clients take, for tests of the ADS server. */
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import { typeRegistry } from '@hawser/agent/xds/type-registry.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const ADS = { ads: {}, resourceApiVersion: 'V3' };

/** A cluster whose endpoints come by EDS. */
export function edsCluster(name: string, connectTimeout: string): XdsResource {
  return built('CDS', ClusterSchema, { name, type: 'EDS', edsClusterConfig: { edsConfig: ADS }, connectTimeout });
}

/** Endpoints on 127.0.0.1, in one locality. */
export function loopbackEndpoints(clusterName: string, ports: readonly number[]): XdsResource {
  return endpointsAt(
    clusterName,
    ports.map((port) => ({ address: '127.0.0.1', port })),
  );
}

/** Endpoints anywhere, in one locality. */
export function endpointsAt(clusterName: string, places: readonly { readonly address: string; readonly port: number }[]): XdsResource {
  const lbEndpoints = places.map(({ address, port }) => ({ endpoint: { address: { socketAddress: { address, portValue: port } } } }));
  const locality = { region: 'test', zone: 'a', subZone: 'a' };
  return built('EDS', ClusterLoadAssignmentSchema, { clusterName, endpoints: [{ locality, loadBalancingWeight: 1, lbEndpoints }] });
}

/** Everything to one cluster. */
export function routeTo(name: string, cluster: string): XdsResource {
  const routes = [{ match: { prefix: '' }, route: { cluster } }];
  return built('RDS', RouteConfigurationSchema, { name, virtualHosts: [{ name: 'all', domains: ['*'], routes }] });
}

/** A TLS listener on a port of 127.0.0.1 whose routes come by RDS and whose certificate, `identity`, by SDS. */
export function tlsListener(
  name: string,
  routeConfigName: string,
  options: { port: number; sds?: { [field: string]: JsonValue } },
): XdsResource {
  const context = {
    '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: 'identity', sdsConfig: { ...ADS, ...options.sds } }] },
  };
  const transportSocket = { name: 'tls', typedConfig: context };
  const filters = [{ name: 'http', typedConfig: httpManager(routeConfigName) }];
  return built('LDS', ListenerSchema, { name, address: loopback(options.port), filterChains: [{ filters, transportSocket }] });
}

/** A listener whose routes come by RDS: on a port of 127.0.0.1, or without one as gRPC's clients name it. */
export function rdsListener(name: string, routeConfigName: string, port?: number): XdsResource {
  const manager = httpManager(routeConfigName);
  if (port === undefined) return built('LDS', ListenerSchema, { name, apiListener: { apiListener: manager } });
  const filterChains = [{ filters: [{ name: 'http', typedConfig: manager }] }];
  return built('LDS', ListenerSchema, { name, address: loopback(port), filterChains });
}

function httpManager(routeConfigName: string): { [field: string]: JsonValue } {
  return {
    ...{ '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`, statPrefix: 'in' },
    rds: { routeConfigName, configSource: ADS },
    httpFilters: [{ name: 'router', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
  };
}

function loopback(portValue: number): { [field: string]: JsonValue } {
  return { socketAddress: { address: '127.0.0.1', portValue } };
}

function built(type: XdsType, schema: DescMessage, json: { [field: string]: JsonValue }): XdsResource {
  const bytes = toBinary(schema, fromJson(schema, json, { registry: typeRegistry() }));
  return { type, name: String(json['name'] ?? json['clusterName']), version: sha256(bytes).slice(0, 16), bytes };
}
