/** A federation on loopback: worlds, translators and real Envoys, without agents and hub. */
import { create } from '@bufbuild/protobuf';
import type { Endpoint, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { spiffeId, trustDomainOf } from '@hawser/model/fleet.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../../../services/agent/src/snapshot/resource.ts';
import { SnapshotStore } from '../../../services/agent/src/snapshot/snapshot-store.ts';
import type { PeerCluster, ProxyRef, World } from '../../../services/agent/src/state/world.ts';
import { encoded } from '../../../services/agent/src/translate/encode.ts';
import { createTranslator, type Dirty, type Translator } from '../../../services/agent/src/translate/translator.ts';
import { type AdsServer, startAdsServer } from './ads-server.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { createTrustDomain, type Identity, type TrustDomain } from './pki.ts';

const ADS_ADDRESS = '127.78.0.1';

export interface ClusterOptions {
  readonly name: string;
  readonly region?: string;
  readonly network?: string;
  readonly gateways?: readonly string[];
}

interface Member {
  readonly peer: PeerCluster;
  readonly domain: TrustDomain;
  readonly translator: Translator;
  readonly store: SnapshotStore;
}

interface Proxy {
  readonly cluster: string;
  readonly ref: ProxyRef;
  identity: XdsResource;
  readonly envoy: Envoy;
}

/** What a service has in one cluster. */
export interface ServiceOptions {
  readonly ports?: readonly ServicePort[];
  readonly exported?: boolean;
  readonly endpoints: readonly (Partial<Endpoint> & { readonly address: string })[];
}

export class Mesh {
  readonly #members = new Map<string, Member>();
  readonly #proxies = new Map<string, Proxy>();
  #shards: ReadonlyMap<string, ReadonlyMap<string, EndpointShard>> = new Map();
  #policies: ReadonlyMap<string, Resource> = new Map();
  readonly #ads: AdsServer;

  private constructor(ads: AdsServer) {
    this.#ads = ads;
  }

  static async start(clusters: readonly ClusterOptions[]): Promise<Mesh> {
    let mesh: Mesh | undefined;
    const ads = await startAdsServer(ADS_ADDRESS, (node) => mesh?.served(node));
    mesh = new Mesh(ads);
    for (const { name, region = name, network = name, gateways = [] } of clusters) {
      const domain = await createTrustDomain(trustDomainOf(name));
      const peer = { name, region, zone: `${region}-a`, network, trustDomain: domain.name, trustBundle: [domain.bundle], gateways };
      mesh.#members.set(name, { peer, domain, translator: createTranslator(), store: new SnapshotStore() });
    }
    return mesh;
  }

  get nacks(): readonly string[] {
    return this.#ads.nacks;
  }

  domain(cluster: string): TrustDomain {
    return this.#member(cluster).domain;
  }

  /** Starts a proxy with the identity of a service account, or another one. */
  async proxy(cluster: string, ref: ProxyRef, account: string, identity?: Identity): Promise<Envoy> {
    const { domain, translator, store } = this.#member(cluster);
    const [namespace = '', name = ''] = account.split('/');
    const given = identity ?? (await domain.issue(spiffeId(domain.name, namespace, name)));
    const node = `${cluster}/${ref.role}:${ref.address}`;
    store.apply(translator.attach(ref));
    const pending = { cluster, ref, identity: identitySecret(given) };
    this.#proxies.set(node, pending as Proxy);
    const envoy = await startEnvoy({ node, address: ref.address, ads: { address: ADS_ADDRESS, port: this.#ads.port } });
    this.#proxies.set(node, { ...pending, envoy });
    return envoy;
  }

  sidecar(cluster: string, address: string, account: string, identity?: Identity): Promise<Envoy> {
    return this.proxy(cluster, { role: 'sidecar', address }, account, identity);
  }

  gateway(cluster: string, address: string): Promise<Envoy> {
    return this.proxy(cluster, { role: 'gateway', address }, 'hawser-system/gateway');
  }

  /** Gives a running proxy another identity. */
  setIdentity(cluster: string, ref: ProxyRef, identity: Identity): void {
    const node = `${cluster}/${ref.role}:${ref.address}`;
    const proxy = this.#proxies.get(node);
    if (proxy === undefined) throw new Error(`${node} is not running`);
    proxy.identity = identitySecret(identity);
    this.#ads.push(node);
  }

  /** Says what a cluster has of a service; every cluster hears of it when it is exported. */
  service(key: string, cluster: string, options: ServiceOptions): void {
    const [namespace = '', service = ''] = key.split('/');
    const ports = [...(options.ports ?? [{ port: 80, protocol: 'http' as const }])];
    const targetPorts = Object.fromEntries(ports.map(({ port }) => [String(port), 9080]));
    const endpoints = options.endpoints.map((endpoint) => ({
      targetPorts,
      labels: {},
      serviceAccount: service,
      health: 'HEALTHY' as const,
      ...endpoint,
    }));
    const shard = { cluster, namespace, service, exported: options.exported ?? true, ports, endpoints };
    this.#shards = new Map([...this.#shards, [key, new Map([...(this.#shards.get(key) ?? []), [cluster, shard]])]]);
    this.sync({ services: new Set([key]) });
  }

  policy(resource: Resource): void {
    const key = resourceKey(resource.kind, resource.metadata.namespace, resource.metadata.name);
    this.#policies = new Map([...this.#policies, [key, resource]]);
    this.sync('all');
  }

  clearPolicies(): void {
    this.#policies = new Map();
    this.sync('all');
  }

  /** Brings every translator, store and proxy up to date. */
  sync(dirty: Dirty): void {
    const clusters = this.#clusters;
    for (const [self, { translator, store }] of this.#members) {
      const shards = new Map([...this.#shards].map(([key, parts]) => [key, this.#seenFrom(self, key, parts)]));
      const world: World = { self, clusters, shards, policies: this.#policies };
      store.apply(translator.update(world, dirty));
    }
    for (const node of this.#proxies.keys()) this.#ads.push(node);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.envoy?.kill()));
    this.#ads.stop();
  }

  served(node: string): ReturnType<Parameters<typeof startAdsServer>[1]> {
    const proxy = this.#proxies.get(node);
    if (proxy === undefined) return undefined;
    const { store } = this.#member(proxy.cluster);
    const layer = `${proxy.ref.role}:${proxy.ref.address}` as const;
    return { store, layers: [proxy.ref.role, layer], own: () => [proxy.identity] };
  }

  #clusterMap: ReadonlyMap<string, PeerCluster> | undefined;
  get #clusters(): ReadonlyMap<string, PeerCluster> {
    this.#clusterMap ??= new Map([...this.#members].map(([name, { peer }]) => [name, peer]));
    return this.#clusterMap;
  }

  readonly #views = new Map<string, { parts: unknown; seen: ReadonlyMap<string, EndpointShard> }>();

  /** Own shards and others' exported ones; the same object while nothing of the service changed. */
  #seenFrom(self: string, key: string, parts: ReadonlyMap<string, EndpointShard>): ReadonlyMap<string, EndpointShard> {
    const known = this.#views.get(`${self} ${key}`);
    if (known?.parts === parts) return known.seen;
    const seen = new Map([...parts].filter(([cluster, shard]) => cluster === self || shard.exported));
    this.#views.set(`${self} ${key}`, { parts, seen });
    return seen;
  }

  #member(cluster: string): Member {
    const member = this.#members.get(cluster);
    if (member === undefined) throw new Error(`no cluster ${cluster}`);
    return member;
  }
}

function identitySecret({ certificate, key }: Identity): XdsResource {
  const secret = create(SecretSchema, {
    name: 'identity',
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: certificate } },
        privateKey: { specifier: { case: 'inlineString', value: key } },
      },
    },
  });
  return encoded('SDS', 'identity', secret, SecretSchema);
}
