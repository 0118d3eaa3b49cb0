/** A federation on loopback: worlds, translators, the agents' real ADS servers and real Envoys; without hub and bus. */
import { create } from '@bufbuild/protobuf';
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import type { Credential, Credentials } from '@hawser/agent/state/credential.ts';
import type { Dirty } from '@hawser/agent/state/federation.ts';
import type { PeerCluster, ProxyRef } from '@hawser/agent/state/world.ts';
import { encoded } from '@hawser/agent/translate/encode.ts';
import { createTranslator, type Translator } from '@hawser/agent/translate/translator.ts';
import { RecentUse, type RecentUseParts } from '@hawser/agent/upstream-use.ts';
import { type AdsServer, startAdsServer } from '@hawser/agent/xds/ads-server.ts';
import type { Endpoint, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT, spiffeId, trustDomainOf } from '@hawser/model/fleet.ts';
import type { ExportFacts } from '@hawser/model/multicluster/export-facts.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import type { ExplainRouteRequest, RouteExplanation } from '@hawser/wire/messages.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import pino from 'pino';
import { type EnvoyOptions, startEnvoy, type TestEnvoy } from '../../kit/envoy.ts';
import { createTrustDomain, type Identity, type TrustDomain } from './pki.ts';

export interface ClusterOptions {
  readonly name: string;
  readonly network?: string;
  readonly gateways?: readonly string[];
  /** Other names of its trust domain. */
  readonly aliases?: readonly string[];
}

/** How a mesh differs from most. */
export interface MeshOptions {
  /** Where the Envoys ask for names. */
  readonly dns?: EnvoyOptions['dns'];
  /** Sidecars fetch upstreams by themselves, and are sent all of them unasked only up to so many (decision 0017). */
  readonly sendsAllUpTo?: number | undefined;
  readonly drainsAtOnce?: EnvoyOptions['drainsAtOnce'];
}

interface Member {
  readonly peer: PeerCluster;
  readonly domain: TrustDomain;
  readonly translator: Translator;
  readonly store: SnapshotStore;
  ads: AdsServer;
  /** Starts its server on a port: what it remembers of use, it has saved. */
  serve(port: number): Promise<AdsServer>;
  /** Certificates that differ from what the account would get, by account. */
  readonly given: Map<string, Identity>;
}

/** What a service has in one cluster. */
export interface ServiceOptions {
  readonly ports?: readonly ServicePort[];
  readonly exported?: boolean;
  readonly export?: ExportFacts;
  readonly endpoints: readonly (Partial<Endpoint> & { readonly address: string })[];
}

const NO_CREDENTIALS: Credentials = new Map();

type Parts = ReadonlyMap<string, EndpointShard>;

export class Mesh {
  readonly #members = new Map<string, Member>();
  readonly #options: MeshOptions;
  readonly #envoys: TestEnvoy[] = [];
  readonly #byAddress = new Map<string, TestEnvoy>();
  readonly #seen = new Map<string, { readonly parts: Parts; readonly seen: Parts }>();
  readonly #adsAddress: string;
  #clusters: ReadonlyMap<string, PeerCluster> = new Map();
  #shards: ReadonlyMap<string, Parts> = new Map();
  #policies: ReadonlyMap<string, Resource> = new Map();
  readonly #credentials = new Map<string, Credentials>();

  private constructor(adsAddress: string, options: MeshOptions) {
    this.#adsAddress = adsAddress;
    this.#options = options;
  }

  /** The agents listen on loopback, unless their proxies are in network namespaces of their own. */
  static async start(clusters: readonly ClusterOptions[], adsAddress = '127.0.0.1', options: MeshOptions = {}): Promise<Mesh> {
    const mesh = new Mesh(adsAddress, options);
    const policies = (): ReadonlyMap<string, Resource> => mesh.#policies;
    const use = options.sendsAllUpTo === undefined ? undefined : { sendsAllUpTo: options.sendsAllUpTo, policies };
    for (const cluster of clusters) mesh.#members.set(cluster.name, await startMember(cluster, adsAddress, use));
    mesh.#clusters = new Map([...mesh.#members].map(([name, { peer }]) => [name, peer]));
    return mesh;
  }

