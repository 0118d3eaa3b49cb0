/** Publishes for the cluster while this replica holds its lease; the others stay warm, and one of them goes on when it falls silent. */
import type { Bus } from '@hawser/bus/bus.ts';
import { Lease } from '@hawser/bus/lease.ts';
import type { ClusterFacts } from '@hawser/model/fleet.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { FLEET_STREAM, leaseSubject } from '@hawser/wire/subjects.ts';
import type { Shards } from '../state/endpoint-brake.ts';
import { FleetPublisher } from './fleet-publisher.ts';
import type { Member } from './membership.ts';

/** What it works with. */
export interface LeasedPublisherParts {
  readonly bus: Bus;
  readonly member: Member;
  readonly facts: ClusterFacts;
  /** This replica, the same over restarts, and this process. */
  readonly replica: string;
  readonly process: string;
  readonly revisions: (above: number) => number;
  readonly log: Logger;
  readonly heartbeatMs?: number | undefined;
  /** Whether this replica publishes is another now. */
  readonly onChange: () => void;
}

const FLUSH_MS = 1_000;

/** The cluster's word, by whichever replica has it. */
export class LeasedPublisher {
  readonly #parts: LeasedPublisherParts;
  readonly #lease: Lease;
  #publisher: FleetPublisher | undefined;
  #shards: Shards | undefined;
  #facts: ClusterFacts;
  /** Earlier publishers that are still ending. */
  #ending: Promise<void> = Promise.resolve();

  constructor(parts: LeasedPublisherParts) {
    const { bus, member, replica, process, log } = parts;
    const { cluster, epoch } = member.membership;
    this.#parts = parts;
    this.#facts = parts.facts;
    this.#lease = new Lease({
      ...{ bus, log, stream: FLEET_STREAM, subject: leaseSubject(cluster), owner: cluster, epoch, signer: member.signer },
      ...{ holder: replica, process, onChange: (held) => this.#changed(held) },
    });
  }

  /** Whether this replica publishes. */
  get publishes(): boolean {
    return this.#lease.held;
  }

  /** Of the lease, if it is held here; else 0. */
  get term(): number {
    return this.#lease.held ? this.#lease.term : 0;
  }

  start(): void {
    this.#lease.start();
  }

  /** A sign of life of the replica that holds this term. */
  heard(term: number): void {
    this.#lease.heard(term);
  }

  /** What the cluster says of itself is another now. */
  setFacts(facts: ClusterFacts): void {
    this.#facts = facts;
    this.#publisher?.setFacts(facts);
  }

  /** All shards in force; who knows none has nothing to say for its cluster, and does not want the lease. */
  publish(shards: Shards): void {
    this.#shards = shards;
    this.#publisher?.publish(shards);
    this.#lease.want();
  }

  /** Resolves when what was published is on the stream, or after a second. */
  async flushed(): Promise<void> {
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    const done = new AbortController();
    await Promise.race([publisher.drained(), sleep(FLUSH_MS, done.signal)]);
    done.abort();
  }

  /** Ends the own publishing first, so that the successor finds everything. */
  async stop(): Promise<void> {
    if (this.#parts.bus.connected) await this.flushed();
    const publisher = this.#publisher;
    this.#publisher = undefined;
    await publisher?.stop();
    await this.#ending;
    await this.#lease.release();
    this.#lease.stop();
  }

  #changed(held: boolean): void {
    const before = this.#publisher;
    this.#publisher = undefined;
    if (before !== undefined) this.#ending = this.#ending.then(() => before.stop());
    if (held) this.#begin();
    this.#parts.onChange();
  }

  #begin(): void {
    const { bus, member, revisions, log, heartbeatMs } = this.#parts;
    const { cluster, epoch } = member.membership;
    // Another replica may have published while this one was cut off, and be gone together with the stream: the other clusters remember.
    // Counters start at a clock and give less than a revision a millisecond, so what it gave is below the clock now.
    revisions(Date.now());
    const mayPublish = (): Promise<boolean> => this.#lease.confirm();
    const { signer } = member;
    const publisher = new FleetPublisher({ bus, cluster, epoch, signer, facts: this.#facts, revisions, mayPublish, log, heartbeatMs });
    this.#publisher = publisher;
    if (this.#shards !== undefined) publisher.publish(this.#shards);
  }
}
