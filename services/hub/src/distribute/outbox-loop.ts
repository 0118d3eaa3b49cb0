/** Carries committed writes to the bus while this replica leads: woken by a hint, kept honest by a poll; the database is the truth. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { place, placementChanges } from '../placement/place.ts';
import type { DesiredState, ListenOutbox, OutboxEntry, ResourceReadModel } from '../resource/resource-read-model.ts';
import type { ClusterPublishers } from './cluster-publishers.ts';
import { KnownState, type StateStep } from './known-state.ts';

/** What the loop works with. */
export interface OutboxLoopParts {
  readonly readModel: ResourceReadModel;
  readonly listenOutbox: ListenOutbox;
  /** Publishers of a term. */
  readonly publishersOf: (term: number) => ClusterPublishers;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called with each desired state whose members may be others, before its documents are handed to the publishers. */
  readonly onDesired: (desired: DesiredState) => void;
  /** Called when the newest published revision rose, or the desired state changed. */
  readonly onPublished: (revision: number) => void;
}

const POLL_MS = 1000;
/** Of a batch for each cluster: the next one is read when so much time has passed since the last began. */
const PACE_MS = 1;
const LONGEST_PACE_MS = 500;
/** Changes are found by their revisions, which have no gaps; the whole is read this often in case that is ever not so. */
const REREAD_MS = 600_000;
const RETRY = { baseMs: 100, maxMs: 5000 };
const MAX_COMMIT_TIMES = 8192;

/** A term and what publishes in it. */
interface Reign {
  readonly term: number;
  readonly publishers: ClusterPublishers;
  /** The newest revision noted in the database. */
  marked: number;
  confirming: Promise<void> | undefined;
}

/** One replica's distribution. Its fields are what it knows; undefined until the database answered. */
export class OutboxLoop {
  readonly #parts: OutboxLoopParts;
  readonly #state = new KnownState();
  readonly #committedAt = new Map<number, number>();
  #reign: Reign | undefined;
  #readAt = 0;
  #published = 0;
  #hinted = false;
  #wake: AbortController | undefined;
  /** Ends the pause between two batches. */
  #pacing: AbortController | undefined;

  constructor(parts: OutboxLoopParts) {
    this.#parts = parts;
  }

  /** The newest state that this replica has read; the leader has handed it to its publishers. */
  get desired(): DesiredState | undefined {
    return this.#state.desired;
  }

  /** The newest revision that is on the bus for every cluster: the leader's own count, elsewhere what it noted in the database. */
  get published(): number {
    return this.#published;
  }

