/** What one owner wants on the stream, against what the stream is known to hold. No I/O. */
import type { Signer } from '@hawser/wire/signing.ts';
import { partKey, sealParts, sealRetiredPart } from './document-parts.ts';
import { LiveKeys } from './live-keys.ts';
import { contentHash, type StoredDocument } from './stored-documents.ts';

/** One message to publish on `PREFIX.SUFFIX`. */
export interface OutgoingMessage {
  readonly suffix: string;
  readonly bytes: Uint8Array;
  /** Tombstones expire on the stream, bodies never. */
  readonly tombstone: boolean;
}

/** A key's messages on their way; given back to `acknowledge` or `fail`. */
export interface Outgoing {
  readonly key: string;
  readonly sealed: Sealed;
  readonly messages: readonly OutgoingMessage[];
}

interface Sealed {
  readonly revision: number;
  readonly messages: readonly Uint8Array[];
}

interface Entry {
  /** Kept until signed; null removes the key. */
  body: unknown;
  /** `contentHash`; UNUSABLE when the stream's own is all there is, and no receiver can apply it. */
  hash: string;
  revision: number | undefined;
  sealed: Sealed | undefined;
  /** Subjects of parts that hold something on the stream. */
  partsInUse: number;
}

/** How documents are signed, and numbered when the caller does not. */
export interface DesiredOptions {
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly signer: Signer;
  readonly nextRevision: () => number;
}

const UNUSABLE = '';
const REMOVED = contentHash(null);

/** Entries by key: wanted, found, or both. */
export class DesiredDocuments {
  /** Keys that are live on the stream, as far as acknowledged. */
  readonly live = new LiveKeys();
  readonly #options: DesiredOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #dirty = new Set<string>();
  /** Wishes since `holdBack`, the newest of each key; undefined while nothing is held back. */
  #later: Map<string, { readonly body: unknown; readonly revision: number | undefined }> | undefined;
  readonly #onTheWay = new Map<string, Outgoing>();

  constructor(options: DesiredOptions) {
    this.#options = options;
  }

  /** Keys that still differ from the stream, those on their way left out. */
  get waiting(): number {
    return this.#dirty.size;
  }

  /** Whether wishes wait for `release`. */
  get holdsBack(): boolean {
    return this.#later !== undefined;
  }

  /** Keys on their way. */
  get sending(): number {
    return this.#onTheWay.size;
  }

