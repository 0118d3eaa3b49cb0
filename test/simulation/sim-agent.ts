/** An agent made of the product's own parts; its disk survives a crash, its memory does not. */
import { ControlLoop, type Moment } from '@hawser/agent/control-loop.ts';
import { AgentFeed } from '@hawser/agent/feed/agent-feed.ts';
import type { Member } from '@hawser/agent/feed/membership.ts';
import { Replicas } from '@hawser/agent/feed/replicas.ts';
import type { SavedState } from '@hawser/agent/feed/saved-state.ts';
import { Warnings } from '@hawser/agent/report/warnings.ts';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import type { BrakeSource, Shards } from '@hawser/agent/state/endpoint-brake.ts';
import { Federation } from '@hawser/agent/state/federation.ts';
import { PolicyProbation } from '@hawser/agent/state/policy-probation.ts';
import type { World } from '@hawser/agent/state/world.ts';
import { createTranslator } from '@hawser/agent/translate/translator.ts';
import { LayerSets } from '@hawser/agent/xds/layer-sets.ts';
import { type ClusterFacts, type RosterMember, trustDomainOf } from '@hawser/model/fleet.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { rootOf } from '../kit/golden-case.ts';
import type { SimNats } from './sim-nats.ts';
import { SimRegistry, type Truth } from './sim-registry.ts';
import type { Actor, VirtualTime } from './virtual-time.ts';

/** What every life of an agent needs, and who watches it. */
export interface AgentParts {
  readonly time: VirtualTime;
  readonly nats: SimNats;
  readonly member: RosterMember;
  /** Which of the cluster's agents. */
  readonly replica: string;
  readonly signer: Signer;
  readonly hubKey: string;
  readonly truth: Truth;
  readonly logger: Logger;
  /** The owner's word: what is in force in its own cluster. */
  readonly onWord: (agent: SimAgent, shards: Shards) => void;
  /** A hub revision is compiled and served. */
  readonly onRevision: (agent: SimAgent, moment: Moment, world: World) => void;
  /** A life that began without a last good state serves from now on. */
  readonly onReady: (agent: SimAgent, aliveMs: number) => void;
  /** What is served changed. */
  readonly onServed: (agent: SimAgent) => void;
}

interface Disk {
  /** The replica's name is on it, too. */
  readonly name: string;
  revision: number;
  saved: (Pick<SavedState, 'config' | 'fleet' | 'moment'> & { readonly shards: Shards }) | undefined;
}

/** What one life holds in memory. */
export interface AgentLife {
  readonly loop: ControlLoop;
  readonly store: SnapshotStore;
  readonly sets: LayerSets;
  readonly federation: Federation;
  readonly registry: SimRegistry;
}

const SAVE_AFTER_MS = 50;
const REVISION_BLOCK = 100;

