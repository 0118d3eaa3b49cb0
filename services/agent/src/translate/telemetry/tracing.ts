/** Tracing as Envoy has it: which tracer, how many requests, which tags. */
import { create } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { parseDuration } from '@hawser/model/duration.ts';
import type { OpenTelemetryProvider, ZipkinProvider } from '@hawser/model/extension-provider.ts';
import type { TelemetryCustomTags } from '@hawser/model/istio/specs.ts';
import type { Tracing_HttpSchema } from '@hawser/xds/generated/envoy/config/trace/v3/http_tracer_pb.ts';
import type { HttpConnectionManager_TracingSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { UuidRequestIdConfigSchema } from '@hawser/xds/generated/envoy/extensions/request_id/uuid/v3/uuid_pb.ts';
import { type CustomTag, CustomTagSchema } from '@hawser/xds/generated/envoy/type/tracing/v3/custom_tag_pb.ts';
import { extension, type Init, structured } from '../wire-values.ts';
import type { WantedTracing } from './effective-telemetry.ts';
import type { Workload } from './extension-policies.ts';
import { peerOf } from './labels.ts';
import { providerClusterName } from './provider-upstreams.ts';

/** Tracing of a connection manager. */
export function tracingOf(wanted: WantedTracing, workload: Workload): Init<typeof HttpConnectionManager_TracingSchema> {
  const { opentelemetry, zipkin } = wanted.provider.spec;
  const maxPathTagLength = (opentelemetry ?? zipkin)?.maxTagLength;
  const tags = [
    ...(wanted.istioTags ? istioTags(workload) : []),
    ...Object.entries(wanted.tags)
      .sort(byName)
      .map(([tag, value]) => customTag(tag, value)),
  ];
  return {
    clientSampling: { value: 100 },
    randomSampling: { value: wanted.sampling },
    overallSampling: { value: 100 },
    ...(maxPathTagLength === undefined ? {} : { maxPathTagLength }),
    customTags: tags,
    provider: tracerOf(wanted, workload),
  };
}

/** The extension that makes request ids: sampling is told by them unless a Telemetry says otherwise. */
export function requestIds({ byRequestId }: WantedTracing): ReturnType<typeof extension> {
  return extension('envoy.request_id.uuid', UuidRequestIdConfigSchema, {
    packTraceReason: byRequestId,
    useRequestIdForTraceSampling: byRequestId,
  });
}

function tracerOf({ provider }: WantedTracing, workload: Workload): Init<typeof Tracing_HttpSchema> {
  const cluster = providerClusterName(provider);
  const { opentelemetry, zipkin } = provider.spec;
  if (opentelemetry !== undefined) return openTelemetry(opentelemetry, cluster, workload);
  return zipkinTracer(zipkin ?? EMPTY, cluster);
}

const EMPTY: ZipkinProvider = { service: '', port: 0 };

function openTelemetry({ service, http }: OpenTelemetryProvider, cluster: string, workload: Workload): Init<typeof Tracing_HttpSchema> {
  const { app, namespace } = peerOf(workload);
  const timeout = `${(parseDuration(http?.timeout ?? '3s') ?? 3_000) / 1_000}s`;
  const headers = Object.entries(http?.headers ?? {}).map(([key, value]) => ({ header: { key, value } }));
  const exporter =
    http === undefined
      ? { grpc_service: { envoy_grpc: { cluster_name: cluster, authority: service }, timeout } }
      : { http_service: { http_uri: { uri: `http://${service}${http.path}`, cluster, timeout }, request_headers_to_add: headers } };
  return structured('envoy.tracers.opentelemetry', 'envoy.config.trace.v3.OpenTelemetryConfig', {
    ...exporter,
    service_name: `${app}.${namespace}`,
  });
}

function zipkinTracer(zipkin: ZipkinProvider, cluster: string): Init<typeof Tracing_HttpSchema> {
  return structured('envoy.tracers.zipkin', 'envoy.config.trace.v3.ZipkinConfig', {
    collector_cluster: cluster,
    collector_endpoint: zipkin.path ?? '/api/v2/spans',
    collector_endpoint_version: 'HTTP_JSON',
    collector_hostname: zipkin.service,
    trace_id_128bit: zipkin.enable64bitTraceId !== true,
    shared_span_context: false,
    ...(zipkin.traceContextOption === undefined ? {} : { trace_context_option: zipkin.traceContextOption }),
  });
}

/** Tags that Istio's tools look for. */
function istioTags(workload: Workload): Init<typeof CustomTagSchema>[] {
  const { app, version, namespace, cluster } = peerOf(workload);
  const tags = {
    'istio.canonical_revision': version,
    'istio.canonical_service': app,
    'istio.cluster_id': cluster,
    'istio.mesh_id': 'hawser',
    'istio.namespace': namespace,
  };
  return Object.entries(tags).map(([tag, value]) => ({ tag, type: { case: 'literal', value: { value } } }));
}

function customTag(
  tag: string,
  { literal, environment, header, formatter }: TelemetryCustomTags,
): Init<typeof CustomTagSchema> | CustomTag {
  if (environment !== undefined) return { tag, type: { case: 'environment', value: named(environment) } };
  if (header !== undefined) return { tag, type: { case: 'requestHeader', value: named(header) } };
  if (formatter !== undefined) return formattedTag(tag, formatter.value);
  return { tag, type: { case: 'literal', value: { value: literal?.value ?? '' } } };
}

/** `CustomTag.value`, field 6, is newer than our copy of the API: it is written as a field that the copy does not know. */
function formattedTag(tag: string, format: string): CustomTag {
  const message = create(CustomTagSchema, { tag });
  const data = new BinaryWriter().string(format).finish();
  message.$unknown = [{ no: 6, wireType: 2, data }];
  return message;
}

function named({ name, defaultValue = '' }: { readonly name: string; readonly defaultValue?: string | undefined }): {
  name: string;
  defaultValue: string;
} {
  return { name, defaultValue };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