  /** What proxies refuse at this moment. */
  get nacks(): readonly string[] {
    const proxies = [...this.#members.values()].flatMap(({ ads }) => ads.proxies());
    return proxies.flatMap(({ proxy, types }) =>
      Object.entries(types).flatMap(([type, { state, error }]) => (state === 'NACKED' ? [`${proxy} ${type}: ${error}`] : [])),
    );
  }

  /** Whether every proxy of a cluster has acknowledged everything. */
  synced(cluster: string): boolean {
    const states = this.#member(cluster)
      .ads.proxies()
      .flatMap(({ types }) => Object.values(types).map(({ state }) => state));
    return states.every((state) => state === 'SYNCED' || state === 'NOT_SENT');
  }

  /** Where the agent of a cluster serves xDS. */
  adsPort(cluster: string): number {
    return this.#member(cluster).ads.port;
  }

  /** The agent of a cluster goes away. */
  stopAgent(cluster: string): Promise<void> {
    return this.#member(cluster).ads.stop();
  }

  /** It comes back, with what it had saved. */
  async startAgent(cluster: string): Promise<void> {
    const member = this.#member(cluster);
    member.ads = await member.serve(member.ads.port);
  }

  /** The newest Envoy that was started at an address. */
  envoyAt(address: string): TestEnvoy {
    const found = this.#byAddress.get(address);
    if (found === undefined) throw new Error(`no Envoy at ${address}`);
    return found;
  }

  domain(cluster: string): TrustDomain {
    return this.#member(cluster).domain;
  }

  /** Starts a sidecar with the certificate of an account (`NAMESPACE/NAME`), or with another one. */
  sidecar(cluster: string, address: string, account: string, identity?: Identity): Promise<TestEnvoy> {
    return this.#proxy(cluster, { role: 'sidecar', address }, { account, identity });
  }

  gateway(cluster: string, address: string): Promise<TestEnvoy> {
    return this.#proxy(
      cluster,
      { role: 'gateway', address },
      { account: `${GATEWAY_NAMESPACE}/${GATEWAY_SERVICE_ACCOUNT}`, identity: undefined },
    );
  }

  /** An edge proxy of an account, chosen by its labels. */
  edge(cluster: string, address: string, as: { account: string; labels: Readonly<Record<string, string>> }): Promise<TestEnvoy> {
    return this.#proxy(cluster, { role: 'edge', address, labels: as.labels }, { account: as.account, identity: undefined });
  }

  /** Makes these the only certificates for the edge proxies of a cluster. */
  credentials(cluster: string, credentials: readonly Credential[]): void {
    this.#credentials.set(cluster, new Map(credentials.map((one) => [`${one.namespace}/${one.name}`, one])));
    this.#sync({ services: new Set() });
  }

  /** What of the policies is not served as written in a cluster. */
  problems(cluster: string): ReturnType<Translator['problems']> {
    return this.#member(cluster).translator.problems();
  }

  /** Says what a cluster has of a service; every cluster hears of it when it is exported. */
  service(key: string, cluster: string, options: ServiceOptions): void {
    const shard = shardOf(key, cluster, options);
    this.#shards = new Map([...this.#shards, [key, new Map([...(this.#shards.get(key) ?? []), [cluster, shard]])]]);
    const peer = this.#clusters.get(cluster);
    const isNews = peer?.speaksForWorkloads !== true && shard.endpoints.some(({ bare }) => bare === true);
    // As the federation has it of what clusters publish.
    if (isNews && peer !== undefined) this.#clusters = new Map([...this.#clusters, [cluster, { ...peer, speaksForWorkloads: true }]]);
    this.#sync(isNews ? 'all' : { services: new Set([key]) });
  }

  policy(resource: Resource): void {
    this.#policies = new Map([...this.#policies, [keyOf(resource), resource]]);
    this.#sync('all');
  }

  clearPolicies(): void {
    this.replacePolicies([]);
  }

  /** What becomes of a request at a proxy, `ROLE-ADDRESS`, by what it is served; throws when that cannot be said. */
  explain(cluster: string, request: ExplainRouteRequest): RouteExplanation {
    const answer = this.#member(cluster).ads.explainRoute(request);
    if (answer === undefined || 'error' in answer) throw new Error(answer?.error ?? `no proxy ${request.proxy}`);
    return answer;
  }

