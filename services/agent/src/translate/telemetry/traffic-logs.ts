/**
 * What every caller's proxy counts of its traffic, whatever Telemetry policies say: an agent reads it each second (decision 0028).
 * The access log counts client requests; the router's own log counts attempts, each under the endpoint that it went to.
 */
import type { JsonObject } from '@bufbuild/protobuf';
import { TRAFFIC_SCOPE, TRAFFIC_STATS, TRAFFIC_TAG } from '@hawser/model/traffic-stats.ts';
import { AccessLogType } from '@hawser/xds/generated/envoy/data/accesslog/v3/accesslog_pb.ts';
import { structured } from '../wire-values.ts';
import type { AccessLogInit } from './access-logs.ts';
import { PEER_METADATA } from './labels.ts';

/** Series that a proxy keeps of each kind: more are not counted, so that no caller can exhaust its memory. */
const MOST_SERIES = 10_000;

const service = (key: string): string => `%METADATA(CLUSTER:${PEER_METADATA}:${key})%`;
/** As `TRAFFIC_FIELDS` has it. */
const TOWARDS = [
  `${service('namespace')}/${service('service')}`,
  // The only expression: its evaluation costs more than all else that is noted here.
  '%CEL(upstream.locality.sub_zone)%',
  `%UPSTREAM_METADATA(${PEER_METADATA}:version)%`,
];
const RESULT = ['%RESPONSE_CODE%', '%RESPONSE_FLAGS%', '%GRPC_STATUS_NUMBER%'];

function stat(name: string, of: readonly string[]): JsonObject {
  return { name, tags: [{ name: TRAFFIC_TAG, value_format: of.join('|') }] };
}

function log(types: readonly AccessLogType[], counted: JsonObject): AccessLogInit {
  const config = {
    stats_scope: { prefix: TRAFFIC_SCOPE, max_counters: MOST_SERIES, max_gauges: MOST_SERIES, max_histograms: MOST_SERIES },
    ...counted,
  };
  return {
    ...structured('envoy.access_loggers.stats', 'envoy.extensions.access_loggers.stats.v3.Config', config),
    filter: { filterSpecifier: { case: 'logTypeFilter', value: { types: [...types] } } },
  };
}

/** Counts client requests as they end, and how long they took. */
export const REQUEST_LOG: AccessLogInit = log([AccessLogType.DownstreamEnd], {
  counters: [{ stat: stat(TRAFFIC_STATS.requests, [...TOWARDS, ...RESULT, '%UPSTREAM_REQUEST_ATTEMPT_COUNT%']), value_fixed: 1 }],
  histograms: [
    {
      stat: stat(TRAFFIC_STATS.latency, TOWARDS),
      unit: 'Microseconds',
      value_format: '%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%',
    },
  ],
});

/** Count attempts as they end, and those in progress; for the router's log. */
export const ATTEMPT_LOGS: readonly AccessLogInit[] = [
  log([AccessLogType.UpstreamEnd], { counters: [{ stat: stat(TRAFFIC_STATS.attempts, [...TOWARDS, ...RESULT]), value_fixed: 1 }] }),
  log([AccessLogType.UpstreamPoolReady, AccessLogType.UpstreamEnd], {
    gauges: [
      {
        stat: stat(TRAFFIC_STATS.active, TOWARDS),
        add_subtract: { add_log_type: 'UpstreamPoolReady', sub_log_type: 'UpstreamEnd' },
        value_fixed: 1,
      },
    ],
  }),
];
