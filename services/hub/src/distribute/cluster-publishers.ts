/** A signed publisher for each member's documents, kept equal to the placement. */
import type { Bus } from '@hawser/bus/bus.ts';
import { DocumentPublisher } from '@hawser/bus/document-publisher.ts';
import { contentHash } from '@hawser/bus/stored-documents.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM } from '@hawser/wire/subjects.ts';
import type { DocumentChanges, Documents } from '../placement/place.ts';

/** What the publishers are made of. */
export interface ClusterPublishersParts {
  readonly bus: Bus;
  readonly signer: Signer;
  readonly log: Logger;
  /** Whether this replica leads; asked before anything is written after a start or a doubt. */
  readonly mayPublish: () => Promise<boolean>;
  /** Counts documents and tombstones handed to a publisher because they changed. */
  readonly onPut?: (documents: number) => void;
}

/** A placement at a revision of an epoch. */
export interface Placed {
  readonly epoch: number;
  readonly revision: number;
  readonly documents: ReadonlyMap<string, Documents>;
}

/** What changed since the placement before, at a revision of the same epoch and among the same clusters. */
export interface PlacedChanges {
  readonly revision: number;
  readonly changes: ReadonlyMap<string, DocumentChanges>;
}

interface Channel {
  readonly publisher: DocumentPublisher;
  readonly documents: Map<string, unknown>;
}

/** Publishers by cluster. Documents of clusters that left stay on the stream unread, until the name is enrolled again. */
export class ClusterPublishers {
  readonly #parts: ClusterPublishersParts;
  readonly #channels = new Map<string, Channel>();
  #epoch = 0;
  #revision = 0;

  constructor(parts: ClusterPublishersParts) {
    this.#parts = parts;
  }

  /** The newest revision that is on the stream for every cluster; `none` when there is no cluster. */
  publishedRevision(none: number): number {
    return Math.min(none, ...[...this.#channels.values()].map(({ publisher }) => publisher.publishedRevision));
  }

  /** Hands over what differs from the placement before, and moves every cluster's digest to the revision. Never waits for the bus. */
  apply(placed: Placed): void {
    if (placed.epoch !== this.#epoch) this.#restart(placed.epoch);
    this.#revision = placed.revision;
    for (const [cluster, channel] of this.#channels) if (!placed.documents.has(cluster)) this.#drop(cluster, channel);
    for (const [cluster, documents] of placed.documents) {
      const known = this.#channels.get(cluster);
      const channel = known ?? this.#open(cluster);
      this.#hand(channel, documents, placed.revision);
      channel.publisher.advance(placed.revision);
      if (known === undefined) channel.publisher.complete();
    }
  }

  /** Hands over the changes alone, and moves every cluster's digest to the revision. Never waits for the bus. */
  change({ revision, changes }: PlacedChanges): void {
    this.#revision = revision;
    for (const [cluster, documents] of changes) {
      const channel = this.#channels.get(cluster);
      if (channel === undefined) continue;
      let changed = 0;
      for (const [key, body] of documents) changed += this.#put(channel, key, { body, revision });
      this.#count(changed);
    }
    for (const { publisher } of this.#channels.values()) publisher.advance(revision);
  }

  /** Resolves when everything handed over so far is on the stream. */
  async drained(): Promise<void> {
    await Promise.all([...this.#channels.values()].map(({ publisher }) => publisher.drained()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#channels.values()].map(({ publisher }) => publisher.stop()));
    this.#channels.clear();
  }

  #hand(channel: Channel, documents: Documents, revision: number): void {
    let changed = 0;
    for (const key of [...channel.documents.keys()]) if (!documents.has(key)) changed += this.#put(channel, key, { body: null, revision });
    for (const [key, body] of documents) {
      if (isSame(channel.documents.get(key), body)) continue;
      changed += this.#put(channel, key, { body, revision });
    }
    this.#count(changed);
  }

  /** One document that cannot be published must not hold up the others. */
  #put(channel: Channel, key: string, { body, revision }: { body: unknown; revision: number }): 0 | 1 {
    if (body === null) channel.documents.delete(key);
    else channel.documents.set(key, body);
    try {
      channel.publisher.put(key, body, revision);
      return 1;
    } catch (error) {
      this.#parts.log.error({ key, revision, error: messageOf(error) }, 'document is not published');
      return 0;
    }
  }

  #count(changed: number): void {
    if (changed > 0) this.#parts.onPut?.(changed);
  }

  #open(cluster: string): Channel {
    const { bus, signer, log, mayPublish } = this.#parts;
    const publisher = new DocumentPublisher({
      bus,
      stream: CONFIG_STREAM,
      prefix: `${CONFIG_PREFIX}.${cluster}`,
      from: 'hub',
      to: cluster,
      signer,
      epoch: this.#epoch,
      // What nobody asked for goes at the revision in force: the log alone makes revisions.
      revisions: () => this.#revision,
      mayPublish,
      log,
    }).start();
    const channel = { publisher, documents: new Map<string, unknown>() };
    this.#channels.set(cluster, channel);
    return channel;
  }

  #drop(cluster: string, channel: Channel): void {
    this.#channels.delete(cluster);
    void channel.publisher.stop();
  }

  #restart(epoch: number): void {
    this.#epoch = epoch;
    for (const [cluster, channel] of this.#channels) this.#drop(cluster, channel);
  }
}

/** Policies that did not change are the same object (`place`); the roster is made anew each time. */
function isSame(before: unknown, body: unknown): boolean {
  return before === body || (isRoster(before) && isRoster(body) && contentHash(before) === contentHash(body));
}

function isRoster(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'members' in body;
}