  /** Keys that are wanted, or found and not removed since. */
  keys(): string[] {
    return [...this.#entries].filter(([, entry]) => entry.hash !== REMOVED).map(([key]) => key);
  }

  /** Wants a body, or with null none; false when that changes nothing. */
  want(key: string, body: unknown, revision: number | undefined): boolean {
    if (this.#later !== undefined) {
      this.#later.set(key, { body, revision });
      return true;
    }
    const hash = contentHash(body);
    const entry = this.#entries.get(key);
    if (entry === undefined ? hash === REMOVED : entry.hash === hash) return false;
    const change = { body, hash, revision, sealed: undefined };
    this.#entries.set(key, Object.assign(entry ?? { partsInUse: 0 }, change));
    this.#dirty.add(key);
    return true;
  }

  /** From now on wishes wait, so that what was wished before comes to an end of which a digest can speak. */
  holdBack(): void {
    this.#later ??= new Map();
  }

  /** Takes up what was held back. */
  release(): void {
    const later = this.#later;
    this.#later = undefined;
    for (const [key, { body, revision }] of later ?? []) this.want(key, body, revision);
  }

  /** The next key to send, oldest change first; undefined when all are sent or `limit` are on their way. */
  next(limit: number): Outgoing | undefined {
    if (this.#onTheWay.size >= limit) return undefined;
    for (const key of this.#dirty) {
      const entry = this.#entries.get(key);
      if (entry === undefined || this.#onTheWay.has(key)) continue;
      const sealed = this.#seal(key, entry);
      const outgoing = { key, sealed, messages: this.#messages(key, entry, sealed) };
      this.#dirty.delete(key);
      this.#onTheWay.set(key, outgoing);
      return outgoing;
    }
    return undefined;
  }

  /** The stream has stored every message of it. */
  acknowledge(outgoing: Outgoing): void {
    const { key, sealed } = outgoing;
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#onTheWay.get(key) !== outgoing) return;
    this.#onTheWay.delete(key);
    entry.partsInUse = sealed.messages.length;
    const tombstone = outgoing.messages.some((message) => message.suffix === key && message.tombstone);
    if (tombstone) this.live.delete(key);
    else this.live.set(key, sealed.revision);
    if (tombstone && entry.sealed === sealed) this.#forget(key);
  }

  /** It is not known what the stream has stored of it. */
  fail(outgoing: Outgoing): void {
    if (this.#onTheWay.get(outgoing.key) !== outgoing) return;
    this.#onTheWay.delete(outgoing.key);
    this.#dirty.add(outgoing.key);
  }

  /**
   * Compares with all that the stream holds. What is missing or differs is to be sent; what nobody wants is adopted, or
   * removed when the caller's wishes are `complete`. What was on its way is judged by what is stored, and its answers are ignored.
   */
  reconcile(stored: ReadonlyMap<string, StoredDocument>, complete: boolean): void {
    this.live.clear();
    this.#onTheWay.clear();
    for (const [key, found] of stored) this.#compare(key, found, complete);
    for (const [key, entry] of this.#entries) {
      if (stored.has(key)) continue;
      entry.partsInUse = 0;
      if (entry.hash === REMOVED || entry.hash === UNUSABLE) this.#forget(key);
      else this.#dirty.add(key);
    }
  }

  #compare(key: string, found: StoredDocument, complete: boolean): void {
    if (found.state !== 'removed') this.live.set(key, found.revision);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#adopt(key, found, complete);
      return;
    }
    entry.partsInUse = found.partsInUse;
    if (isLater(found, entry)) {
      this.#stand(key, entry, found);
      return;
    }
    if (entry.hash === UNUSABLE && found.state !== 'live') return;
    const same = entry.hash === REMOVED ? found.state === 'removed' : found.state === 'live' && isSame(entry, found);
    if (!same || found.partsInUse > Math.max(1, found.messages.length)) this.#dirty.add(key);
    else if (entry.hash === REMOVED) this.#forget(key);
    else {
      this.#dirty.delete(key);
      entry.sealed = { revision: found.revision, messages: found.messages };
      entry.body = undefined;
    }
  }

  /** What the owner's publisher before this one stored last is left as it is: the caller will come to know of that write, or of later ones. */
  #stand(key: string, entry: Entry, found: StoredDocument): void {
    if (found.state === 'removed') {
      this.#forget(key);
      return;
    }
    this.#dirty.delete(key);
    Object.assign(entry, { body: undefined, hash: found.hash, sealed: { revision: found.revision, messages: found.messages } });
  }

  #adopt(key: string, found: StoredDocument, complete: boolean): void {
    const leftover = found.state === 'removed' && found.partsInUse > 1;
    if (found.state === 'removed' && !leftover) return;
    const place = { revision: undefined, partsInUse: found.partsInUse };
    const unasked = complete && this.#options.nextRevision() >= found.revision;
    if (leftover || unasked) {
      this.#entries.set(key, { ...place, body: null, hash: REMOVED, sealed: undefined });
      this.#dirty.add(key);
      return;
    }
    const sealed = { revision: found.revision, messages: found.messages };
    this.#entries.set(key, { ...place, body: undefined, hash: found.state === 'live' ? found.hash : UNUSABLE, sealed });
  }

  #forget(key: string): void {
    this.#entries.delete(key);
    this.#dirty.delete(key);
    this.live.delete(key);
  }

  #seal(key: string, entry: Entry): Sealed {
    if (entry.sealed !== undefined) return entry.sealed;
    const { from, to, epoch, signer, nextRevision } = this.#options;
    const revision = entry.revision ?? nextRevision();
    const sealed = { revision, messages: sealParts({ from, to, key, epoch, revision }, entry.body, signer) };
    entry.sealed = sealed;
    entry.body = undefined;
    return sealed;
  }

  /** The last part first: whoever sees part 0 of a new revision finds the others stored. */
  #messages(key: string, entry: Entry, sealed: Sealed): OutgoingMessage[] {
    const { from, to, epoch, signer } = this.#options;
    const head = { from, to, key, epoch, revision: sealed.revision };
    const result: OutgoingMessage[] = [];
    for (let part = entry.partsInUse - 1; part >= sealed.messages.length; part -= 1)
      result.push({ suffix: partKey(key, part), bytes: sealRetiredPart(head, part, signer), tombstone: true });
    for (const [part, bytes] of [...sealed.messages.entries()].reverse())
      result.push({ suffix: partKey(key, part), bytes, tombstone: entry.hash === REMOVED });
    return result;
  }
}

/** Whether the stream has a later write of the key than one that is wanted and was never sent. */
function isLater(found: StoredDocument, { sealed, revision }: Entry): boolean {
  return sealed === undefined && revision !== undefined && found.state !== 'unusable' && found.revision > revision;
}

/** What was signed once must be there to the byte; what was not, with equal content. */
function isSame(entry: Entry, found: StoredDocument): boolean {
  if (entry.sealed === undefined) return entry.hash === found.hash;
  const { messages } = entry.sealed;
  return (
    messages.length === found.messages.length && messages.every((bytes, part) => Buffer.compare(bytes, found.messages[part] ?? bytes) === 0)
  );
}
