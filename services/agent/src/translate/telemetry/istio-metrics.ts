/**
 * Istio's standard metrics, counted by Envoy itself: an access logger that keeps statistics (`envoy.access_loggers.stats`, newer
 * than our copy of the API). They are named as in Istio where the bootstrap claims the namespace of their names (decision 0019).
 */
import type { JsonObject } from '@bufbuild/protobuf';
import { AccessLogType } from '@hawser/xds/generated/envoy/data/accesslog/v3/accesslog_pb.ts';
import { url } from '../matched-filter.ts';
import { type extension, structured } from '../wire-values.ts';
import type { AccessLogInit } from './access-logs.ts';
import type { MetricOverrides } from './effective-telemetry.ts';
import { COUNTS_MESSAGES, messageCount, WAS_COUNTED } from './grpc-messages.ts';

/** Labels of a metric with their values in Envoy's format. */
export type Labels = Readonly<Record<string, string>>;

/** Envoy prefixes every name with `envoy_` but those of this scope, once anything has claimed it. */
const SCOPE = 'wasmcustom';
/** Series that a proxy keeps of each kind; more are not counted, so that no caller can exhaust its memory. */
const MOST_SERIES = 10_000;

interface Metric {
  /** As a Telemetry calls it. */
  readonly id: string;
  readonly name: string;
  /** Value in Envoy's format; each counts one without. */
  readonly value?: string;
  readonly unit?: 'Milliseconds' | 'Bytes';
}

const HTTP: readonly Metric[] = [
  { id: 'REQUEST_COUNT', name: 'istio_requests_total' },
  { id: 'REQUEST_DURATION', name: 'istio_request_duration_milliseconds', value: '%DURATION%', unit: 'Milliseconds' },
  { id: 'REQUEST_SIZE', name: 'istio_request_bytes', value: '%BYTES_RECEIVED%', unit: 'Bytes' },
  { id: 'RESPONSE_SIZE', name: 'istio_response_bytes', value: '%BYTES_SENT%', unit: 'Bytes' },
];
/** Counted when a request ends, as the others are: what a log knows of an open one would be added again and again. */
const GRPC: readonly Metric[] = [
  { id: 'GRPC_REQUEST_MESSAGES', name: 'istio_request_messages_total', value: messageCount('requests') },
  { id: 'GRPC_RESPONSE_MESSAGES', name: 'istio_response_messages_total', value: messageCount('responses') },
];
const TCP_OPENED: readonly Metric[] = [{ id: 'TCP_OPENED_CONNECTIONS', name: 'istio_tcp_connections_opened_total' }];
const TCP_CLOSED: readonly Metric[] = [
  { id: 'TCP_CLOSED_CONNECTIONS', name: 'istio_tcp_connections_closed_total' },
  { id: 'TCP_SENT_BYTES', name: 'istio_tcp_sent_bytes_total', value: '%BYTES_SENT%' },
  { id: 'TCP_RECEIVED_BYTES', name: 'istio_tcp_received_bytes_total', value: '%BYTES_RECEIVED%' },
];

/** Counts requests, and the messages of those that are gRPC; none is where the port speaks HTTP/1.1 alone. */
export function httpMetrics(labels: Labels, overrides: MetricOverrides, isHttp1 = false): AccessLogInit[] {
  const all = { ...labels, ...HTTP_LABELS, ...(isHttp1 ? { request_protocol: 'http' } : {}), ...lastOf(labels) };
  if (isHttp1) return counted(HTTP, all, overrides);
  const messages = counted(GRPC, all, overrides).map((log) => ({ ...log, filter: WAS_COUNTED }));
  return [...counted(HTTP, all, overrides), ...messages];
}

/** The filters that metrics of requests need, after all that may answer a request themselves. */
export function metricFilters({ disabled }: MetricOverrides): ReturnType<typeof extension>[] {
  return GRPC.every(({ id }) => disabled.has(id)) ? [] : [COUNTS_MESSAGES];
}

