/** Carries committed writes to the bus: woken by a hint, kept honest by a poll; the database is the truth. */
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { place } from '../placement/place.ts';
import type { DesiredState, ListenOutbox, OutboxEntry, ResourceReadModel } from '../resource/resource-read-model.ts';
import type { ClusterPublishers } from './cluster-publishers.ts';

/** What the loop works with. */
export interface OutboxLoopParts {
  readonly readModel: ResourceReadModel;
  readonly listenOutbox: ListenOutbox;
  readonly publishers: ClusterPublishers;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called with each desired state before its documents are handed to the publishers. */
  readonly onDesired: (desired: DesiredState) => void;
  /** Called when the newest published revision rose. */
  readonly onPublished: (revision: number) => void;
}

const POLL_MS = 1000;
/** Without any write the whole state is read this often: a lost outbox row must not be lost for ever. */
const REREAD_MS = 30_000;
const RETRY = { baseMs: 100, maxMs: 5000 };
const BATCH = 1000;
const MAX_COMMIT_TIMES = 4096;

/** The publisher of one hub. Its fields are what it knows; undefined until the database answered. */
export class OutboxLoop {
  readonly #parts: OutboxLoopParts;
  readonly #committedAt = new Map<number, number>();
  #desired: DesiredState | undefined;
  #resources: ReadonlyMap<string, Resource> = new Map();
  #readAt = 0;
  #published = 0;
  #marked = -1;
  #confirming: Promise<void> | undefined;
  #hinted = false;
  #wake: AbortController | undefined;

  constructor(parts: OutboxLoopParts) {
    this.#parts = parts;
  }

  /** The newest state that was handed to the publishers. */
  get desired(): DesiredState | undefined {
    return this.#desired;
  }

  /** The newest revision that is on the bus for every cluster. */
  get published(): number {
    return this.#published;
  }

  /** Committed writes that are not on the bus yet, as far as known. */
  get depth(): number {
    return Math.max(0, (this.#desired?.revision ?? 0) - this.#published);
  }

  /** When a revision was committed, Unix milliseconds; only recent ones are remembered. */
  committedAt(revision: number): number | undefined {
    return this.#committedAt.get(revision);
  }

  /** Reads everything again at once, as after a change of what the bus holds. */
  reread(): void {
    this.#readAt = 0;
    this.#hint();
  }

  /** Runs until the signal is aborted; survives every failure of the database. */
  async run(): Promise<void> {
    const { readModel, listenOutbox, log, signal } = this.#parts;
    const listening = listenOutbox(() => this.#hint());
    let failures = 0;
    while (!signal.aborted) {
      const hinted = this.#hinted;
      this.#hinted = false;
      try {
        await this.#step(readModel, hinted);
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#readAt = 0;
        log.warn({ error: messageOf(error) }, 'the desired state could not be read, trying again');
      }
      await this.#pause(failures === 0 ? POLL_MS : 100 + backoffMs(failures, RETRY));
    }
    await listening.stop();
  }

  async #step(readModel: ResourceReadModel, hinted: boolean): Promise<void> {
    const after = this.#desired?.revision ?? (await readModel.publishedRevision());
    const isDue = Date.now() - this.#readAt > REREAD_MS;
    if (hinted || isDue) {
      const [entries, desired] = await Promise.all([readModel.outboxAfter(after, BATCH), readModel.snapshot()]);
      return await this.#apply(desired, entries);
    }
    const entries = await readModel.outboxAfter(after, BATCH);
    if (entries.length > 0) await this.#apply(await readModel.snapshot(), entries);
    else if (this.#desired !== undefined) this.#confirm();
  }

  async #apply(read: DesiredState, entries: readonly OutboxEntry[]): Promise<void> {
    this.#remember(entries);
    this.#readAt = Date.now();
    if (this.#isOlder(read)) return await this.#beginEpoch(read);
    if (read.epoch !== this.#desired?.epoch) this.#published = 0;
    const desired = { ...read, resources: this.#sameObjects(read.resources) };
    this.#desired = desired;
    this.#parts.onDesired(desired);
    this.#parts.publishers.apply({ epoch: desired.epoch, revision: desired.revision, documents: place(desired) });
    this.#confirm();
  }

  #isOlder(read: DesiredState): boolean {
    const known = this.#desired;
    return known !== undefined && known.epoch === read.epoch && read.revision < known.revision;
  }

  /** The database was replaced by an older copy of itself: receivers would refuse its revisions within this epoch. */
  async #beginEpoch(read: DesiredState): Promise<void> {
    const epoch = await this.#parts.readModel.raiseEpoch(read.epoch);
    this.#parts.log.error({ epoch, revision: read.revision, known: this.#desired?.revision }, 'the database went back: a new epoch begins');
    this.reread();
  }

  /** Resources that did not change stay the objects they were, so that unchanged documents are known without looking inside. */
  #sameObjects(resources: readonly Resource[]): readonly Resource[] {
    const before = this.#resources;
    const kept = resources.map((resource) => {
      const known = before.get(keyOf(resource));
      const { uid, resourceVersion } = resource.metadata;
      return known !== undefined && known.metadata.uid === uid && known.metadata.resourceVersion === resourceVersion ? known : resource;
    });
    this.#resources = new Map(kept.map((resource) => [keyOf(resource), resource]));
    return kept;
  }

  /** Follows what is acknowledged; the loop goes on meanwhile. */
  #confirm(): void {
    this.#confirming ??= this.#follow().finally(() => {
      this.#confirming = undefined;
    });
  }

  async #follow(): Promise<void> {
    const { publishers, signal, onPublished } = this.#parts;
    while (!signal.aborted) {
      const wanted = this.#desired?.revision ?? 0;
      await publishers.drained();
      const revision = publishers.publishedRevision(wanted);
      if (revision > this.#published || (revision === 0 && this.#marked < 0)) {
        this.#published = revision;
        onPublished(revision);
      }
      await this.#mark(revision);
      if (revision >= (this.#desired?.revision ?? 0) || revision < wanted) return;
    }
  }

  async #mark(revision: number): Promise<void> {
    const { readModel, log } = this.#parts;
    if (revision <= this.#marked) return;
    try {
      await readModel.markPublished(revision);
      this.#marked = revision;
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

function keyOf(resource: Resource): string {
  return resourceKey(resource.kind, resource.metadata.namespace, resource.metadata.name);
}
