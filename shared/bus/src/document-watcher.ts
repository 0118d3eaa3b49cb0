/** Receives the documents of a stream of state: verified, in order, whole, never older than what was accepted before. */

import { backoffMs } from '@hawser/runtime/backoff.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { type Document, open, type Refusal } from '@hawser/wire/envelope.ts';
import { Digest } from '@hawser/wire/messages.ts';
import type { Verifier } from '@hawser/wire/signing.ts';
import { DIGEST_KEY } from '@hawser/wire/subjects.ts';
import { Compile } from 'typebox/compile';
import type { Bus } from './bus.ts';
import { parsePartKey } from './document-parts.ts';
import { type ConsumerTrouble, type OrderedConsumer, type StreamMessage, startOrderedConsumer } from './ordered-consumer.ts';
import { OwnerLedger } from './owner-ledger.ts';

/** Why a stored message was not obeyed. */
export type WatchRefusal = Refusal | 'replayed' | 'older-epoch';

/** An owner's digest as it was heard. */
export interface HeardDigest {
  readonly digest: Digest;
  readonly epoch: number;
  readonly revision: number;
  /** Every document that the owner has is held here, and no older one. */
  readonly consistent: boolean;
  /** Milliseconds since 1970: now for a live message, when it was stored for a listed one. */
  readonly heardAt: number;
}

/** What to watch, whom to believe and who hears of it. Callbacks run in stream order and must not throw. */
export interface WatchOptions {
  readonly bus: Bus;
  readonly stream: string;
  /** Subjects are `PREFIX.OWNER.KEY`. */
  readonly prefix: string;
  /** One subject filter, such as `hawser.config.us-east.>`. */
  readonly filter: string;
  /** Which end of a document its subject's owner is. */
  readonly owner: 'from' | 'to';
  readonly log: Logger;
  /** Key of a publisher in an epoch; undefined refuses it. After a change call `relist`. */
  readonly verifierOf: (from: string, epoch: number) => Verifier | undefined;
  /** Whether this receiver is addressed, and by whom it may be. */
  readonly accept: (document: Document) => boolean;
  /** A new document, or with a null body a removal; `raw` are its sealed messages, to be kept for `seed`. */
  readonly onDocument: (document: Document, raw: readonly Uint8Array[]) => void;
  readonly onDigest?: (owner: string, heard: HeardDigest) => void;
  /** Keys held here that a consistent digest proves gone without a tombstone: the caller decides what that means. */
  readonly onAbsent?: (owner: string, keys: readonly string[]) => void;
  readonly onRefused?: (reason: WatchRefusal, subject: string) => void;
  /** What the stream held when a list began is delivered. */
  readonly onListed?: () => void;
  /** No digest of the owner for `staleAfterMs`: told once, until it is heard again. */
  readonly onStale?: (owner: string) => void;
  readonly onTrouble?: (trouble: ConsumerTrouble) => void;
  readonly staleAfterMs?: number;
  /** A consumer without a sign of life for three of these is opened again. */
  readonly idleHeartbeatMs?: number;
  /** Sealed messages of the last known good state: accepted before anything else, by the same rules. */
  readonly seed?: readonly Uint8Array[];
}

/** Three missed heartbeats of 10 s. */
const STALE_AFTER_MS = 30_000;
/** A digest that differs is given this long to be followed by one that does not, growing with each vain list. */
const RELIST = { baseMs: 1_000, maxMs: 60_000 };
const MAX_REMEMBERED_REFUSALS = 10_000;
const digestBody = Compile(Digest);

/** Starts watching, from the seed if there is one. */
export function watchDocuments(options: WatchOptions): DocumentWatcher {
  return new DocumentWatcher(options).start();
}

