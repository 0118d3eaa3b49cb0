/**
 * Counts the messages of gRPC. Envoy's own filter for that (grpc_stats) counts them by upstream, and shows a log both numbers in one
 * text that nothing can take apart: neither can be counted with the labels of who calls whom. So a script counts them, of gRPC alone.
 */
import type { AccessLogFilterSchema } from '@hawser/xds/generated/envoy/config/accesslog/v3/accesslog_pb.ts';
import { filterWhere, url } from '../matched-filter.ts';
import type { extension, Init } from '../wire-values.ts';

/** Where the counts of a request are: dynamic metadata, decimal text by direction. */
const COUNTS = 'hawser.grpc';
type Direction = 'requests' | 'responses';

/** The content types of gRPC; gRPC-Web is another protocol, and is gRPC once it was translated. */
const CONTENT_TYPE = 'application/grpc(\\+.*)?';

/** A message is a byte that says whether it is compressed, its length in four, and itself (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const SCRIPT = `
local function count(handle, direction)
  local messages, header, length, left = 0, 0, 0, 0
  local function note()
    handle:streamInfo():dynamicMetadata():set("${COUNTS}", direction, string.format("%d", messages))
  end
  note()
  for chunk in handle:bodyChunks() do
    local at, size = 0, chunk:length()
    while at < size do
      if left > 0 then
        local passed = math.min(left, size - at)
        at, left = at + passed, left - passed
      else
        local byte = string.byte(chunk:getBytes(at, 1))
        at, header = at + 1, header + 1
        if header > 1 then length = length * 256 + byte end
        if header == 5 then
          messages, left, header, length = messages + 1, length, 0, 0
        end
      end
    end
    note()
  end
end
function envoy_on_request(handle) count(handle, "requests") end
function envoy_on_response(handle) count(handle, "responses") end
`;

/** Notes with each gRPC request how many messages have passed. Bodies are not held back, and other requests not looked at. */
export const COUNTS_MESSAGES: ReturnType<typeof extension> = filterWhere(
  {
    name: 'envoy.filters.http.lua',
    type: 'envoy.extensions.filters.http.lua.v3.Lua',
    config: { default_source_code: { inline_string: SCRIPT } },
  },
  {
    single_predicate: {
      input: {
        name: 'content-type',
        typed_config: { '@type': url('envoy.type.matcher.v3.HttpRequestHeaderMatchInput'), header_name: 'content-type' },
      },
      value_match: { safe_regex: { google_re2: {}, regex: CONTENT_TYPE } },
    },
  },
);

/** How many messages have passed, in Envoy's format. */
export function messageCount(direction: Direction): string {
  return `%DYNAMIC_METADATA(${COUNTS}:${direction})%`;
}

/** Takes the requests whose messages were counted. */
export const WAS_COUNTED: Init<typeof AccessLogFilterSchema> = {
  filterSpecifier: {
    case: 'metadataFilter',
    value: {
      matcher: {
        filter: COUNTS,
        path: [{ segment: { case: 'key', value: 'requests' satisfies Direction } }],
        value: { matchPattern: { case: 'presentMatch', value: true } },
      },
      matchIfKeyNotFound: false,
    },
  },
};
