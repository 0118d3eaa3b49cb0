/** The part of an agent that speaks to proxies, with real authority, tokens and server, over a store that a test fills. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkloadReadiness } from '@hawser/agent/discover/workload-readiness.ts';
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import { agentCertificate } from '@hawser/agent/trust/agent-certificate.ts';
import type { Authority, ClusterAuthority } from '@hawser/agent/trust/authority.ts';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { mintProxyToken, proxyTokenVerifier } from '@hawser/agent/trust/proxy-tokens.ts';
import { WorkloadCertificates } from '@hawser/agent/trust/workload-certificates.ts';
import { type AdsServer, type AdsServerOptions, startAdsServer } from '@hawser/agent/xds/ads-server.ts';
import type { ConnectedProxy, ProxyGate } from '@hawser/agent/xds/proxy-gate.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import pino from 'pino';
import { type AdsClient, connectAds, type NodeMetadata } from './ads-client.ts';

/** A running one, in a folder of its own. */
export interface TestAdsAgent {
  readonly cluster: string;
  readonly agentDir: string;
  readonly authority: ClusterAuthority;
  readonly certificates: WorkloadCertificates;
  /** The server in use; a restart replaces it, on the same port. */
  server(): AdsServer;
  /** Proxies that were attached and not detached. */
  readonly attached: ReadonlyMap<string, ConnectedProxy>;
  token(workload?: { namespace?: string; serviceAccount?: string; name?: string; ttlMs?: number }): Promise<string>;
  /** A client that proves to be `node`, of `bookinfo/reviews` unless `node` says otherwise; closed with the agent. */
  connect(node?: Partial<NodeMetadata>, token?: string): Promise<AdsClient>;
  /** Makes it ready, if it was started as not ready. */
  becomeReady(): void;
  /** Stops the server and starts another over `store`. */
  restart(store: SnapshotStore): Promise<void>;
  stop(): Promise<void>;
}

/** How to start it. `onAttach` stands for the control loop, which makes the proxy's own layer. */
export interface TestAdsAgentOptions {
  readonly store: SnapshotStore;
  readonly ready?: boolean;
  readonly certificateLifeMs?: number;
  readonly onAttach?: (proxy: ConnectedProxy) => void;
  /** Certificates are good for as long as ever, and renewed this often, up to a fifth later. */
  readonly renewEveryMs?: number;
  readonly keepalive?: AdsServerOptions['keepalive'];
  readonly use?: AdsServerOptions['use'];
  /** What machines of WorkloadGroups say is kept there. */
  readonly readiness?: WorkloadReadiness;
  /** By TLS, with the agent's own certificate. */
  readonly tls?: boolean;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startAdsAgent(options: TestAdsAgentOptions): Promise<TestAdsAgent> {
  const cluster = 'us-east';
  const agentDir = await mkdtemp(join(tmpdir(), 'hawser-ads-'));
  const log = pino({ level: 'silent' });
  const authority = await openAuthority(agentDir, trustDomainOf(cluster));
  const life = options.certificateLifeMs === undefined ? {} : { lifeMs: options.certificateLifeMs };
  const issuing = options.renewEveryMs === undefined ? authority : hurried(authority, options.renewEveryMs);
  const certificates = new WorkloadCertificates({ authority: issuing, ledger: authority.ledger, log, ...life });
  const attached = new Map<string, ConnectedProxy>();
  const waiting: (() => void)[] = [];
  let ready = options.ready ?? true;
  const gate: ProxyGate = {
    authenticate: await proxyTokenVerifier(agentDir, cluster),
    attach: (proxy) => {
      attached.set(proxy.name, proxy);
      options.onAttach?.(proxy);
    },
    detach: (proxy) => attached.delete(proxy.name),
    get ready() {
      return ready;
    },
    onReady: (callback) => (ready ? callback() : waiting.push(callback)),
    ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
  };
  const certificate = options.tls === true ? await agentCertificate(authority, log) : undefined;
  const start = (store: SnapshotStore, port: number): Promise<AdsServer> =>
    startAdsServer({
      ...{ address: '127.0.0.1', port, store, gate, identities: certificates, log, registry: createRegistry() },
      ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
      use: options.use,
      certificate,
    });
  let server = await start(options.store, 0);
  const clients: AdsClient[] = [];
  const token: TestAdsAgent['token'] = (workload = {}) =>
    mintProxyToken({ agentDir, cluster, namespace: 'bookinfo', serviceAccount: 'reviews', ...workload });
  return {
    ...{ cluster, agentDir, authority, certificates, attached, token },
    server: () => server,
    connect: async (node = {}, given) => {
      const claims = {
        role: 'sidecar',
        address: '127.0.0.1',
        name: 'reviews-1',
        namespace: 'bookinfo',
        serviceAccount: 'reviews',
        cluster,
      };
      const all = { ...claims, ...node };
      const bearer = given ?? (await token({ namespace: all.namespace, serviceAccount: all.serviceAccount }));
      const client = connectAds({ port: server.port, token: bearer, node: all });
      clients.push(client);
      return client;
    },
    becomeReady: () => {
      ready = true;
      for (const callback of waiting.splice(0)) callback();
    },
    restart: async (store) => {
      const { port } = server;
      await server.stop();
      server = await start(store, port);
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.stop();
      certificate?.stop();
      await rm(agentDir, { recursive: true, force: true });
    },
  };
}

/** An authority that says of its certificates that they end after two periods, so that each is renewed after one. */
function hurried(authority: Authority, periodMs: number): Pick<Authority, 'issue'> {
  return { issue: async (...of) => ({ ...(await authority.issue(...of)), notAfter: Date.now() + 2 * periodMs }) };
}

/** A resource whose content is text, for tests that do not look into it. */
export function fakeResource(type: XdsType, name: string, content: string): XdsResource {
  const bytes = Buffer.from(content);
  return { type, name, version: sha256(bytes).slice(0, 16), bytes };
}

/** Resolves at the first change of a server at which the condition holds. */
export async function untilServer(server: AdsServer, condition: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (condition()) resolve();
  };
  const stop = server.onChange(check);
  check();
  await promise;
  stop();
}