/** Sees one stream's documents; `watchDocuments` starts it. */
export class DocumentWatcher {
  readonly #options: WatchOptions;
  readonly #ledgers = new Map<string, OwnerLedger>();
  /** Subject → hash of the last refused message, so that each is told once. */
  readonly #refused = new Map<string, string>();
  #consumer: OrderedConsumer | undefined;
  #listed = false;
  #vainLists = 0;
  #relistTimer: NodeJS.Timeout | undefined;
  #staleTimer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Applies the seed and begins to consume. */
  start(): this {
    const { bus, stream, filter, log, idleHeartbeatMs, staleAfterMs = STALE_AFTER_MS } = this.#options;
    for (const message of this.#options.seed ?? []) this.#seed(message);
    this.#consumer = startOrderedConsumer({
      ...{ bus, stream, filter, log },
      ...(idleHeartbeatMs === undefined ? {} : { idleHeartbeatMs }),
      onListing: () => this.#beginListing(),
      onMessage: (message) => this.#receive(message),
      onListed: () => {
        this.#listed = true;
        this.#options.onListed?.();
      },
      onTrouble: (trouble) => this.#options.onTrouble?.(trouble),
    });
    this.#staleTimer = setInterval(() => this.#findStale(staleAfterMs), Math.max(10, staleAfterMs / 6));
    return this;
  }

  /** Lists again from the start: publishers are known now that were not, or something is doubted. */
  relist(): void {
    this.#consumer?.relist();
  }

  stop(): void {
    clearTimeout(this.#relistTimer);
    clearInterval(this.#staleTimer);
    this.#consumer?.stop();
  }

  #beginListing(): void {
    this.#listed = false;
    for (const ledger of this.#ledgers.values()) ledger.beginListing();
  }

  #seed(bytes: Uint8Array): void {
    const document = open(bytes, this.#options.verifierOf);
    if (typeof document === 'string') {
      this.#refuse(document, 'seed', bytes);
      return;
    }
    if (!this.#options.accept(document)) {
      this.#refuse('wrong-address', 'seed', bytes);
      return;
    }
    if (document.key !== DIGEST_KEY) this.#take(document[this.#options.owner], document, bytes, 'seed');
  }

  #receive(message: StreamMessage): void {
    const place = this.#placeOf(message.subject);
    if (place === undefined) return;
    const hash = sha256(message.bytes);
    const ledger = this.#ledgers.get(place.owner);
    if (place.key === DIGEST_KEY && ledger?.digest(hash) !== undefined) {
      this.#digestHeard(place.owner, ledger, message);
      return;
    }
    if (place.part === 0 && ledger?.recognise(place.key, hash) === true) return;
    const document = this.#open(message, place);
    if (typeof document === 'string') {
      this.#refuse(document, message.subject, message.bytes);
      ledger?.keep(place.key);
      return;
    }
    if (document.key === DIGEST_KEY) {
      this.#takeDigest(place.owner, document, message);
      return;
    }
    this.#take(place.owner, document, Buffer.from(message.bytes), message.subject);
  }

  #placeOf(subject: string): Place | undefined {
    const { prefix } = this.#options;
    if (!subject.startsWith(`${prefix}.`)) return undefined;
    const rest = subject.slice(prefix.length + 1);
    const dot = rest.indexOf('.');
    return dot < 1 ? undefined : { owner: rest.slice(0, dot), ...parsePartKey(rest.slice(dot + 1)) };
  }

  #open(message: StreamMessage, place: Place): Document | WatchRefusal {
    const document = open(message.bytes, this.#options.verifierOf);
    if (typeof document === 'string') return document;
    const inPlace = document.key === place.key && document.part === place.part && document[this.#options.owner] === place.owner;
    return inPlace && this.#options.accept(document) ? document : 'wrong-address';
  }

  #take(owner: string, document: Document, raw: Uint8Array, subject: string): void {
    const ledger = this.#ledger(owner);
    const judgement = ledger.judge(document, raw, (messages) => sha256(messages.length === 1 ? raw : Buffer.concat(messages)));
    if (typeof judgement === 'object') this.#options.onDocument(judgement.document, judgement.raw);
    else if (judgement !== 'known' && judgement !== 'partial') {
      this.#refuse(judgement, subject, raw);
      ledger.keep(document.key);
    }
  }

  #takeDigest(owner: string, document: Document, message: StreamMessage): void {
    const { body } = document;
    if (!digestBody.Check(body)) {
      this.#refuse('malformed', message.subject, message.bytes);
      return;
    }
    const ledger = this.#ledger(owner);
    if (!ledger.hearDigest(document, body, sha256(message.bytes))) {
      this.#refuse('replayed', message.subject, message.bytes);
      return;
    }
    this.#digestHeard(owner, ledger, message);
  }

  #digestHeard(owner: string, ledger: OwnerLedger, message: StreamMessage): void {
    const digest = ledger.digest();
    if (digest === undefined) return;
    ledger.heardAt = this.#listed ? Date.now() : Math.min(Date.now(), message.storedAt);
    ledger.stale = false;
    const consistent = ledger.check();
    const absent = consistent ? ledger.takeAbsent() : [];
    if (absent.length > 0) this.#options.onAbsent?.(owner, absent);
    const { epoch, revision, body } = digest;
    this.#options.onDigest?.(owner, { digest: body, epoch, revision, consistent, heardAt: ledger.heardAt });
    this.#considerRelist();
  }

  #considerRelist(): void {
    const differing = [...this.#ledgers].filter(([, ledger]) => ledger.digest() !== undefined && !ledger.consistent);
    if (differing.length === 0) {
      clearTimeout(this.#relistTimer);
      this.#relistTimer = undefined;
      this.#vainLists = 0;
      return;
    }
    if (this.#relistTimer !== undefined) return;
    const wait = RELIST.baseMs + backoffMs(this.#vainLists, RELIST);
    this.#relistTimer = setTimeout(() => {
      this.#relistTimer = undefined;
      this.#vainLists += 1;
      const owners = differing.map(([owner]) => owner).filter((owner) => this.#ledgers.get(owner)?.consistent === false);
      if (owners.length > 0)
        this.#options.log.info({ owners, lists: this.#vainLists }, 'a digest differs from what is held: listing again');
      this.relist();
    }, wait);
  }

  #findStale(staleAfterMs: number): void {
    if (!this.#listed) return;
    for (const [owner, ledger] of this.#ledgers) {
      if (ledger.stale || Date.now() - ledger.heardAt <= staleAfterMs) continue;
      ledger.stale = true;
      this.#options.onStale?.(owner);
      if (this.#options.bus.connected) this.relist();
    }
  }

  #ledger(owner: string): OwnerLedger {
    const known = this.#ledgers.get(owner);
    if (known !== undefined) return known;
    const ledger = new OwnerLedger();
    this.#ledgers.set(owner, ledger);
    return ledger;
  }

  #refuse(reason: WatchRefusal, subject: string, bytes: Uint8Array): void {
    const hash = sha256(bytes);
    if (this.#refused.get(subject) === hash) return;
    if (this.#refused.size >= MAX_REMEMBERED_REFUSALS) this.#refused.clear();
    this.#refused.set(subject, hash);
    this.#options.log.warn({ subject, reason }, 'a document is refused');
    this.#options.onRefused?.(reason, subject);
  }
}

interface Place {
  readonly owner: string;
  readonly key: string;
  readonly part: number;
}
