/** The ADS server of an agent: xDS with SDS, delta and state of the world, for the cluster's proxies. */
import { Server, type ServiceDefinition, status } from '@grpc/grpc-js';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { LiveCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import type { ExplainRouteRequest, ExplainRouteResponse, ProxyConfigRequest, ProxyStatus } from '@hawser/wire/messages.ts';
import { explainRoute } from '../explain/explain-route.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { AdsStreams, type StreamListener } from './ads-streams.ts';
import { CSDS_SERVICE, csdsHandlers } from './csds-service.ts';
import { deltaDialect, sotwDialect } from './dialect.ts';
import { takesFramed } from './framed-messages.ts';
import type { IdentitySource } from './identity-source.ts';
import { proxyConfigOf } from './proxy-config.ts';
import type { ProxyGate } from './proxy-gate.ts';
import type { AdsCall } from './proxy-stream.ts';
import type { UpstreamUse } from './unasked-upstreams.ts';
import { WORKLOAD_HEALTH_SERVICE, workloadHealthHandlers } from './workload-health-service.ts';
import { xdsCredentials } from './xds-credentials.ts';
import { createXdsMetrics } from './xds-metrics.ts';

/** What the server needs. `port` 0 takes a free one. */
export interface AdsServerOptions {
  readonly address: string;
  readonly port: number;
  readonly store: SnapshotStore;
  readonly gate: ProxyGate;
  readonly identities: IdentitySource;
  readonly log: Logger;
  readonly registry: Registry;
  /** TLS; plain text without it. */
  readonly certificate?: LiveCertificate | undefined;
  /** Which upstreams are called for: of many, proxies that fetch the others by themselves are sent those alone. */
  readonly use?: UpstreamUse | undefined;
  /** How long a connection may be quiet until it is pinged, and unanswered until it ends; 20 s and 10 s unless given. */
  readonly keepalive?: { readonly timeMs: number; readonly timeoutMs: number };
}

/** A running ADS server. */
export interface AdsServer {
  readonly port: number;
  readonly streams: AdsStreams;
  /** The connected proxies, sorted by name. */
  proxies(): ProxyStatus[];
  /** Calls back after each connect, disconnect, response, ACK and NACK. Returns how to stop. */
  onChange(callback: () => void): () => void;
  /** What a connected proxy is served, in protobuf JSON, private keys redacted; undefined when it is not connected. */
  proxyConfig(name: string, section: ProxyConfigRequest['section']): unknown[] | undefined;
  /** What becomes of a request at a connected proxy, by what it is served; undefined when it is not connected. */
  explainRoute(request: ExplainRouteRequest): ExplainRouteResponse | undefined;
  /** Closes every stream with UNAVAILABLE and stops listening. */
  stop(): Promise<void>;
}

const STOP_DEADLINE_MS = 2_000;

/** A proxy that answers no ping is gone after these two (RELIABILITY.md 2.3, rule 6). */
const KEEPALIVE = { timeMs: 20_000, timeoutMs: 10_000 };

/** Streams are renewed in 6 h, ± 10 % (grpc-js). */
const SERVER_OPTIONS = {
  'grpc.max_connection_age_ms': 6 * 3_600_000,
  'grpc.max_connection_age_grace_ms': 10_000,
  'grpc.max_concurrent_streams': 64,
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
};

const raw = (bytes: Buffer): Buffer => bytes;

/** Requests and responses pass as bytes: decoding may fail without a throw inside gRPC, and encoding happened before. */
const STREAM = {
  requestStream: true,
  responseStream: true,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
};
const ADS_SERVICE: ServiceDefinition = {
  deltaAggregatedResources: { path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources', ...STREAM },
  streamAggregatedResources: { path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources', ...STREAM },
};

/** Starts to serve the store to proxies; resolves when it listens. */
export async function startAdsServer(options: AdsServerOptions): Promise<AdsServer> {
  const streams = new AdsStreams({ ...options, metrics: createXdsMetrics(options.registry) });
  const { timeMs, timeoutMs } = options.keepalive ?? KEEPALIVE;
  const server = new Server({
    ...SERVER_OPTIONS,
    'grpc.keepalive_time_ms': timeMs,
    'grpc.keepalive_timeout_ms': timeoutMs,
    interceptors: [takesFramed(new Set(Object.values(ADS_SERVICE).map(({ path }) => path)))],
  });
  server.addService(ADS_SERVICE, {
    deltaAggregatedResources: (call: AdsCall) => streams.accept(call, deltaDialect()),
    streamAggregatedResources: (call: AdsCall) => streams.accept(call, sotwDialect()),
  });
  server.addService(CSDS_SERVICE, csdsHandlers(streams, options.gate));
  const { gate } = options;
  if (gate.readiness !== undefined) server.addService(WORKLOAD_HEALTH_SERVICE, workloadHealthHandlers(gate.readiness, gate));
  const port = await listen(server, options);
  options.log.info({ address: options.address, port }, 'xDS server listens');
  return {
    port,
    streams,
    proxies: () => streams.proxies(),
    onChange: (callback) => streams.listen({ ...SILENT, changed: callback }),
    proxyConfig: (name, section) => {
      const stream = streams.find(name);
      return stream === undefined ? undefined : proxyConfigOf(stream, section);
    },
    explainRoute: (request) => {
      const stream = streams.find(request.proxy);
      return stream === undefined ? undefined : explainRoute(request, stream);
    },
    stop: () => stop(server, streams),
  };
}

const SILENT: StreamListener = { changed: () => undefined, settled: () => undefined, gone: () => undefined };

function listen(server: Server, { address, port, certificate }: AdsServerOptions): Promise<number> {
  const host = address.includes(':') ? `[${address}]` : address;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, xdsCredentials(certificate), (error, bound) => {
      if (error === null) return resolve(bound);
      const message = `the xDS server cannot listen on ${host}:${port}: ${messageOf(error)}; free the port or choose another address`;
      reject(new AppError('port-taken', message, { cause: error }));
    });
  });
}

async function stop(server: Server, streams: AdsStreams): Promise<void> {
  streams.closeAll({ code: status.UNAVAILABLE, details: 'the agent is stopping' });
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const deadline = setTimeout(resolve, STOP_DEADLINE_MS);
  const gracefully = new Promise<void>((done) => server.tryShutdown(() => done()));
  await Promise.race([gracefully, late]);
  clearTimeout(deadline);
  server.forceShutdown();
}
