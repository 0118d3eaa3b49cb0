/** What this agent knows of the federation, and what of it differs from what was compiled. No clock, no I/O. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ClusterFacts, Roster, RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Credentials } from './credential.ts';
import type { Shards } from './endpoint-brake.ts';
import type { PeerCluster, World } from './world.ts';

/** What has to be compiled: everything, or the endpoints of some services. */
export type Dirty = 'all' | { readonly services: ReadonlySet<string> };

/** The own cluster, as its enrolment says until the roster does. */
export interface OwnCluster {
  readonly name: string;
  readonly region: string;
  readonly zone: string;
  readonly trustDomain: string;
}

const NO_FACTS: ClusterFacts = { trustBundle: [], gateways: [] };

/** Holds the newest of everything; `world` is immutable, and its unchanged parts stay the same objects. */
export class Federation {
  readonly #own: OwnCluster;
  #roster: Roster | undefined;
  readonly #facts = new Map<string, ClusterFacts>();
  /** By cluster, then by service key; also of clusters that the roster does not name (yet). */
  readonly #byCluster = new Map<string, Map<string, EndpointShard>>();
  readonly #shards = new Map<string, ReadonlyMap<string, EndpointShard>>();
  /** The shards as last given away; undefined once they differ. */
  #given: World['shards'] | undefined;
  #clusters: ReadonlyMap<string, PeerCluster> = new Map();
  #policies: ReadonlyMap<string, Resource> = new Map();
  #credentials: Credentials = new Map();
  #credentialsDiffer = false;
  #all = true;
  readonly #services = new Set<string>();

  constructor(own: OwnCluster) {
    this.#own = own;
    this.#rebuildClusters();
  }

  get roster(): Roster | undefined {
    return this.#roster;
  }

  get policies(): ReadonlyMap<string, Resource> {
    return this.#policies;
  }

  /** The shards in force, by service key and cluster. */
  get shards(): World['shards'] {
    this.#given ??= new Map(this.#shards);
    return this.#given;
  }

  /** Members of the federation other than the own cluster. */
  peers(): RosterMember[] {
    return (this.#roster?.members ?? []).filter((member) => member.name !== this.#own.name);
  }

  member(name: string): RosterMember | undefined {
    return this.#roster?.members.find((member) => member.name === name);
  }

  /** Endpoints that a cluster has in all. */
  endpointsOf(cluster: string): number {
    let count = 0;
    for (const shard of this.#byCluster.get(cluster)?.values() ?? []) count += shard.endpoints.length;
    return count;
  }

  /** The hub's word on who belongs to it. What a cluster said in an older epoch, or one that left, is forgotten. */
  setRoster(roster: Roster): void {
    const before = this.#roster;
    this.#roster = roster;
    for (const gone of before?.members ?? []) {
      const now = this.member(gone.name);
      if (gone.name === this.#own.name || now?.epoch === gone.epoch) continue;
      this.#facts.delete(gone.name);
      for (const key of [...(this.#byCluster.get(gone.name)?.keys() ?? [])]) this.#setShard(gone.name, key, undefined);
    }
    this.#rebuildClusters();
  }

  setFacts(cluster: string, facts: ClusterFacts | undefined): void {
    if (facts === undefined) this.#facts.delete(cluster);
    else this.#facts.set(cluster, facts);
    this.#rebuildClusters();
  }

  /** Policies by resource key, whole. */
  setPolicies(policies: ReadonlyMap<string, Resource>): void {
    this.#policies = policies;
    this.#all = true;
  }

  /** The policies that could be compiled; what could not stays out until it is written anew. */
  adoptPolicies(policies: ReadonlyMap<string, Resource>): void {
    this.#policies = policies;
  }

  /** Another cluster's shard; undefined when its owner removed it. */
  setShard(cluster: string, key: string, shard: EndpointShard | undefined): void {
    if (cluster !== this.#own.name) this.#setShard(cluster, key, shard);
  }

  /** All shards of the own cluster. */
  setOwnShards(shards: Shards): void {
    const { name } = this.#own;
    for (const key of [...(this.#byCluster.get(name)?.keys() ?? [])]) if (!shards.has(key)) this.#setShard(name, key, undefined);
    for (const [key, shard] of shards) this.#setShard(name, key, shard);
  }

  /** Certificates for the own edge proxies. */
  setCredentials(credentials: Credentials): void {
    this.#credentialsDiffer ||= credentials !== this.#credentials;
    this.#credentials = credentials;
  }

  /** The state as a value. */
  world(): World {
    return {
      self: this.#own.name,
      clusters: this.#clusters,
      shards: this.shards,
      policies: this.#policies,
      credentials: this.#credentials,
    };
  }

  /** What changed since it was taken last; undefined when nothing did. */
  takeDirty(): Dirty | undefined {
    const services = new Set(this.#services);
    this.#services.clear();
    const all = this.#all;
    this.#all = false;
    const isDirty = services.size > 0 || this.#credentialsDiffer;
    this.#credentialsDiffer = false;
    if (all) return 'all';
    return isDirty ? { services } : undefined;
  }

  /** Everything is to be compiled again. */
  markAll(): void {
    this.#all = true;
  }

  #setShard(cluster: string, key: string, shard: EndpointShard | undefined): void {
    const own = this.#byCluster.get(cluster) ?? new Map<string, EndpointShard>();
    if (own.get(key) === shard) return;
    this.#byCluster.set(cluster, own);
    if (shard === undefined) own.delete(key);
    else own.set(key, shard);
    const clusters = new Map(this.#shards.get(key));
    if (shard === undefined) clusters.delete(cluster);
    else clusters.set(cluster, shard);
    this.#given = undefined;
    if (clusters.size === 0) this.#shards.delete(key);
    else this.#shards.set(key, new Map([...clusters].sort(([a], [b]) => (a < b ? -1 : 1))));
    this.#services.add(key);
  }

  #rebuildClusters(): void {
    const members = new Map((this.#roster?.members ?? []).map((member) => [member.name, peerOf(member, this.#facts.get(member.name))]));
    const { name } = this.#own;
    if (!members.has(name)) members.set(name, { ...this.#own, network: name, ...(this.#facts.get(name) ?? NO_FACTS) });
    const next = new Map([...members].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (JSON.stringify([...next]) === JSON.stringify([...this.#clusters])) return;
    this.#clusters = next;
    this.#all = true;
  }
}

function peerOf(member: RosterMember, facts: ClusterFacts = NO_FACTS): PeerCluster {
  const { name, region, zone, network, trustDomain } = member;
  return { name, region, zone, network, trustDomain, trustBundle: facts.trustBundle, gateways: facts.gateways };
}
