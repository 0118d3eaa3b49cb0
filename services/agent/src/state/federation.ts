/** What this agent knows of the federation, and what of it differs from what was compiled. No clock, no I/O. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ClusterFacts, ExternalTrustDomain, LocalDrain, Roster, RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { isMutual } from '@hawser/model/trust-domain.ts';
import { KeyOwners, readAuthority } from '@hawser/runtime/authority-certificate.ts';
import type { Credentials } from './credential.ts';
import type { Shards } from './endpoint-brake.ts';
import { type LapsedTrust, lapsedAfter, NOTHING_LAPSED } from './lapsed-trust.ts';
import { strandedEndpoints } from './stranded-endpoints.ts';
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
  /** Of the own cluster's, by service key: those with endpoints in networks of their own. */
  readonly #apart = new Map<string, EndpointShard>();
  /** Clusters that had bare endpoints once: what leads to their gateways does not come and go with single endpoints. */
  readonly #speakers = new Set<string>();
  /** The shards as last given away; undefined once they differ. */
  #given: World['shards'] | undefined;
  #clusters: ReadonlyMap<string, PeerCluster> = new Map();
  #external: readonly ExternalTrustDomain[] = [];
  readonly #keyOwners = new KeyOwners();
  /** By external trust domain: why its bundle is not taken. */
  readonly #refusedDomains = new Map<string, string>();
  #lapsed: LapsedTrust;
  #policies: ReadonlyMap<string, Resource> = new Map();
  #credentials: Credentials = new Map();
  #credentialsDiffer = false;
  #heldAddresses: ReadonlyMap<string, string> | undefined;
  #all = true;
  readonly #services = new Set<string>();

  /** `lapsed` as it was when the state was saved. */
  constructor(own: OwnCluster, lapsed: LapsedTrust = NOTHING_LAPSED) {
    this.#own = own;
    this.#lapsed = lapsed;
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

  /** Who was believed and is not any more. */
  get lapsed(): LapsedTrust {
    return this.#lapsed;
  }

  /** Members of the federation other than the own cluster. */
  peers(): RosterMember[] {
    return (this.#roster?.members ?? []).filter((member) => member.name !== this.#own.name);
  }

  /** What clusters say of drains by themselves, by name. */
  localDrains(): ReadonlyMap<string, LocalDrain> {
    return new Map([...this.#facts].flatMap(([name, { localDrain }]) => (localDrain === undefined ? [] : [[name, localDrain]])));
  }

  /** Where a cluster is; both empty when nobody said. */
  placeOf(cluster: string): Pick<PeerCluster, 'region' | 'zone'> {
    return this.#clusters.get(cluster) ?? { region: '', zone: '' };
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
    const before = new Map((this.#roster?.members ?? []).map((member) => [member.name, member]));
    const lapsed = lapsedAfter(this.#lapsed, this.#own, [this.#roster, roster]);
    this.#all ||= lapsed !== this.#lapsed;
    this.#lapsed = lapsed;
    this.#roster = roster;
    for (const gone of before.values()) {
      const now = this.member(gone.name);
      if (gone.name === this.#own.name || now?.epoch === gone.epoch) continue;
      this.#facts.delete(gone.name);
      this.#speakers.delete(gone.name);
      this.#keyOwners.release(gone.name);
      for (const key of [...(this.#byCluster.get(gone.name)?.keys() ?? [])]) this.#setShard(gone.name, key, undefined);
    }
    for (const { name, exportNamespaces } of roster.members) {
      if (JSON.stringify(exportNamespaces) === JSON.stringify(before.get(name)?.exportNamespaces)) continue;
      for (const [key, shard] of this.#byCluster.get(name) ?? []) this.#show(name, key, shard);
    }
    this.#setExternal(roster.external ?? []);
    this.#rebuildClusters();
  }

  /**
   * A cluster's own word. It is refused, with the reason, when its bundle holds an authority's key that another trust domain has: one
   * could then speak for the other (RELIABILITY.md 5.2). What it said before stays in force.
   */
  setFacts(cluster: string, facts: ClusterFacts): string | undefined {
    const { trustDomain } = cluster === this.#own.name ? this.#own : (this.member(cluster) ?? { trustDomain: cluster });
    const keys = keysOf(facts.trustBundle);
    const conflict = this.#keyOwners.conflict(trustDomain, keys);
    if (conflict !== undefined) return sharedKey(trustDomain, conflict);
    this.#keyOwners.claim(cluster, trustDomain, keys);
    this.#facts.set(cluster, facts);
    this.#rebuildClusters();
    return undefined;
  }

  /** What of the federation is not served because it is not trusted, or not allowed; in words. */
  trustProblems(): string[] {
    const own = this.#clusters.get(this.#own.name) ?? this.#own;
    const uncalled = this.peers().filter((member) => !isMutual(own, member) && (this.#byCluster.get(member.name)?.size ?? 0) > 0);
    return [
      ...this.#refusedDomains.values(),
      ...uncalled.map(
        ({ name, trustDomain }) =>
          `endpoints of ${name} are not called: ${own.trustDomain} and ${trustDomain} do not federate with each other`,
      ),
      ...withheldExports(this.#byCluster, (name) => this.member(name)?.exportNamespaces),
    ];
  }

  /** Own endpoints in other networks that cannot be called from here; in words. */
  networkProblems(): string[] {
    return strandedEndpoints(this.#apart.values(), this.#clusters);
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

  /** Addresses that ServiceImports have, by host. `isNews`: some proxy may have others. */
  setHeldAddresses(held: ReadonlyMap<string, string>, isNews: boolean): void {
    this.#heldAddresses = held;
    this.#all ||= isNews;
  }

  /** The state as a value. */
  world(): World {
    return {
      self: this.#own.name,
      clusters: this.#clusters,
      shards: this.shards,
      policies: this.#policies,
      credentials: this.#credentials,
      external: this.#external,
      lapsed: this.#lapsed,
      ...(this.#heldAddresses === undefined ? {} : { heldAddresses: this.#heldAddresses }),
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
    if (cluster === this.#own.name) {
      if (shard?.endpoints.some(({ network }) => network !== undefined)) this.#apart.set(key, shard);
      else this.#apart.delete(key);
    }
    if (!this.#speakers.has(cluster) && shard?.endpoints.some(({ bare }) => bare === true)) {
      this.#speakers.add(cluster);
      this.#rebuildClusters();
    }
    this.#show(cluster, key, shard);
  }

  /** Puts a shard in force, unless its cluster may not export the namespace: the hub's word decides, not the cluster's. */
  #show(cluster: string, key: string, given: EndpointShard | undefined): void {
    const allowed = cluster === this.#own.name ? undefined : this.member(cluster)?.exportNamespaces;
    const shard = given === undefined || allowed?.includes(given.namespace) === false ? undefined : given;
    if (this.#shards.get(key)?.get(cluster) === shard) return;
    const clusters = new Map(this.#shards.get(key));
    if (shard === undefined) clusters.delete(cluster);
    else clusters.set(cluster, shard);
    this.#given = undefined;
    if (clusters.size === 0) this.#shards.delete(key);
    else this.#shards.set(key, new Map([...clusters].sort(([a], [b]) => (a < b ? -1 : 1))));
    this.#services.add(key);
  }

  /** Members first: what an external bundle holds of a member's keys is refused with it. */
  #setExternal(external: readonly ExternalTrustDomain[]): void {
    const before = new Map(this.#external.map((domain) => [domain.name, domain]));
    for (const name of before.keys()) if (!external.some((domain) => domain.name === name)) this.#keyOwners.release(`external ${name}`);
    this.#refusedDomains.clear();
    const next = external.flatMap((domain) => {
      const { name } = domain;
      const keys = keysOf(domain.trustBundle);
      const conflict = this.#keyOwners.conflict(name, keys);
      if (conflict === undefined) {
        this.#keyOwners.claim(`external ${name}`, name, keys);
        return [domain];
      }
      this.#refusedDomains.set(name, sharedKey(name, conflict));
      const kept = before.get(name);
      return kept === undefined ? [] : [kept];
    });
    if (JSON.stringify(next) === JSON.stringify(this.#external)) return;
    this.#external = next;
    this.#all = true;
  }

  #rebuildClusters(): void {
    const members = new Map((this.#roster?.members ?? []).map((member) => [member.name, peerOf(member, this.#facts.get(member.name))]));
    const { name } = this.#own;
    if (!members.has(name)) members.set(name, { ...this.#own, network: name, ...(this.#facts.get(name) ?? NO_FACTS) });
    for (const speaker of this.#speakers) {
      const member = members.get(speaker);
      if (member !== undefined) members.set(speaker, { ...member, speaksForWorkloads: true });
    }
    const next = new Map([...members].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (JSON.stringify([...next]) === JSON.stringify([...this.#clusters])) return;
    this.#clusters = next;
    this.#all = true;
  }
}

function peerOf(member: RosterMember, facts: ClusterFacts = NO_FACTS): PeerCluster {
  const { name, region, zone, network, trustDomain, federatesWith, aliases, draining } = member;
  return {
    ...{ name, region, zone, network, trustDomain, trustBundle: facts.trustBundle, gateways: facts.gateways },
    ...(facts.severed === undefined ? {} : { severed: facts.severed }),
    ...(federatesWith === undefined ? {} : { federatesWith }),
    ...(aliases === undefined ? {} : { aliases }),
    ...(draining === true ? { draining } : {}),
  };
}

function keysOf(bundle: readonly string[]): string[] {
  return bundle.flatMap((pem) => {
    const authority = readAuthority(pem);
    return 'problem' in authority ? [] : [authority.keyId];
  });
}

function sharedKey(trustDomain: string, { keyId, owner }: { readonly keyId: string; readonly owner: string }): string {
  return `the bundle of ${trustDomain} is not taken: it holds a key (SHA-256 ${keyId.slice(0, 16)}…) that is an authority of ${owner}`;
}

/** Per cluster and namespace, what it exports without being allowed to. */
function withheldExports(
  byCluster: ReadonlyMap<string, ReadonlyMap<string, EndpointShard>>,
  allowedOf: (cluster: string) => readonly string[] | undefined,
): string[] {
  return [...byCluster].flatMap(([cluster, shards]) => {
    const allowed = allowedOf(cluster);
    if (allowed === undefined) return [];
    const withheld = [...shards.values()].filter(({ namespace, exported }) => exported && !allowed.includes(namespace));
    const named = Map.groupBy(withheld, ({ namespace }) => namespace);
    return [...named].map(
      ([namespace, { length }]) =>
        `${cluster} may not export namespace ${namespace}: other clusters do not use its services there (${length})`,
    );
  });
}