/** Counts connections, as they begin and as they end. */
export function tcpMetrics(labels: Labels, overrides: MetricOverrides): AccessLogInit[] {
  const all = { ...labels, request_protocol: 'tcp', response_flags: '%RESPONSE_FLAGS%', ...lastOf(labels) };
  const begun = counted(TCP_OPENED, all, overrides).map((log) => ({ ...log, filter: ofType(AccessLogType.TcpUpstreamConnected) }));
  return [...begun, ...counted(TCP_CLOSED, all, overrides).map((log) => ({ ...log, filter: ofType(AccessLogType.TcpConnectionEnd) }))];
}

const CONTENT_TYPE = '%REQ(content-type)%';
const becomes = (value: string): JsonObject => ({
  action: {
    name: value,
    typed_config: {
      '@type': url('envoy.extensions.matching.actions.transform_stat.v3.TransformStat'),
      update_tag: { new_tag_value: value },
    },
  },
});
/** The protocol by the content type: a condition over the label's own value, since CEL, evaluated for each metric, was 4 % of a sidecar's CPU. */
const PROTOCOL_BY_CONTENT_TYPE: JsonObject = {
  matcher_list: {
    matchers: [
      {
        predicate: {
          single_predicate: {
            input: { name: 'value', typed_config: { '@type': url('envoy.extensions.matching.common_inputs.stats.v3.StatTagValueInput') } },
            value_match: { prefix: 'application/grpc' },
          },
        },
        on_match: becomes('grpc'),
      },
    ],
  },
  on_no_match: becomes('http'),
};
const HTTP_LABELS: Labels = {
  request_protocol: CONTENT_TYPE,
  response_code: '%RESPONSE_CODE%',
  grpc_response_status: '%GRPC_STATUS_NUMBER%',
  response_flags: '%RESPONSE_FLAGS%',
};

/** Servers take mutual TLS alone, unless a chain says otherwise. */
function lastOf({ reporter, connection_security_policy: policy = reporter === 'destination' ? 'mutual_tls' : 'unknown' }: Labels): Labels {
  return { connection_security_policy: policy };
}

function counted(metrics: readonly Metric[], labels: Labels, overrides: MetricOverrides): AccessLogInit[] {
  const wanted = metrics.filter(({ id }) => !overrides.disabled.has(id));
  if (wanted.length === 0) return [];
  const stat = ({ id, name }: Metric): JsonObject => ({ name, tags: tagsOf(labels, overrides.tags.get(id) ?? new Map()) });
  const histograms = wanted.filter(({ unit }) => unit !== undefined);
  const counters = wanted.filter(({ unit }) => unit === undefined);
  const config: JsonObject = {
    stats_scope: { prefix: SCOPE, max_counters: MOST_SERIES, max_histograms: MOST_SERIES },
    counters: counters.map((one) => ({ stat: stat(one), ...(one.value === undefined ? { value_fixed: 1 } : { value_format: one.value }) })),
    histograms: histograms.map((one) => ({ stat: stat(one), unit: one.unit ?? '', value_format: one.value ?? '' })),
  };
  return [structured('envoy.access_loggers.stats', 'envoy.extensions.access_loggers.stats.v3.Config', config)];
}

function tagsOf(
  labels: Labels,
  changes: ReadonlyMap<string, { readonly operation?: string | undefined; readonly value?: string | undefined }>,
): JsonObject[] {
  const formats = new Map(Object.entries(labels));
  for (const [tag, { operation = 'UPSERT', value = '' }] of changes) {
    if (operation === 'REMOVE') formats.delete(tag);
    else formats.set(tag, `%CEL(${value})%`);
  }
  return [...formats].map(([name, format]) => ({
    ...{ name, value_format: format },
    ...(format === CONTENT_TYPE ? { rules: PROTOCOL_BY_CONTENT_TYPE } : {}),
  }));
}

function ofType(type: AccessLogType): NonNullable<AccessLogInit['filter']> {
  return { filterSpecifier: { case: 'logTypeFilter', value: { types: [type] } } };
}