  /** Committed writes that are not on the bus yet, as far as known. */
  get depth(): number {
    return Math.max(0, (this.desired?.revision ?? 0) - this.#published);
  }

  /** When a revision was committed, Unix milliseconds; only recent ones are remembered. */
  committedAt(revision: number): number | undefined {
    return this.#committedAt.get(revision);
  }

  /** Begins to publish in a term, or with undefined stops at once. */
  lead(term: number | undefined): void {
    const before = this.#reign;
    this.#reign = term === undefined ? undefined : { term, publishers: this.#parts.publishersOf(term), marked: -1, confirming: undefined };
    if (before !== undefined) void before.publishers.stop();
    this.reread();
  }

  /** Reads everything again at once, as after a change of what the bus holds. */
  reread(): void {
    this.#readAt = 0;
    this.#pacing?.abort();
    this.#hint();
  }

  /** Runs until the signal is aborted; survives every failure of the database. */
  async run(): Promise<void> {
    const { listenOutbox, log, signal } = this.#parts;
    const listening = listenOutbox(() => this.#hint());
    let failures = 0;
    while (!signal.aborted) {
      this.#hinted = false;
      try {
        const startedAt = performance.now();
        if (await this.#step()) await this.#pace(startedAt);
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#readAt = 0;
        log.warn({ error: messageOf(error) }, 'the desired state could not be read, trying again');
      }
      await this.#pause(failures === 0 ? POLL_MS : 100 + backoffMs(failures, RETRY));
    }
    await listening.stop();
    await this.#reign?.publishers.stop();
  }

  /** Reads what was written since; answers whether there was any. */
  async #step(): Promise<boolean> {
    const known = this.desired;
    const reign = this.#reign;
    const isDue = Date.now() - this.#readAt > REREAD_MS;
    const changes = known === undefined || isDue ? undefined : await this.#parts.readModel.changesAfter(known.revision);
    if (changes === undefined || changes.epoch !== known?.epoch) {
      await this.#readWhole(reign);
      return true;
    }
    if (reign === undefined) this.#see(changes.published);
    this.#remember(changes.entries);
    if (changes.entries.length > 0) this.#take(this.#state.advance(changes), reign);
    else if (reign !== undefined) this.#confirm(reign);
    return changes.entries.length > 0;
  }

  /**
   * Every batch costs each cluster a digest and an answer to it, however few documents are in it: what is written in a rush goes
   * in few batches, and a lone write at once.
   */
  async #pace(startedAt: number): Promise<void> {
    if (this.#reign === undefined) return;
    const pace = Math.min(LONGEST_PACE_MS, PACE_MS * (this.desired?.members.length ?? 0));
    const left = pace - (performance.now() - startedAt);
    if (left <= 0) return;
    this.#pacing = new AbortController();
    await sleep(left, AbortSignal.any([this.#parts.signal, this.#pacing.signal]));
    this.#pacing = undefined;
  }

  async #readWhole(reign: Reign | undefined): Promise<void> {
    const { readModel, log } = this.#parts;
    const known = this.desired;
    const startedAt = Date.now();
    const read = await readModel.snapshot();
    const published = await readModel.publishedRevision();
    if (reign !== undefined && known !== undefined && known.epoch === read.epoch && read.revision < known.revision) {
      // An older copy of the database took its place: receivers would refuse its revisions within this epoch.
      const epoch = await readModel.raiseEpoch({ epoch: read.epoch, revision: known.revision }, reign.term);
      log.error({ epoch, revision: read.revision, known: known.revision }, 'the database went back: a new epoch begins');
      return this.reread();
    }
    if (read.epoch !== known?.epoch) this.#published = 0;
    if (reign === undefined) this.#see(Math.min(published, read.revision));
    // A term that began meanwhile needs a whole state of its own.
    if (this.#reign === reign) this.#readAt = startedAt;
    this.#take(this.#state.replace(read), reign);
  }

  #take({ desired, resources, state }: StateStep, reign: Reign | undefined): void {
    if (resources === undefined) this.#parts.onDesired(desired);
    const { epoch, revision } = desired;
    if (reign !== undefined && this.#reign === reign) {
      if (resources === undefined) reign.publishers.apply({ epoch, revision, documents: place(desired) });
      else reign.publishers.change({ revision, changes: placementChanges(resources, desired.members, state) });
      this.#confirm(reign);
    }
    this.#parts.onPublished(this.#published);
  }

  /** Follows what is acknowledged; the loop goes on meanwhile. */
  #confirm(reign: Reign): void {
    reign.confirming ??= this.#follow(reign).finally(() => {
      reign.confirming = undefined;
    });
  }

  async #follow(reign: Reign): Promise<void> {
    const { signal } = this.#parts;
    while (!signal.aborted && this.#reign === reign) {
      const wanted = this.desired?.revision ?? 0;
      await reign.publishers.drained();
      if (this.#reign !== reign) return;
      const revision = reign.publishers.publishedRevision(wanted);
      this.#see(revision);
      await this.#mark(reign, revision);
      if (revision >= (this.desired?.revision ?? 0) || revision < wanted) return;
    }
  }

  #see(published: number): void {
    if (published <= this.#published) return;
    this.#published = published;
    this.#parts.onPublished(published);
  }

  async #mark(reign: Reign, revision: number): Promise<void> {
    const { readModel, log } = this.#parts;
    if (revision <= reign.marked) return;
    try {
      await readModel.markPublished(revision, reign.term);
      reign.marked = revision;
    } catch (error) {
      log.warn({ revision, error: messageOf(error) }, 'the published revision was not noted, trying again');
    }
  }

  #remember(entries: readonly OutboxEntry[]): void {
    for (const entry of entries) this.#committedAt.set(entry.revision, Date.parse(entry.at));
    for (const revision of this.#committedAt.keys()) {
      if (this.#committedAt.size <= MAX_COMMIT_TIMES) return;
      this.#committedAt.delete(revision);
    }
  }

  #hint(): void {
    this.#hinted = true;
    this.#wake?.abort();
  }

  async #pause(ms: number): Promise<void> {
    if (this.#hinted) return;
    this.#wake = new AbortController();
    await sleep(ms, AbortSignal.any([this.#wake.signal, this.#parts.signal]));
    this.#wake = undefined;
  }
}
