/** Keeps the documents of one owner on a stream of state: signed, coalesced per key, acknowledged, audited after every doubt. */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { type Signer, verifierOf } from '@hawser/wire/signing.ts';
import { DIGEST_KEY } from '@hawser/wire/subjects.ts';
import type { Bus } from './bus.ts';
import { connectedOrAborted } from './connected-or-aborted.ts';
import { DesiredDocuments, type Outgoing, type OutgoingMessage } from './desired-documents.ts';
import { publishStored, streamState } from './jetstream.ts';
import { listStream } from './ordered-consumer.ts';
import { readStored } from './stored-documents.ts';
import { StreamFence } from './stream-fence.ts';

/** One owner's place on a stream, and how it signs. */
export interface PublisherOptions {
  readonly bus: Bus;
  readonly stream: string;
  /** `PREFIX.OWNER`, such as `hawser.fleet.us-east`. */
  readonly prefix: string;
  readonly from: string;
  readonly to: string;
  readonly signer: Signer;
  readonly epoch: number;
  /** The revision of a document put without one; not below `above`, the newest found on the stream. */
  readonly revisions: (above: number) => number;
  /**
   * Whether this process speaks for the owner, asked after each doubt before anything is written, of an authority that all who
   * could speak share. While it does not, nothing is written. Without it, the last one that started writes.
   */
  readonly mayPublish?: () => Promise<boolean>;
  readonly log: Logger;
  readonly heartbeatMs?: number;
  /** How often the stream is read and compared without a cause. */
  readonly auditMs?: number;
}

const HEARTBEAT_MS = 10_000;
const AUDIT_MS = 600_000;
/** After a doubt the stream is read once more: a message of the broken connection may have been stored late. */
const AUDIT_AGAIN_MS = 30_000;
const LIST_TIMEOUT_MS = 15_000;
const MAX_IN_FLIGHT = 64;
/**
 * Under unceasing change, what comes later waits this often until a digest is published of what came before. A digest halfway
 * would prove gone what is only not sent yet.
 */
const DIGEST_AT_LEAST_EVERY_MS = 500;
const MAX_BODY_CHARACTERS = 10_000_000;
/** Longer than any partition to be survived (RELIABILITY R4). */
const TOMBSTONE_HEADERS = { 'Nats-TTL': '720h' };
const RETRY = { baseMs: 100, maxMs: 2_000 };

/**
 * Publishes one owner's documents. `put` and `remove` never wait; everything of one revision must be put without awaiting in
 * between. What an earlier run left is kept until put or removed. No digest is published before `complete()`, for a digest says
 * that everything else is gone.
 */
