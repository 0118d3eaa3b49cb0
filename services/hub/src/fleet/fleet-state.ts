/** What the clusters publish of themselves, verified and in memory. Views read it; nothing here is the only copy of anything. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ClusterFacts, RosterMember } from '@hawser/model/fleet.ts';
import { type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import { checkBundle, KeyOwners } from '@hawser/runtime/authority-certificate.ts';
import { type ShardSummary, SummaryPool, summaryOf } from './shard-summary.ts';

/** How fresh the word of a cluster is: KNOWN is heart-beaten, STALE went silent, UNKNOWN has not said anything yet. */
export type Freshness = 'KNOWN' | 'STALE' | 'UNKNOWN';

/** Three missed heartbeats of 10 s make a cluster's word stale. */
export const STALE_AFTER_MS = 30_000;

/** One member with what it published. */
export interface ClusterView {
  readonly member: RosterMember;
  /** Service key → what is kept of its exported shard. */
  readonly shards: ReadonlyMap<string, ShardSummary>;
  /** The same of services whose namespace it may not export: nobody takes them. */
  readonly withheld: ReadonlyMap<string, ShardSummary>;
  readonly facts: ClusterFacts | undefined;
  /** Unix milliseconds; undefined when nothing came from it yet. */
  readonly lastHeardAt: number | undefined;
}

interface MutableView {
  member: RosterMember;
  shards: Map<string, ShardSummary>;
  withheld: Map<string, ShardSummary>;
  facts: ClusterFacts | undefined;
  lastHeardAt: number | undefined;
}

/** The fleet as this hub hears it. Clusters come and go with the roster alone. */
export class FleetState {
  readonly #clusters = new Map<string, MutableView>();
  readonly #listeners = new Set<() => void>();
  readonly #now: () => number;
  readonly #pool = new SummaryPool();
  readonly #keyOwners = new KeyOwners();
  #listed = false;
  #revision = 0;
  /** Worked out when asked for; forgotten when a service or its ports change. */
  #services: ReadonlyMap<string, ReadonlySet<number>> | undefined;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Members by name, sorted. */
  clusters(): readonly ClusterView[] {
    return [...this.#clusters.values()];
  }

  /** Rises with every change of members and of what they serve. */
  get revision(): number {
    return this.#revision;
  }

  cluster(name: string): ClusterView | undefined {
    return this.#clusters.get(name);
  }

  /** Every exported service by `NAMESPACE/SERVICE`, with its ports in any cluster; undefined until every member has been heard: unknown is not empty. */
  knownServices(): ReadonlyMap<string, ReadonlySet<number>> | undefined {
    const clusters = this.clusters();
    if (!this.#listed || clusters.length === 0 || clusters.some((cluster) => cluster.lastHeardAt === undefined)) return undefined;
    this.#services ??= servicesOf(clusters);
    return this.#services;
  }

  /** What the stream held has been read. */
  setListed(): void {
    this.#listed = true;
    this.#changed();
  }

  freshness(name: string): Freshness {
    const heard = this.#clusters.get(name)?.lastHeardAt;
    if (heard === undefined) return 'UNKNOWN';
    return this.#now() - heard > STALE_AFTER_MS ? 'STALE' : 'KNOWN';
  }

  /** How many clusters are in each state. */
  countByFreshness(): Readonly<Record<Freshness, number>> {
    const count = { KNOWN: 0, STALE: 0, UNKNOWN: 0 };
    for (const name of this.#clusters.keys()) count[this.freshness(name)] += 1;
    return count;
  }

  /** Replaces the roster. A new epoch of a member starts with nothing known of it. */
  setMembers(members: readonly RosterMember[]): void {
    const before = new Map(this.#clusters);
    this.#revision += 1;
    this.#services = undefined;
    this.#clusters.clear();
    const epochs = new Map(members.map(({ name, epoch }) => [name, epoch]));
    for (const [name, { member }] of before) if (epochs.get(name) !== member.epoch) this.#keyOwners.release(name);
    for (const member of [...members].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const known = before.get(member.name);
      const kept = known !== undefined && known.member.epoch === member.epoch;
      const nothing = { shards: new Map(), withheld: new Map(), facts: undefined, lastHeardAt: undefined };
      this.#clusters.set(member.name, kept ? divided({ ...known, member }) : { member, ...nothing });
    }
    this.#changed();
  }

  putShard(cluster: string, shard: EndpointShard): void {
    const view = this.#clusters.get(cluster);
    if (view === undefined) return;
    const key = this.#pool.text(serviceKey(shard));
    const summary = this.#pool.shared(summaryOf(shard));
    const kept = mayExport(view.member, summary) ? view.shards : view.withheld;
    if (kept.get(key)?.ports !== summary.ports) this.#services = undefined;
    kept.set(key, summary);
    this.#revision += 1;
    this.#changed();
  }

  /** The owner's tombstone. */
  removeShard(cluster: string, service: ServiceName): void {
    const view = this.#clusters.get(cluster);
    view?.withheld.delete(serviceKey(service));
    this.#revision += 1;
    if (view?.shards.delete(serviceKey(service)) === true) this.#services = undefined;
    this.#changed();
  }

  /** Refused, with the reason, when the bundle holds an authority's key of another trust domain; what was said before stays. */
  setFacts(cluster: string, facts: ClusterFacts): string | undefined {
    const view = this.#clusters.get(cluster);
    if (view === undefined) return undefined;
    const { trustDomain } = view.member;
    const { authorities } = checkBundle(trustDomain, facts.trustBundle, this.#now());
    const keys = authorities.map(({ keyId }) => keyId);
    const conflict = this.#keyOwners.conflict(trustDomain, keys);
    if (conflict !== undefined) return `its bundle holds an authority's key of ${conflict.owner}`;
    this.#keyOwners.claim(cluster, trustDomain, keys);
    view.facts = facts;
    this.#changed();
    return undefined;
  }

  /** The member's trust domain that has this authority's key. */
  keyOwner(keyId: string): string | undefined {
    return this.#keyOwners.conflict('', [keyId])?.owner;
  }

  /** A verified message of this cluster was sent at this time (Unix milliseconds). */
  heard(cluster: string, at: number): void {
    const view = this.#clusters.get(cluster);
    if (view === undefined || (view.lastHeardAt ?? 0) >= at) return;
    view.lastHeardAt = at;
    this.#changed();
  }

  /** Calls back, in the same turn, after every change. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function mayExport({ exportNamespaces }: RosterMember, { namespace }: ShardSummary): boolean {
  return exportNamespaces?.includes(namespace) !== false;
}

/** What a cluster may export by its present membership, apart from the rest. */
function divided(view: MutableView): MutableView {
  const all = [...view.shards, ...view.withheld];
  const [shards, withheld] = [true, false].map((wanted) => new Map(all.filter(([, shard]) => mayExport(view.member, shard) === wanted)));
  return { ...view, shards: shards ?? new Map(), withheld: withheld ?? new Map() };
}

function servicesOf(clusters: readonly ClusterView[]): ReadonlyMap<string, ReadonlySet<number>> {
  const services = new Map<string, Set<number>>();
  for (const { shards } of clusters) {
    for (const [key, { ports }] of shards) {
      const known = services.get(key) ?? new Set();
      services.set(key, known);
      for (const { port } of ports) known.add(port);
    }
  }
  return services;
}
