/** Access logs as Envoy has them. The log that a Telemetry usually asks for is in every listener; a secret switches it. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { FileAccessLogProvider } from '@hawser/model/extension-provider.ts';
import { BUILT_IN_LOG } from '@hawser/model/provider-references.ts';
import type { AccessLogFilterSchema, AccessLogSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { SubstitutionFormatStringSchema } from '@hawser/xds/generated/envoy/config/core/v3/substitution_format_string_pb.ts';
import { FileAccessLogSchema } from '@hawser/xds/generated/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import { ExpressionFilterSchema } from '@hawser/xds/generated/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.ts';
import { StderrAccessLogSchema, StdoutAccessLogSchema } from '@hawser/xds/generated/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { extension, type Init } from '../wire-values.ts';
import type { WantedLog } from './effective-telemetry.ts';

export type AccessLogInit = Init<typeof AccessLogSchema>;
type FilterInit = Init<typeof AccessLogFilterSchema>;

/** Key of the filter state that says whether the switched log is on. */
export const LOG_STATE = 'hawser.access_log';

/** Istio's default format of a line. */
const TEXT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ' +
  '%CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" ' +
  '"%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ' +
  '%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';

/** Whether the log is the one that is switched without a change of the listener. */
export function isSwitched({ provider, filter }: WantedLog): boolean {
  return provider === BUILT_IN_LOG && filter === undefined;
}

/** The logs of a listener: the switched one, whatever its state, and all others that are wanted. */
export function accessLogs(wanted: readonly WantedLog[], builtIn: FileAccessLogProvider): AccessLogInit[] {
  const switched = fileLog(builtIn, matching(`filter_state['${LOG_STATE}'] == b'on'`));
  return [
    switched,
    ...wanted
      .filter((log) => !isSwitched(log))
      .map(({ form = {}, filter }) => fileLog(form, filter === undefined ? undefined : matching(filter))),
  ];
}

function fileLog({ path = STDOUT, logFormat }: FileAccessLogProvider, filter: FilterInit | undefined): AccessLogInit {
  const accessLogFormat = { case: 'logFormat', value: formatOf(logFormat) } as const;
  return { ...writer(path, accessLogFormat), ...(filter === undefined ? {} : { filter }) };
}

/** Envoy's own output is not opened as a file: that fails where it is a socket. */
function writer(path: string, accessLogFormat: { case: 'logFormat'; value: ReturnType<typeof formatOf> }): ReturnType<typeof extension> {
  if (path === STDOUT) return extension('envoy.access_loggers.stdout', StdoutAccessLogSchema, { accessLogFormat });
  if (path === '/dev/stderr') return extension('envoy.access_loggers.stderr', StderrAccessLogSchema, { accessLogFormat });
  return extension('envoy.access_loggers.file', FileAccessLogSchema, { path, accessLogFormat });
}

const STDOUT = '/dev/stdout';

function formatOf(format: FileAccessLogProvider['logFormat']): Init<typeof SubstitutionFormatStringSchema> {
  if (format?.labels !== undefined)
    return { format: { case: 'jsonFormat', value: format.labels as JsonObject }, jsonFormatOptions: { sortProperties: true } };
  const text = format?.text === undefined ? TEXT : `${format.text.replace(/\n$/, '')}\n`;
  return { format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: text } } } };
}

function matching(expression: string): FilterInit {
  const cel = extension('envoy.access_loggers.extension_filters.cel', ExpressionFilterSchema, { expression });
  return { filterSpecifier: { case: 'extensionFilter', value: cel } };
}
