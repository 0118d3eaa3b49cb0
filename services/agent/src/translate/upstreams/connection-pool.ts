/** Limits and times of the connections to a service: Hawser's defaults, with what a DestinationRule says of them. */
import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { type CircuitBreakers, CircuitBreakersSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/circuit_breaker_pb.ts';
import type { UpstreamConnectionOptionsSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { HttpProtocolOptionsSchema } from '@hawser/xds/generated/envoy/config/core/v3/protocol_pb.ts';
import type { HttpProtocolOptionsSchema as UpstreamOptionsSchema } from '@hawser/xds/generated/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { bounded, durationMs, durationOrOffMs, positiveCount } from '../routes/rule-values.ts';
import { type Init, millis } from '../wire-values.ts';
import type { ConnectionPool, PolicyBlocks } from './traffic-policy.ts';
import { circuitBreakers, DEFAULT_LIMITS, http2Options, protocolOptions } from './upstream-defaults.ts';

/** How the upstream of a port speaks HTTP. */
export type HttpVersion = 'http1' | 'http2' | 'as-called';

/** Istio's values of a retry budget that names only one of its two. */
const BUDGET = { percent: 20, minRetryConcurrency: 3 };

/** Our limits keep nothing back but a runaway; a rule replaces what it names. `maxRetries` stands for a budget, as in Envoy. */
export function circuitBreakersOf({ connectionPool, retryBudget }: PolicyBlocks): CircuitBreakers {
  const { tcp, http } = connectionPool ?? {};
  const [connections, pending] = [positiveCount(tcp?.maxConnections), positiveCount(http?.http1MaxPendingRequests)];
  const [requests, retries] = [positiveCount(http?.http2MaxRequests), positiveCount(http?.maxRetries)];
  if ([connections, pending, requests, retries, retryBudget].every((value) => value === undefined)) return circuitBreakers();
  const { retryBudget: ours, ...limits } = DEFAULT_LIMITS;
  const budget = { budgetPercent: { value: percentOf(retryBudget?.percent) }, minRetryConcurrency: leastRetries(retryBudget) };
  const threshold = {
    ...limits,
    ...(connections === undefined ? {} : { maxConnections: connections }),
    ...(pending === undefined ? {} : { maxPendingRequests: pending }),
    ...(requests === undefined ? {} : { maxRequests: requests }),
    ...(retries === undefined ? {} : { maxRetries: retries }),
    ...(retryBudget === undefined ? (retries === undefined ? { retryBudget: ours } : {}) : { retryBudget: budget }),
  };
  return create(CircuitBreakersSchema, { thresholds: [threshold] });
}

function percentOf(percent: number | undefined): number {
  return typeof percent === 'number' && percent >= 0 && percent <= 100 ? percent : BUDGET.percent;
}

function leastRetries(budget: PolicyBlocks['retryBudget']): number {
  return bounded(budget?.minRetryConcurrency, 0, 0xffff_ffff) ?? BUDGET.minRetryConcurrency;
}

/** How long a connection may take to open. */
export function connectTimeoutMs(pool: ConnectionPool | undefined, fallback: number): number {
  return durationMs(pool?.tcp?.connectTimeout) ?? fallback;
}

/** Keepalive of the operating system; undefined: none. What is left out is the system's own. */
export function keepaliveOf(pool: ConnectionPool | undefined): Init<typeof UpstreamConnectionOptionsSchema> | undefined {
  const asked = pool?.tcp?.tcpKeepalive;
  if (asked === undefined) return undefined;
  const [probes, time, interval] = [positiveCount(asked.probes), seconds(asked.time), seconds(asked.interval)];
  return {
    tcpKeepalive: {
      ...(probes === undefined ? {} : { keepaliveProbes: probes }),
      ...(time === undefined ? {} : { keepaliveTime: time }),
      ...(interval === undefined ? {} : { keepaliveInterval: interval }),
    },
  };
}

function seconds(text: string | undefined): number | undefined {
  const ms = durationMs(text);
  return ms === undefined ? undefined : Math.max(1, Math.round(ms / 1000));
}

/** Times of a TCP service's connections, for the proxy that carries them; 0: no limit. */
export interface TcpTimes {
  readonly idleMs?: number;
  readonly longestMs?: number;
}

/** What a rule says of them; nothing: Envoy's hour of idleness, and no longest time. */
export function tcpTimes(pool: ConnectionPool | undefined): TcpTimes {
  const [idleMs, longestMs] = [durationOrOffMs(pool?.tcp?.idleTimeout), durationMs(pool?.tcp?.maxConnectionDuration)];
  return { ...(idleMs === undefined ? {} : { idleMs }), ...(longestMs === undefined ? {} : { longestMs }) };
}

/** Which HTTP a port's upstream speaks: `fallback` unless the rule says; a port of HTTP/2 stays what it is. */
export function httpVersion(pool: ConnectionPool | undefined, protocol: ServicePort['protocol'], fallback: HttpVersion): HttpVersion {
  const { useClientProtocol, h2UpgradePolicy } = pool?.http ?? {};
  if (useClientProtocol === true) return 'as-called';
  if (protocol === 'http2' || h2UpgradePolicy === 'UPGRADE') return 'http2';
  return h2UpgradePolicy === 'DO_NOT_UPGRADE' ? 'http1' : fallback;
}

/** What connections of HTTP are like where a rule is silent. */
export interface HttpDefaults {
  readonly version: HttpVersion;
  readonly idleMs: number;
  /** Of HTTP/2; undefined: none. */
  readonly ping?: { readonly everyMs: number; readonly timeoutMs: number };
  /** Whether the server is told the host of each request, and has to have a certificate for it. */
  readonly requests?: { readonly autoSni: boolean; readonly autoSanValidation: boolean };
}

/** Typed protocol options of an upstream of HTTP. */
export function httpOptions(pool: ConnectionPool | undefined, defaults: HttpDefaults): Record<string, Any> {
  return protocolOptions({
    commonHttpProtocolOptions: commonOptions(pool, defaults.idleMs),
    ...(defaults.requests === undefined ? {} : { upstreamHttpProtocolOptions: defaults.requests }),
    upstreamProtocolOptions: versionOptions(pool, defaults),
  });
}

/** The time of TCP stands in for that of HTTP where only the former is given, as in Istio. */
function commonOptions(pool: ConnectionPool | undefined, fallbackIdleMs: number): Init<typeof HttpProtocolOptionsSchema> {
  const idle = durationOrOffMs(pool?.http?.idleTimeout) ?? durationOrOffMs(pool?.tcp?.idleTimeout) ?? fallbackIdleMs;
  const longest = durationMs(pool?.tcp?.maxConnectionDuration);
  const requests = positiveCount(pool?.http?.maxRequestsPerConnection);
  return {
    idleTimeout: millis(idle),
    ...(longest === undefined ? {} : { maxConnectionDuration: millis(longest) }),
    ...(requests === undefined ? {} : { maxRequestsPerConnection: requests }),
  };
}

function versionOptions(
  pool: ConnectionPool | undefined,
  { version, ping }: HttpDefaults,
): NonNullable<Init<typeof UpstreamOptionsSchema>['upstreamProtocolOptions']> {
  const streams = bounded(pool?.http?.maxConcurrentStreams, 0, 0x7fff_ffff);
  const http2 = http2Options({ streams: streams === undefined || streams === 0 ? 100 : streams, ...(ping === undefined ? {} : { ping }) });
  if (version === 'as-called') {
    return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } };
  }
  if (version === 'http1') return { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } };
  return { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'http2ProtocolOptions', value: http2 } } };
}
