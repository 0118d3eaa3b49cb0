/**
 * What a server's proxy counts of callers that do not come by the mesh's TLS: by port and address, so that an operator sees who would
 * be cut off by STRICT (decision 0024). A bounded number of series: a scan of ports, or of many addresses, loses detail and no count. Pure.
 */
import type { JsonObject } from '@bufbuild/protobuf';
import { MOST_PLAIN_SERIES, PLAIN_SCOPES, PLAIN_TAG, type PlainWay } from '@hawser/model/plain-stats.ts';
import { AccessLogType } from '@hawser/xds/generated/envoy/data/accesslog/v3/accesslog_pb.ts';
import { structured } from '../wire-values.ts';
import type { AccessLogInit } from './access-logs.ts';

/** The connection's own, whatever a request says of itself. */
const CALLER = '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%';
/** Before the kernel led it here. */
const AT = `%DOWNSTREAM_LOCAL_PORT%|${CALLER}`;

const ENDS = [AccessLogType.DownstreamEnd, AccessLogType.TcpConnectionEnd];
const LASTS = [AccessLogType.TcpUpstreamConnected, AccessLogType.TcpConnectionEnd];

function stat(name: string, of?: string): JsonObject {
  return { name, ...(of === undefined ? {} : { tags: [{ name: PLAIN_TAG, value_format: of }] }) };
}

function log(prefix: string, types: readonly AccessLogType[], counted: JsonObject): AccessLogInit {
  const most = { max_counters: MOST_PLAIN_SERIES, max_gauges: MOST_PLAIN_SERIES, max_histograms: 1 };
  return {
    ...structured('envoy.access_loggers.stats', 'envoy.extensions.access_loggers.stats.v3.Config', {
      stats_scope: { prefix, ...most },
      ...counted,
    }),
    filter: { filterSpecifier: { case: 'logTypeFilter', value: { types: [...types] } } },
  };
}

function counter(prefix: string, way: PlainWay, of?: string): AccessLogInit {
  return log(prefix, ENDS, { counters: [{ stat: stat(way, of), value_fixed: 1 }] });
}

/** The finest comes first: what a coarser one has more than it is what it had no room for. */
function logsOf(way: PlainWay): readonly AccessLogInit[] {
  return [counter(PLAIN_SCOPES.at, way, AT), counter(PLAIN_SCOPES.by, way, CALLER), counter(PLAIN_SCOPES.all, way)];
}

const OPEN: AccessLogInit = log(PLAIN_SCOPES.open, LASTS, {
  gauges: [
    {
      stat: stat('passed', AT),
      add_subtract: { add_log_type: 'TcpUpstreamConnected', sub_log_type: 'TcpConnectionEnd' },
      value_fixed: 1,
    },
  ],
});

/** Of chains that let callers through: requests, and connections, as they end; connections that last. */
export const PLAIN_PASSED: readonly AccessLogInit[] = [...logsOf('passed'), OPEN];

/** Of chains that refuse them. */
export const PLAIN_REFUSED: readonly AccessLogInit[] = logsOf('refused');