/** One agent process; `start` begins a life of it. */
export class SimAgent {
  readonly actor: Actor;
  readonly cluster: string;
  life: AgentLife | undefined;
  readonly #parts: AgentParts;
  #disk: Disk;
  #saving = false;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.cluster = parts.member.name;
    this.actor = { name: `agent-${this.cluster}-${parts.replica}`, life: 0, paused: false };
    this.#disk = this.#emptyDisk();
  }

  /** As `RevisionCounter` and `replicaName` begin. */
  #emptyDisk(): Disk {
    const { time, replica } = this.#parts;
    return { revision: time.now, saved: undefined, name: `${this.cluster}-${replica}-${this.actor.life}` };
  }

  start(): void {
    this.#parts.time.as(this.actor, () => this.#compose());
  }

  crash(options: { readonly losingDisk: boolean }): void {
    this.life = undefined;
    this.#saving = false;
    this.#parts.time.crash(this.actor);
    this.#parts.nats.drop(this.actor);
    if (options.losingDisk) this.#disk = this.#emptyDisk();
  }

  /** The registry changed, or was read again; `short` endpoints are missing from this reading. */
  read(source: BrakeSource, short?: ReadonlySet<string>): void {
    const { life } = this;
    if (life === undefined) return;
    const { time } = this.#parts;
    time.plan(this.actor, 0, () => {
      life.registry.read(source, time.now, short);
      const at = life.registry.confirmableAt;
      if (at !== undefined) time.plan(this.actor, at - time.now + 10, () => this.read('relist'));
    });
  }

  #compose(): void {
    const { time, nats, member, truth, logger, onWord, onRevision, onReady, onServed } = this.#parts;
    const { saved } = this.#disk;
    const { name, region, zone, trustDomain } = member;
    const warnings = new Warnings(() => undefined);
    const federation = new Federation({ name, region, zone, trustDomain });
    federation.setFacts(name, this.#facts());
    const store = new SnapshotStore();
    const sets = new LayerSets(store);
    let feed: AgentFeed | undefined;
    const loop: ControlLoop = new ControlLoop({
      ...{ federation, translator: createTranslator(), store, probation: new PolicyProbation(undefined) },
      onRevision: (moment) => onRevision(this, moment, federation.world()),
      onProblems: (problems) => {
        if (problems.length > 0) throw new Error(`${name} cannot compile: ${problems.map(({ message }) => message).join('; ')}`);
      },
      onRoster: () => feed?.rosterChanged(),
      onChange: () => this.#saveSoon(),
    });
    store.subscribe(() => onServed(this));
    const registry = new SimRegistry(truth, saved?.shards, (shards) => {
      onWord(this, shards);
      loop.setOwnShards(shards);
      feed?.publish(shards);
    });
    this.life = { loop, store, sets, federation, registry };
    if (saved?.moment !== undefined) loop.resume(saved.moment);
    const bornAt = time.now;
    if (saved === undefined) loop.onReady(() => onReady(this, time.now - bornAt));
    registry.read('relist', time.now);
    const bus = nats.connect(this.actor);
    const made = new AgentFeed({
      ...{ bus, member: this.#member(), facts: this.#facts(), federation, loop, warnings, log: logger },
      saved: saved as unknown as SavedState | undefined,
      ...{ replica: this.#disk.name, process: `${name}-${this.actor.life}` },
      onTrustOrder: () => undefined,
      revisions: (above) => this.#nextRevision(above),
      onChange: () => {
        replicas?.speak();
        this.#saveSoon();
      },
    });
    feed = made;
    const replicas: Replicas | undefined = new Replicas({
      ...{ bus, member: this.#member(), replica: this.#disk.name },
      current: () => ({ term: made.term, sidecars: [], draining: [] }),
      nextRevision: () => this.#nextRevision(),
      onBeat: (beat) => {
        this.#disk.revision = Math.max(this.#disk.revision, beat.revision);
        if (beat.term > 0) made.heard(beat.term);
      },
      onSilent: () => undefined,
    });
    this.#feed = feed;
    feed.start();
    feed.publish(registry.inForce);
    loop.run();
    if (registry.confirmableAt !== undefined) this.read('relist');
  }

  #feed: AgentFeed | undefined;

  #nextRevision(above = 0): number {
    const disk = this.#disk;
    disk.revision = Math.max(disk.revision, above) + (disk.revision % REVISION_BLOCK === 0 ? 2 : 1);
    return disk.revision;
  }

  #saveSoon(): void {
    if (this.#saving || this.life?.loop.ready !== true) return;
    this.#saving = true;
    this.#parts.time.plan(this.actor, SAVE_AFTER_MS, () => {
      this.#saving = false;
      const { life } = this;
      if (life === undefined) return;
      const { moment } = life.loop;
      const { config, fleet } = this.#feed?.encoded() ?? { config: [], fleet: [] };
      this.#disk.saved = { config, fleet, shards: life.registry.inForce, ...(moment === undefined ? {} : { moment }) };
    });
  }

  #facts(): ClusterFacts {
    return { trustBundle: [rootCertificate(this.cluster)], gateways: ['192.0.2.1:15443'] };
  }

  #member(): Member {
    const { member, signer, hubKey } = this.#parts;
    const { name, region, zone, epoch } = member;
    return {
      ...{ agentDir: '', identityDir: '', hubUrl: '', signer, natsSeed: '' },
      membership: {
        ...{ cluster: name, region, zone, epoch, hubKey, trustDomain: trustDomainOf(name) },
        ...{ natsUrls: [], natsJwt: '', natsJwtExpiresAt: '2100-01-01T00:00:00Z' },
      },
    };
  }
}

const roots = new Map<string, string>();

/** Read once. */
function rootCertificate(cluster: string): string {
  const pem = roots.get(cluster) ?? rootOf(cluster);
  roots.set(cluster, pem);
  return pem;
}