export class DocumentPublisher {
  readonly #options: PublisherOptions;
  readonly #desired: DesiredDocuments;
  readonly #fence: StreamFence;
  readonly #aborter = new AbortController();
  readonly #loaded = Promise.withResolvers<void>();
  #waiters: (() => void)[] = [];
  #doubt: ((cause: string) => void) | undefined;
  /** Rises with every doubt: what was sent before it no longer counts. */
  #generation = 0;
  #ready = false;
  #complete = false;
  #scheduled = false;
  #newestStored = 0;
  #revision = 0;
  #drainedRevision = 0;
  /** The revision up to which everything is being sent while later wishes wait. */
  #heldBackAt: number | undefined;
  #published = 0;
  #digestWantedAt: number | undefined;
  #digestSending = false;
  #streamCreated = '';
  /** How many keys are on their way at once: one, where the stream is replicated, for it takes fenced writes one by one. */
  #inFlight = MAX_IN_FLIGHT;
  #running: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { from, to, epoch, signer } = options;
    this.#desired = new DesiredDocuments({ from, to, epoch, signer, nextRevision: () => this.#nextRevision() });
    this.#fence = new StreamFence({ ...options, mayPublish: options.mayPublish });
  }

  /** Begins to read what is there and to publish. */
  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  /** Resolves once the owner's documents on the stream have been read; from then on `keys()` includes them. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** The newest revision whose digest is acknowledged: everything up to it is on the stream. */
  get publishedRevision(): number {
    return this.#published;
  }

  /** Keys that are wanted, or found on the stream and not removed since. */
  keys(): string[] {
    return this.#desired.keys();
  }

  /** Publishes the body unless it is what the key already has. Throws `document-too-large` beyond 10 MB of JSON. */
  put(key: string, body: unknown, revision?: number): void {
    if (JSON.stringify(body).length > MAX_BODY_CHARACTERS)
      throw new AppError(
        'document-too-large',
        `${this.#options.prefix}.${key}: a document has at most ${MAX_BODY_CHARACTERS} characters of JSON`,
      );
    this.#desired.want(key, body, revision);
    if (revision !== undefined) this.#raise(revision);
    this.#pump();
  }

  /** Publishes a tombstone; nothing when the key is not there. */
  remove(key: string, revision?: number): void {
    this.put(key, null, revision);
  }

  /** Everything up to this revision has been put: the digest carries it once that is on the stream. */
  advance(revision: number): void {
    this.#raise(revision);
    this.#pump();
  }

  /**
   * The owner knows its whole state: it has put what is there and removed what `keys()` showed from before and is not. From now on
   * digests are published, and keys that appear on the stream unasked are removed. Call it once.
   */
  complete(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#wantDigest();
    this.#pump();
  }

  /** Reads the stream and publishes again whatever is missing there or differs. */
  republishAll(): void {
    this.#doubt?.('asked to');
  }

  /** Resolves when everything put so far, and its digest if `complete`, is acknowledged; or when stopped. */
  drained(): Promise<void> {
    if (this.#isDrained()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Stops at once; what is not acknowledged then may be lost. Await `drained()` first for a clean end. */
  async stop(): Promise<void> {
    this.#aborter.abort();
    this.#doubt?.('stopped');
    await this.#running;
  }

  async #run(): Promise<void> {
    const { bus, log, prefix } = this.#options;
    const { signal } = this.#aborter;
    let failures = 0;
    const stopStatus = bus.onStatus((connected) => {
      if (!connected) this.#doubt?.('disconnected');
    });
    const heartbeat = setInterval(() => void this.#heartbeat(), this.#options.heartbeatMs ?? HEARTBEAT_MS);
    let cause = 'start';
    while (!signal.aborted) {
      await connectedOrAborted(bus, signal);
      try {
        await this.#audit();
        cause = await this.#publishUntilDoubt(
          cause === 'start' || cause === 'audit' ? (this.#options.auditMs ?? AUDIT_MS) : AUDIT_AGAIN_MS,
        );
        failures = CALM_CAUSES.has(cause) ? 0 : failures + 1;
        if (cause !== 'audit' && !signal.aborted) log.info({ prefix, cause }, 'what is on the stream is read again');
      } catch (error) {
        failures += 1;
        const standsBy = error instanceof AppError && error.code === 'not-entitled';
        if (standsBy && failures === 1) log.info({ prefix }, 'another process publishes: standing by');
        if (!standsBy && bus.connected && !signal.aborted)
          log.warn({ prefix, error: messageOf(error) }, 'stream is not usable, trying again');
      }
      if (failures > 0) await sleep(backoffMs(failures, RETRY), signal);
    }
    clearInterval(heartbeat);
    stopStatus();
    this.#loaded.resolve();
    this.#wakeWaiters();
  }

  /** Publishes until something casts doubt on what the stream holds; answers the cause. */
  async #publishUntilDoubt(auditMs: number): Promise<string> {
    const doubt = Promise.withResolvers<string>();
    this.#doubt = (reason) => {
      this.#ready = false;
      doubt.resolve(reason);
    };
    const audit = setTimeout(() => this.#doubt?.('audit'), auditMs);
    this.#ready = true;
    if (!this.#options.bus.connected) this.#doubt('disconnected');
    if (this.#aborter.signal.aborted) this.#doubt('stopped');
    this.#pump();
    const cause = await doubt.promise;
    clearTimeout(audit);
    this.#doubt = undefined;
    this.#release();
    this.#generation += 1;
    return cause;
  }

  /** Reads the owner's part of the stream and finds out what is to be sent. */
  async #audit(): Promise<void> {
    const { bus, stream, prefix, from, epoch, signer, log } = this.#options;
    const { signal } = this.#aborter;
    await this.#fence.claim();
    const listed = await listStream({ bus, stream, filter: `${prefix}.>`, log, timeoutMs: LIST_TIMEOUT_MS, signal });
    if (listed === undefined) throw new AppError('stream-missing', `there is no stream ${stream}: the hub makes it`);
    await this.#fence.confirm();
    const stored = readStored(listed.messages, { prefix, from, epoch, verifier: verifierOf(signer.publicKey) });
    for (const document of stored.values()) this.#newestStored = Math.max(this.#newestStored, document.revision);
    const digested = stored.get(DIGEST_KEY)?.revision ?? 0;
    this.#raise(digested);
    // A digest older than the stored one would be refused as replayed.
    this.#drainedRevision = Math.max(this.#drainedRevision, digested);
    stored.delete(DIGEST_KEY);
    this.#desired.reconcile(stored, this.#complete);
    this.#streamCreated = listed.created;
    this.#digestSending = false;
    this.#wantDigest();
    this.#loaded.resolve();
  }

  async #heartbeat(): Promise<void> {
    const { bus, stream } = this.#options;
    if (!this.#ready) return;
    try {
      const state = await streamState(bus, stream);
      if (state?.created !== this.#streamCreated) return this.#doubt?.('the stream was made anew');
      this.#wantDigest();
      this.#pump();
    } catch (error) {
      this.#doubt?.(messageOf(error));
    }
  }

  #nextRevision(): number {
    const revision = this.#options.revisions(this.#newestStored);
    if (revision < this.#newestStored)
      this.#options.log.error(
        { prefix: this.#options.prefix, revision, newest: this.#newestStored },
        'revision is older than what is published: receivers refuse it; begin a new epoch',
      );
    this.#raise(revision);
    return revision;
  }

  #raise(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#wantDigest();
  }

  #wantDigest(): void {
    this.#digestWantedAt ??= Date.now();
  }

  #isDrained(): boolean {
    const digestDone = !this.#complete || (this.#digestWantedAt === undefined && !this.#digestSending);
    return (
      this.#ready &&
      !this.#scheduled &&
      !this.#desired.holdsBack &&
      this.#desired.waiting === 0 &&
      this.#desired.sending === 0 &&
      digestDone
    );
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Sends at the end of the current turn, so that what is put together goes together. */
  #pump(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#ready) this.#sendAll();
    });
  }

  #sendAll(): void {
    const wantedAt = this.#complete && !this.#digestSending ? this.#digestWantedAt : undefined;
    if (wantedAt !== undefined && Date.now() - wantedAt > DIGEST_AT_LEAST_EVERY_MS) this.#holdBack();
    this.#sendWaiting();
    if (this.#desired.sending === 0 && this.#desired.waiting === 0) {
      this.#drainedRevision = this.#heldBackAt ?? this.#revision;
      if (wantedAt !== undefined && !this.#digestSending) void this.#sendDigest();
    }
    if (this.#isDrained()) this.#wakeWaiters();
  }

  #holdBack(): void {
    if (this.#desired.sending === 0 && this.#desired.waiting === 0) return;
    this.#heldBackAt ??= this.#revision;
    this.#desired.holdBack();
  }

  #release(): void {
    if (this.#heldBackAt === undefined) return;
    this.#heldBackAt = undefined;
    this.#desired.release();
    this.#wantDigest();
  }

  #sendWaiting(): void {
    for (;;) {
      if (this.#inFlight === 1 && this.#digestSending) return;
      const next = this.#desired.next(this.#inFlight);
      if (next === undefined) return;
      void this.#send(next);
    }
  }

  async #send(outgoing: Outgoing): Promise<void> {
    const generation = this.#generation;
    try {
      if (this.#inFlight === 1) for (const message of outgoing.messages) await this.#store(message);
      else await Promise.all(outgoing.messages.map((message) => this.#store(message)));
      if (generation !== this.#generation) return;
      this.#desired.acknowledge(outgoing);
      this.#wantDigest();
      this.#pump();
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#desired.fail(outgoing);
      this.#failed(error);
    }
  }

  #store({ suffix, bytes, tombstone }: OutgoingMessage): Promise<unknown> {
    const { bus, prefix } = this.#options;
    return publishStored(bus, `${prefix}.${suffix}`, bytes, { ...this.#fence.headers, ...(tombstone ? TOMBSTONE_HEADERS : {}) });
  }

  /** A replicated stream that is busy has stored nothing: the write is repeated, alone. Everything else is a doubt. */
  #failed(error: unknown): void {
    if (error instanceof AppError && error.code === 'stream-busy') {
      this.#inFlight = 1;
      this.#pump();
    } else this.#doubt?.(messageOf(error));
  }

  async #sendDigest(): Promise<void> {
    const generation = this.#generation;
    const { from, to, epoch, signer } = this.#options;
    const revision = this.#drainedRevision;
    this.#digestSending = true;
    this.#digestWantedAt = undefined;
    const body = this.#desired.live.digest();
    const message = { protocol: PROTOCOL, from, to, key: DIGEST_KEY, epoch, revision, part: 0, parts: 1, body };
    try {
      await this.#store({ suffix: DIGEST_KEY, bytes: seal(message, signer), tombstone: false });
      if (generation !== this.#generation) return;
      this.#digestSending = false;
      this.#published = revision;
      this.#release();
      this.#pump();
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#digestSending = false;
      this.#wantDigest();
      this.#failed(error);
    }
  }
}

/** Causes that are nobody's failure: no delay follows. */
const CALM_CAUSES: ReadonlySet<string> = new Set(['asked to', 'audit', 'disconnected', 'stopped', 'the stream was made anew']);
