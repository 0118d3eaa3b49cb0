/** Everything between the bus and the control loop: the hub's documents, the other clusters', and what is published. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { DrillPartition } from '@hawser/model/drill-form.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { PeerStatus } from '@hawser/wire/messages.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import type { TrustOrder } from '@hawser/wire/trust.ts';
import type { ControlLoop, Moment } from '../control-loop.ts';
import type { Warnings } from '../report/warnings.ts';
import type { Shards } from '../state/endpoint-brake.ts';
import type { Federation } from '../state/federation.ts';
import { ConfigWatcher } from './config-watcher.ts';
import { LeasedPublisher } from './leased-publisher.ts';
import type { Member } from './membership.ts';
import { decoded, type SavedState } from './saved-state.ts';
import { ShardWatcher } from './shard-watcher.ts';

/** What it works with. */
export interface AgentFeedParts {
  readonly bus: Bus;
  readonly member: Member;
  readonly facts: ClusterFacts;
  readonly federation: Federation;
  readonly loop: ControlLoop;
  readonly warnings: Warnings;
  readonly log: Logger;
  readonly saved: SavedState | undefined;
  /** How often the own cluster says that it lives; others are stale after three of these. */
  readonly heartbeatMs?: number | undefined;
  /** This replica, the same over restarts, and this process. */
  readonly replica: string;
  readonly process: string;
  readonly revisions: (above: number) => number;
  /** The hub's word on the rotation of the own authority; undefined when it has none. */
  readonly onTrustOrder: (order: TrustOrder | undefined) => void;
  /** What would be saved, or what an operator sees, differs. */
  readonly onChange: () => void;
}

/** How long a first start waits for what members have published, after the stream was listed, before it does without. */
const COMPLETE_GRACE_MS = 10_000;

/** Starts with what was saved, and follows the bus. */
export class AgentFeed {
  readonly #parts: AgentFeedParts;
  #config: ConfigWatcher | undefined;
  readonly #publisher: LeasedPublisher;
  #shards: ShardWatcher | undefined;
  #cutFrom: DrillPartition['from'] | undefined;
  #listed = false;
  #grace: NodeJS.Timeout | undefined;

  constructor(parts: AgentFeedParts) {
    const { bus, member, facts, log, revisions, replica, process, heartbeatMs, onChange } = parts;
    this.#parts = parts;
    this.#publisher = new LeasedPublisher({ bus, member, facts, replica, process, revisions, log, heartbeatMs, onChange });
  }

  /** Takes what was saved, in this turn, and begins to listen. */
  start(): void {
    const { loop, saved } = this.#parts;
    this.#hearHub(saved?.config ?? []);
    // Without a roster the saved state knows nobody, and everything has to be heard first.
    if (this.#shards !== undefined && saved !== undefined) loop.fulfil('fleet');
    this.#publisher.start();
  }

  /** Acts as if there were no hub, or no bus, and serves what it knows; undefined: no longer, and what it missed is heard. */
  cutOff(from: DrillPartition['from'] | undefined): void {
    this.#parts.log.warn({ from }, from === undefined ? 'a drill is over: hub and bus are heard again' : 'a drill cuts this agent off');
    this.#parts.bus.hold(from === 'bus');
    if (from === 'hub') this.#config?.stop();
    else if (this.#cutFrom === 'hub') this.#hearHub(this.#config?.encoded() ?? []);
    this.#cutFrom = from;
  }

  /** The members, or their keys, are others now. */
  rosterChanged(): void {
    if (this.#shards !== undefined) {
      this.#shards.relist();
      return;
    }
    const { bus, member, federation, warnings, log, saved, loop, heartbeatMs, onChange } = this.#parts;
    const seed = decoded(saved?.fleet ?? []);
    this.#shards = new ShardWatcher({
      ...{ bus, cluster: member.membership.cluster, federation, warnings, log, seed },
      staleAfterMs: heartbeatMs === undefined ? undefined : 3 * heartbeatMs,
      onChange: () => loop.wake(),
      onListed: () => this.#fleetListed(),
      onPeer: () => this.#peerChanged(onChange),
    });
    loop.wake();
  }

  /** What the cluster says of itself is another now. */
  setFacts(facts: ClusterFacts): void {
    this.#publisher.setFacts(facts);
  }

  /** The own shards in force. */
  publish(shards: Shards): void {
    this.#publisher.publish(shards);
  }

  /** Whether this replica publishes for its cluster. */
  get publishes(): boolean {
    return this.#publisher.publishes;
  }

  /** Of the lease that is held here; 0 without. */
  get term(): number {
    return this.#publisher.term;
  }

  /** Another replica of the cluster holds the lease of this term, and lives. */
  heard(term: number): void {
    this.#publisher.heard(term);
  }

  peers(): PeerStatus[] {
    return this.#shards?.peers() ?? [];
  }

  /** By cluster, the newest moment of which everything is here. */
  moments(): ReadonlyMap<string, Moment> {
    return this.#shards?.moments() ?? new Map();
  }

  /** Sealed messages for the last good state. */
  encoded(): { readonly config: string[]; readonly fleet: string[] } {
    return { config: this.#config?.encoded() ?? [], fleet: this.#shards?.encoded() ?? [] };
  }

  async stop(): Promise<void> {
    clearTimeout(this.#grace);
    this.#config?.stop();
    this.#shards?.stop();
    await this.#publisher.stop();
  }

  #hearHub(messages: readonly string[]): void {
    const { bus, member, loop, warnings, log, onChange, onTrustOrder } = this.#parts;
    const { cluster, hubKey } = member.membership;
    const seed = decoded(messages);
    this.#config = new ConfigWatcher({ bus, cluster, hubKey: verifierOf(hubKey), loop, warnings, log, seed, onChange, onTrustOrder });
  }

  /** A member may be down for good: the others must not wait for it for ever. */
  #fleetListed(): void {
    if (this.#listed) return;
    this.#listed = true;
    this.#grace = setTimeout(() => this.#parts.loop.fulfil('fleet'), COMPLETE_GRACE_MS).unref();
    this.#peerChanged(() => undefined);
  }

  #peerChanged(then: () => void): void {
    if (this.#listed && this.#shards?.complete === true) {
      clearTimeout(this.#grace);
      this.#parts.loop.fulfil('fleet');
    }
    then();
  }
}
