/** All message types that Hawser's configuration holds, for protobuf JSON with `Any` spelled out. */
import { createRegistry, type DescFile, type Registry } from '@bufbuild/protobuf';
import { file_envoy_config_cluster_v3_cluster as cluster } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { file_envoy_config_endpoint_v3_endpoint as endpoint } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { file_envoy_config_listener_v3_listener as listener } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { file_envoy_config_route_v3_route as route } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { file_envoy_config_trace_v3_opentelemetry as openTelemetry } from '@hawser/xds/generated/envoy/config/trace/v3/opentelemetry_pb.ts';
import { file_envoy_config_trace_v3_zipkin as zipkin } from '@hawser/xds/generated/envoy/config/trace/v3/zipkin_pb.ts';
import { file_envoy_extensions_access_loggers_file_v3_file as accessLog } from '@hawser/xds/generated/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import { file_envoy_extensions_access_loggers_filters_cel_v3_cel as celFilter } from '@hawser/xds/generated/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts';
import { file_envoy_extensions_access_loggers_stream_v3_stream as streamLog } from '@hawser/xds/generated/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { file_envoy_extensions_clusters_dynamic_forward_proxy_v3_cluster as forwardCluster } from '@hawser/xds/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts';
import { file_envoy_extensions_filters_http_cors_v3_cors as cors } from '@hawser/xds/generated/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { file_envoy_extensions_filters_http_dynamic_forward_proxy_v3_dynamic_forward_proxy as forwardProxy } from '@hawser/xds/generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts';
import { file_envoy_extensions_filters_http_ext_authz_v3_ext_authz as extAuthz } from '@hawser/xds/generated/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import { file_envoy_extensions_filters_http_fault_v3_fault as fault } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { file_envoy_extensions_filters_http_grpc_web_v3_grpc_web as grpcWeb } from '@hawser/xds/generated/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts';
import { file_envoy_extensions_filters_http_header_mutation_v3_header_mutation as headerMutation } from '@hawser/xds/generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts';
import { file_envoy_extensions_filters_http_on_demand_v3_on_demand as onDemand } from '@hawser/xds/generated/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.ts';
import { file_envoy_extensions_filters_http_rbac_v3_rbac as rbac } from '@hawser/xds/generated/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';
import { file_envoy_extensions_filters_http_router_v3_router as router } from '@hawser/xds/generated/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { file_envoy_extensions_filters_http_stateful_session_v3_stateful_session as statefulSession } from '@hawser/xds/generated/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts';
import { file_envoy_extensions_filters_http_wasm_v3_wasm as wasm } from '@hawser/xds/generated/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts';
import { file_envoy_extensions_filters_listener_http_inspector_v3_http_inspector as httpInspector } from '@hawser/xds/generated/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { file_envoy_extensions_filters_listener_original_dst_v3_original_dst as originalDst } from '@hawser/xds/generated/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector as tlsInspector } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager as httpManager } from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { file_envoy_extensions_filters_network_rbac_v3_rbac as networkRbac } from '@hawser/xds/generated/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts';
import { file_envoy_extensions_filters_network_sni_dynamic_forward_proxy_v3_sni_dynamic_forward_proxy as sniForwardProxy } from '@hawser/xds/generated/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.ts';
import { file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy as tcpProxy } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { file_envoy_extensions_http_stateful_session_header_v3_header as sessionHeader } from '@hawser/xds/generated/envoy/extensions/http/stateful_session/header/v3/header_pb.ts';
import { file_envoy_extensions_matching_common_inputs_network_v3_network_inputs as networkInputs } from '@hawser/xds/generated/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.ts';
import { file_envoy_extensions_matching_common_inputs_ssl_v3_ssl_inputs as tlsInputs } from '@hawser/xds/generated/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts';
import { file_envoy_extensions_request_id_uuid_v3_uuid as requestIds } from '@hawser/xds/generated/envoy/extensions/request_id/uuid/v3/uuid_pb.ts';
import { file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts as previousHosts } from '@hawser/xds/generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts';
import { file_envoy_extensions_retry_priority_previous_priorities_v3_previous_priorities_config as previousPriorities } from '@hawser/xds/generated/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts';
import { file_envoy_extensions_transport_sockets_internal_upstream_v3_internal_upstream as internalUpstream } from '@hawser/xds/generated/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream_pb.ts';
import { file_envoy_extensions_transport_sockets_proxy_protocol_v3_upstream_proxy_protocol as proxyProtocol } from '@hawser/xds/generated/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts';
import { file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer as rawBuffer } from '@hawser/xds/generated/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts';
import { file_envoy_extensions_transport_sockets_tls_v3_secret as secret } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { file_envoy_extensions_transport_sockets_tls_v3_tls as tls } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { file_envoy_extensions_transport_sockets_tls_v3_tls_spiffe_validator_config as spiffe } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options as httpOptions } from '@hawser/xds/generated/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { file_xds_type_v3_typed_struct as typedStruct } from '@hawser/xds/generated/xds/type/v3/typed_struct_pb.ts';

const FILES = [
  ...[cors, grpcWeb, httpInspector, originalDst, forwardCluster, forwardProxy, sniForwardProxy],
  ...[openTelemetry, zipkin, celFilter, extAuthz, headerMutation, onDemand, rbac, wasm, requestIds, typedStruct, streamLog],
  ...[networkRbac, networkInputs, tlsInputs],
  ...[cluster, endpoint, listener, route, accessLog, fault, router, statefulSession, tlsInspector, httpManager, tcpProxy],
  ...[sessionHeader, previousHosts, previousPriorities, internalUpstream, rawBuffer, secret, tls, spiffe, httpOptions, proxyProtocol],
];

let registry: Registry | undefined;

/** The registry, built at its first use. */
export function typeRegistry(): Registry {
  registry ??= createRegistry(...withImports(FILES));
  return registry;
}

function withImports(files: readonly DescFile[], all = new Set<DescFile>()): Set<DescFile> {
  for (const file of files) {
    if (all.has(file)) continue;
    all.add(file);
    withImports(file.dependencies, all);
  }
  return all;
}
