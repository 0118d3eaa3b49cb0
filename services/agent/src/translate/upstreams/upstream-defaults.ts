/**
 * How upstreams behave by default: the profile that lost no request when endpoints died (RELIABILITY.md section 3). All share the
 * same messages, made once: whoever gets one must not change it.
 */
import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type CircuitBreakers, CircuitBreakersSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/circuit_breaker_pb.ts';
import { type OutlierDetection, OutlierDetectionSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/outlier_detection_pb.ts';
import { type HealthCheck, HealthCheckSchema } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import type { Http2ProtocolOptionsSchema } from '@hawser/xds/generated/envoy/config/core/v3/protocol_pb.ts';
import { HttpProtocolOptionsSchema } from '@hawser/xds/generated/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { type Init, millis, packed } from '../wire-values.ts';

/** Host metadata that selects the socket through a tunnel (`envoy.transport_socket_match`). */
export const TUNNEL_MATCH = { tunnel: true };
/** The same of a gateway's way to a workload that it speaks for itself. */
export const BARE_MATCH = { bare: true };
/** Selects plain TCP, for health checks. */
export const PLAIN_MATCH = { plain: true };

/** Envoy's own limits (1,024 connections, 3 retries) starve retries when half of the hosts are dead (DATAPATH.md A). */
export function circuitBreakers(): CircuitBreakers {
  return BREAKERS;
}

const MOST = 1_000_000;
/** The limits as fields, for rules that replace some of them. */
export const DEFAULT_LIMITS = {
  maxConnections: MOST,
  maxPendingRequests: MOST,
  maxRequests: MOST,
  retryBudget: { budgetPercent: { value: 100 }, minRetryConcurrency: 200 },
};
const BREAKERS = create(CircuitBreakersSchema, { thresholds: [DEFAULT_LIMITS] });

/** Ejects what fails as a host or a gateway does; an application's own 500 ejects nobody. */
export function outlierDetection(): OutlierDetection {
  return OUTLIERS;
}

/** The profile as fields, for rules that replace some of them. */
export const OUTLIER_DEFAULTS: Init<typeof OutlierDetectionSchema> = {
  interval: millis(1_000),
  baseEjectionTime: millis(15_000),
  // No longer the second time: a region that comes back serves again within this time, and what is still dead costs a retry.
  maxEjectionTime: millis(15_000),
  maxEjectionPercent: 100,
  splitExternalLocalOriginErrors: true,
  consecutiveGatewayFailure: 3,
  enforcingConsecutiveGatewayFailure: 100,
  consecutiveLocalOriginFailure: 3,
  enforcingConsecutiveLocalOriginFailure: 100,
  enforcingConsecutive5xx: 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  // The check below sees the sidecar only: it must not bring back a host whose application is dead.
  successfulActiveHealthCheckUnejectHost: false,
};
const OUTLIERS = create(OutlierDetectionSchema, OUTLIER_DEFAULTS);

/** A TCP connect to the sidecar; hosts behind a tunnel are left out by their own endpoint (RELIABILITY.md section 3). */
export function healthChecks(): HealthCheck[] {
  return [CHECK];
}

const CHECK = create(HealthCheckSchema, {
  timeout: millis(1_000),
  interval: millis(2_000),
  // A new workload may be registered a moment before its sidecar listens: what fails is looked at again soon, traffic or not.
  noTrafficInterval: millis(1_000),
  noTrafficHealthyInterval: millis(5_000),
  unhealthyInterval: millis(1_000),
  intervalJitterPercent: 10,
  unhealthyThreshold: 2,
  healthyThreshold: 1,
  healthChecker: { case: 'tcpHealthCheck', value: {} },
  transportSocketMatchCriteria: PLAIN_MATCH,
});

/** HTTP/2 to another proxy. Pings notice a peer that has gone without a word. */
export function http2Upstream(options: { idleMs: number; pingMs: number; pingTimeoutMs: number }): Record<string, Any> {
  return protocolOptions({
    commonHttpProtocolOptions: { idleTimeout: millis(options.idleMs) },
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: {
        protocolConfig: {
          case: 'http2ProtocolOptions',
          value: http2Options({ streams: 100, ping: { everyMs: options.pingMs, timeoutMs: options.pingTimeoutMs } }),
        },
      },
    },
  });
}

/** HTTP/2 with at most `streams` requests on a connection at once. */
export function http2Options(options: {
  streams: number;
  ping?: { readonly everyMs: number; readonly timeoutMs: number };
}): Init<typeof Http2ProtocolOptionsSchema> {
  const { streams, ping } = options;
  return {
    allowConnect: true,
    maxConcurrentStreams: streams,
    ...(ping === undefined ? {} : { connectionKeepalive: { interval: millis(ping.everyMs), timeout: millis(ping.timeoutMs) } }),
  };
}

/** Typed protocol options of a cluster. */
export function protocolOptions(init: Init<typeof HttpProtocolOptionsSchema>): Record<string, Any> {
  return { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packed(HttpProtocolOptionsSchema, init) };
}
