/** What a receiver has accepted of one owner: revisions per key, so that nothing older is obeyed, and the set its digest is checked against. No I/O. */
import type { Document } from '@hawser/wire/envelope.ts';
import type { Digest } from '@hawser/wire/messages.ts';
import { compareVersions, PartCollector, type WholeDocument } from './document-parts.ts';
import { LiveKeys } from './live-keys.ts';

interface Held {
  readonly epoch: number;
  readonly revision: number;
  /** Of the sealed bytes of all parts. */
  readonly hash: string;
  /** A tombstone. */
  readonly removed: boolean;
  /** Proven gone by a digest, and told. */
  absent: boolean;
}

/** What an accepted message amounts to: a document to apply, nothing new, parts still missing, or a reason to refuse it. */
export type Judgement = WholeDocument | 'known' | 'partial' | 'replayed' | 'older-epoch' | 'malformed';

/** Documents of which not all parts have arrived; the parts of one are sent together, so more than a few are a mischief. */
const MAX_PARTIAL = 8;

/** Accounts for one owner's documents. */
export class OwnerLedger {
  /** When the owner's digest was last heard, milliseconds since 1970. */
  heardAt = 0;
  stale = false;
  consistent = false;
  readonly #held = new Map<string, Held>();
  readonly #partial = new Map<string, PartCollector>();
  /** Live keys of the newest epoch seen since the list began: what the digest speaks of. */
  readonly #listed = new LiveKeys();
  #epoch = 0;
  #digest: { readonly epoch: number; readonly revision: number; readonly hash: string; readonly body: Digest } | undefined;

  /** A list from the start begins. */
  beginListing(): void {
    this.#listed.clear();
    this.#partial.clear();
  }

  /** Whether these very bytes were accepted as the key's document before; then they count as listed and need no second verification. */
  recognise(key: string, hash: string): boolean {
    const held = this.#held.get(key);
    if (held === undefined || held.hash !== hash || held.epoch < this.#epoch || held.absent) return false;
    this.#list(key, held);
    return true;
  }

  /**
   * What stands in the key's place on the stream is refused: what is held of the key counts as listed, until the digest says that
   * its owner has another by now. Without it, whoever starts from a saved state would wait for the owner's next audit.
   */
  keep(key: string): void {
    const held = this.#held.get(key);
    if (held !== undefined && !held.absent && held.epoch === this.#epoch) this.#list(key, held);
  }

  /** Judges a verified message of which `hash` is the SHA-256. */
  judge(document: Document, raw: Uint8Array, hashOf: (messages: readonly Uint8Array[]) => string): Judgement {
    const { key } = document;
    if (document.part > 0 && document.part >= document.parts) return 'known';
    const held = this.#held.get(key);
    const order = held === undefined ? 1 : compareVersions(document, held);
    if (document.epoch < this.#epoch || order < 0) {
      if (document.part > 0) return 'known';
      return document.epoch < this.#epoch ? 'older-epoch' : 'replayed';
    }
    const whole = document.parts === 1 ? { document, raw: [raw] } : this.#collect(document, raw);
    if (whole === 'malformed') return 'malformed';
    if (whole === undefined) return 'partial';
    this.#partial.delete(key);
    return this.#hold(whole, hashOf(whole.raw));
  }

  /** Takes a verified digest; false when it is older than one seen. */
  hearDigest(document: Pick<Document, 'epoch' | 'revision'>, body: Digest, hash: string): boolean {
    if (document.epoch < this.#epoch || (this.#digest !== undefined && compareVersions(document, this.#digest) < 0)) return false;
    this.#raiseEpoch(document.epoch);
    this.#digest = { epoch: document.epoch, revision: document.revision, hash, body };
    return true;
  }

  /** The newest digest, if these are its very bytes or no bytes are given. */
  digest(hash?: string): { readonly epoch: number; readonly revision: number; readonly body: Digest } | undefined {
    return hash === undefined || this.#digest?.hash === hash ? this.#digest : undefined;
  }

  /** Whether the newest digest is over exactly what has been listed. */
  check(): boolean {
    const own = this.#listed.digest();
    this.consistent = this.#digest !== undefined && this.#digest.body.root === own.root && this.#digest.body.count === own.count;
    return this.consistent;
  }

  /**
   * After a consistent check: keys held that the owner does not have any more. Each is told once. A digest says nothing of what is
   * newer than it: an owner that is cut off before its next digest leaves the stream with an older one, which a list meets first.
   */
  takeAbsent(): string[] {
    const absent: string[] = [];
    for (const [key, held] of this.#held) {
      if (held.removed || held.absent || this.#listed.has(key)) continue;
      if (this.#digest === undefined || compareVersions(held, this.#digest) > 0) continue;
      held.absent = true;
      absent.push(key);
    }
    return absent;
  }

  #hold(whole: WholeDocument, hash: string): Judgement {
    const { key, epoch, revision, body } = whole.document;
    this.#raiseEpoch(epoch);
    const before = this.#held.get(key);
    const held: Held = { epoch, revision, hash, removed: body === null, absent: false };
    const known = before !== undefined && before.hash === hash && !before.absent;
    this.#held.set(key, held);
    this.#list(key, held);
    return known ? 'known' : whole;
  }

  #list(key: string, held: Held): void {
    if (held.removed) this.#listed.delete(key);
    else this.#listed.set(key, held.revision);
  }

  #raiseEpoch(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#listed.clear();
  }

  #collect(document: Document, raw: Uint8Array): WholeDocument | 'malformed' | undefined {
    const collector = this.#partial.get(document.key) ?? new PartCollector();
    this.#partial.set(document.key, collector);
    const [oldest] = this.#partial.keys();
    if (this.#partial.size > MAX_PARTIAL && oldest !== undefined) this.#partial.delete(oldest);
    return collector.add(document, raw);
  }
}