  /** Makes these the only policies. */
  replacePolicies(resources: readonly Resource[]): void {
    this.#policies = new Map(resources.map((resource) => [keyOf(resource), resource]));
    this.#sync('all');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#envoys.map((envoy) => envoy.stop()));
    await Promise.all([...this.#members.values()].map(({ ads }) => ads.stop()));
  }

  #envoyOptions(): Pick<EnvoyOptions, 'dns' | 'drainsAtOnce'> {
    const { dns, drainsAtOnce } = this.#options;
    return { dns, drainsAtOnce };
  }

  async #proxy(
    cluster: string,
    ref: Pick<ProxyRef, 'role' | 'address' | 'labels'>,
    as: { account: string; identity: Identity | undefined },
  ): Promise<TestEnvoy> {
    const { ads, given } = this.#member(cluster);
    if (as.identity !== undefined) given.set(as.account, as.identity);
    const [namespace = '', serviceAccount = ''] = as.account.split('/');
    const name = `${ref.role}-${ref.address.replaceAll(/:+/g, '-')}`;
    const fetching = ref.role === 'sidecar' && this.#options.sendsAllUpTo !== undefined ? { onDemand: 'upstreams' } : {};
    const node = { ...ref, name, namespace, serviceAccount, cluster, ...fetching };
    const token = Buffer.from(JSON.stringify({ cluster, namespace, serviceAccount, edge: ref.role === 'edge' })).toString('base64');
    const envoy = await startEnvoy({ xdsPort: ads.port, xdsAddress: this.#adsAddress, token, node, ...this.#envoyOptions() });
    this.#envoys.push(envoy);
    this.#byAddress.set(ref.address, envoy);
    return envoy;
  }

  #sync(dirty: Dirty): void {
    for (const [self, { translator, store }] of this.#members) {
      const shards = new Map([...this.#shards].map(([key, parts]) => [key, this.#seenFrom(self, key, parts)]));
      const credentials = this.#credentials.get(self) ?? NO_CREDENTIALS;
      store.apply(translator.update({ self, clusters: this.#clusters, shards, policies: this.#policies, credentials }, dirty));
    }
  }

  /** Own shards and others' exported ones; the same object while nothing of the service changed. */
  #seenFrom(self: string, key: string, parts: Parts): Parts {
    const known = this.#seen.get(`${self} ${key}`);
    if (known?.parts === parts) return known.seen;
    const seen = new Map([...parts].filter(([cluster, shard]) => cluster === self || shard.exported));
    this.#seen.set(`${self} ${key}`, { parts, seen });
    return seen;
  }

  #member(cluster: string): Member {
    const member = this.#members.get(cluster);
    if (member === undefined) throw new Error(`no cluster ${cluster}`);
    return member;
  }
}

function keyOf({ kind, metadata }: Resource): string {
  return resourceKey(kind, metadata.namespace, metadata.name);
}

async function startMember(
  { name, network = name, gateways = [], aliases = [] }: ClusterOptions,
  address: string,
  useOf: Pick<RecentUseParts, 'sendsAllUpTo' | 'policies'> | undefined,
): Promise<Member> {
  const domain = await createTrustDomain(trustDomainOf(name));
  const peer = {
    name,
    region: name,
    zone: `${name}-a`,
    network,
    trustDomain: domain.name,
    trustBundle: [domain.bundle],
    gateways,
    aliases,
  };
  const [translator, store, given] = [createTranslator(), new SnapshotStore(), new Map<string, Identity>()];
  const identityOf = async (account: string, namespace: string, serviceAccount: string): Promise<Identity> =>
    given.get(account) ?? domain.issue(spiffeId(domain.name, namespace, serviceAccount));
  let use: RecentUse | undefined;
  const serve = (port: number): Promise<AdsServer> => {
    const saved = use?.saved() ?? [];
    use = useOf === undefined ? undefined : new RecentUse({ ...useOf, saved, now: Date.now, onChange: () => undefined });
    return startAdsServer({
      ...{ address, port, store, log: pino({ level: 'silent' }), registry: createRegistry(), use },
      gate: {
        authenticate: async (token) => JSON.parse(Buffer.from(token, 'base64').toString()),
        attach: (proxy) => void store.apply(translator.attach(proxy)),
        detach: (proxy) => void store.apply(translator.detach(proxy)),
        ready: true,
        onReady: (callback) => callback(),
      },
      identities: {
        hold: async ({ namespace, serviceAccount }) => ({
          current: identitySecret(await identityOf(`${namespace}/${serviceAccount}`, namespace, serviceAccount)),
          acknowledged: () => undefined,
          release: () => undefined,
        }),
      },
    });
  };
  return { peer, domain, translator, store, ads: await serve(0), serve, given };
}

function shardOf(key: string, cluster: string, options: ServiceOptions): EndpointShard {
  const [namespace = '', service = ''] = key.split('/');
  const ports = [...(options.ports ?? [{ port: 80, protocol: 'http' as const }])];
  const targetPorts = Object.fromEntries(ports.map(({ port }) => [String(port), 9080]));
  const defaults = { targetPorts, labels: {}, serviceAccount: service, health: 'HEALTHY' as const };
  const endpoints = options.endpoints.map((endpoint) => ({ ...defaults, ...endpoint }));
  const offered = options.export === undefined ? {} : { export: options.export };
  return { cluster, namespace, service, exported: options.exported ?? true, ports, endpoints, ...offered };
}

function identitySecret({ certificate, key }: Identity): XdsResource {
  const inline = (value: string): { specifier: { case: 'inlineString'; value: string } } => ({
    specifier: { case: 'inlineString', value },
  });
  const value = { certificateChain: inline(certificate), privateKey: inline(key) };
  return encoded('SDS', 'identity', create(SecretSchema, { name: 'identity', type: { case: 'tlsCertificate', value } }), SecretSchema);
}
