/**
 * A lease on a stream: of several processes with one identity, one holds it. Who holds it is the last message of one subject, written
 * by compare-and-set, so that there are never two; that a holder has died is judged by its silence as heard here, never by comparing
 * clocks. A holder that was paused finds its lease taken: `confirm` writes it anew, which only the true holder can.
 */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { open, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { type Signer, verifierOf } from '@hawser/wire/signing.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Bus } from './bus.ts';
import { publishStored } from './jetstream.ts';
import { type OrderedConsumer, type StreamMessage, startOrderedConsumer } from './ordered-consumer.ts';

/** Body of the lease's document; its revision is the term. Nobody holds it when `holder` is empty. */
export const LeaseBody = Type.Object({ holder: Type.String(), process: Type.String() });
export type LeaseBody = Static<typeof LeaseBody>;

/** Whose lease, and who wants it. */
export interface LeaseOptions {
  readonly bus: Bus;
  readonly stream: string;
  readonly subject: string;
  /** The owner whose identity all candidates share. */
  readonly owner: string;
  readonly epoch: number;
  readonly signer: Signer;
  /** This replica: the same over restarts. */
  readonly holder: string;
  /** This process: a lease of the replica's earlier life is taken over at once. */
  readonly process: string;
  readonly log: Logger;
  /** Called whenever `held` changes. */
  readonly onChange: (held: boolean) => void;
  /** How long a holder may be silent. */
  readonly silenceMs?: number;
}

/** The lease as the stream has it. */
interface Seen extends LeaseBody {
  readonly term: number;
  readonly sequence: number;
}

const SILENCE_MS = 3_000;
const TICK_MS = 200;
/** A tick this late means that this process stood still: it heard nothing because it did not listen. */
const STOOD_STILL_MS = 1_000;
const leaseBody = Compile(LeaseBody);

/** Takes part in the lease from `start` on; wants it once `want` was called. */
export class Lease {
  readonly #options: LeaseOptions;
  #consumer: OrderedConsumer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wanted = false;
  #listed = false;
  #seen: Seen | undefined;
  /** Who held it on the stream that is no more. */
  #before: LeaseBody | undefined;
  /** A write was refused: somebody else's is on its way here. */
  #doubted = false;
  #sequence = 0;
  #term = 0;
  #held = false;
  #busy = false;
  #alone = false;
  #heardAt = 0;
  #tickedAt = 0;
  #patienceMs = 0;
  readonly #stopStatus: () => void;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#stopStatus = options.bus.onStatus(() => this.#listen());
  }

  /** Whether this process held it when it was last seen or written. */
  get held(): boolean {
    return this.#held;
  }

  /** The newest term known. */
  get term(): number {
    return this.#term;
  }

  start(): this {
    const { bus, stream, subject, log } = this.#options;
    this.#consumer = startOrderedConsumer({
      ...{ bus, stream, log, filter: subject },
      onListing: () => this.#forget(),
      onMessage: (message) => this.#take(message),
      onListed: () => {
        this.#listed = true;
        this.#listen();
        this.#settle();
        this.#consider();
      },
      // Old credentials may not read it: then they may not write it either, which says so.
      onTrouble: (trouble) => trouble === 'failed' && !this.#listed && this.#wanted && this.#attempt(),
    });
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    return this;
  }

  /** This process could do what the holder does. */
  want(): void {
    this.#wanted = true;
    this.#consider();
  }

  /** A sign of life of whoever holds this term. */
  heard(term: number): void {
    if (term < this.#term) return;
    this.#term = term;
    this.#listen();
  }

  /** Whether this process holds it, by the stream's own word. Throws as `publishStored` when the stream does not answer. */
  async confirm(): Promise<boolean> {
    if (this.#alone) return true;
    if (!this.#held) return false;
    return this.#write({ holder: this.#options.holder, process: this.#options.process }, this.#term);
  }

  /** Lets the next one have it at once. */
  async release(): Promise<void> {
    this.#wanted = false;
    if (!this.#held || this.#alone || !this.#options.bus.connected) return;
    await this.#write({ holder: '', process: '' }, this.#term + 1).catch((error: unknown) =>
      this.#options.log.warn({ error: messageOf(error) }, 'the lease was not given back: the others wait for its holder to be silent'),
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#consumer?.stop();
    this.#stopStatus();
    this.#wanted = false;
  }

  /** The stream is another than it was: what it held counts for nothing, but its holder may still be there. */
  #forget(): void {
    this.#listed = false;
    this.#before = this.#seen ?? this.#before;
    this.#seen = undefined;
    this.#doubted = false;
    this.#sequence = 0;
  }

  #take(message: StreamMessage): void {
    if (message.sequence <= this.#sequence) return;
    this.#sequence = message.sequence;
    this.#doubted = false;
    const { owner, epoch, signer } = this.#options;
    const document = open(Buffer.from(message.bytes), (from) => (from === owner ? verifierOf(signer.publicKey) : undefined));
    const valid = typeof document === 'object' && document.key === 'lease' && document.to === owner && document.epoch === epoch;
    if (!valid || !leaseBody.Check(document.body)) this.#seen = undefined;
    else {
      this.#seen = { ...document.body, term: document.revision, sequence: message.sequence };
      this.#term = Math.max(this.#term, document.revision);
    }
    this.#listen();
    this.#settle();
    this.#consider();
  }

  /** Whoever is silent is so from now on. Patience varies, so that of several only one moves first. */
  #listen(): void {
    this.#heardAt = performance.now();
    this.#patienceMs = (this.#options.silenceMs ?? SILENCE_MS) * (1 + Math.random() / 4);
  }

  #settle(): void {
    const { holder, process } = this.#options;
    const held = this.#alone || (!this.#doubted && this.#seen?.holder === holder && this.#seen.process === process);
    if (held === this.#held) return;
    this.#held = held;
    this.#options.log.info({ held, term: this.#term }, held ? 'this replica publishes' : 'another replica publishes');
    this.#options.onChange(held);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#tickedAt > STOOD_STILL_MS) this.#listen();
    this.#tickedAt = now;
    this.#consider();
  }

  #consider(): void {
    if (!this.#wanted || this.#held || !this.#listed || !this.#options.bus.connected) return;
    const last = this.#seen ?? this.#before;
    const isOwn = !this.#doubted && last?.holder === this.#options.holder;
    const isFree = last === undefined ? this.#term === 0 : last.holder === '';
    if (isOwn || isFree || performance.now() - this.#heardAt >= this.#patienceMs) this.#attempt();
  }

  #attempt(): void {
    if (this.#busy) return;
    this.#busy = true;
    void this.#acquire().finally(() => {
      this.#busy = false;
    });
  }

  async #acquire(): Promise<void> {
    const { holder, process, log } = this.#options;
    try {
      await this.#write({ holder, process }, this.#term + 1);
    } catch (error) {
      if (error instanceof AppError && error.code === 'bus-refused') return this.#goAlone(error);
      // Whether it was stored after all, the consumer will tell.
      log.warn({ error: messageOf(error) }, 'the lease could not be taken, trying again');
    }
  }

  /** Credentials of the release before know no lease, and its agents are alone in their cluster. */
  #goAlone(error: AppError): void {
    this.#options.log.warn({ error: error.message }, 'the lease cannot be taken with these credentials: publishing without');
    this.#alone = true;
    this.#settle();
  }

  /** False when somebody else wrote since. */
  async #write(body: LeaseBody, term: number): Promise<boolean> {
    const { bus, subject, owner, epoch, signer } = this.#options;
    const message = { protocol: PROTOCOL, from: owner, to: owner, key: 'lease', epoch, revision: term, part: 0, parts: 1, body };
    const last = this.#sequence;
    try {
      const expected = { 'Nats-Expected-Last-Subject-Sequence': String(last) };
      const { sequence } = await publishStored(bus, subject, seal(message, signer), expected);
      if (sequence > this.#sequence) {
        this.#sequence = sequence;
        this.#doubted = false;
        this.#seen = { ...body, term, sequence };
        this.#term = Math.max(this.#term, term);
      }
      this.#settle();
      return this.#held;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'stream-fenced') throw error;
      // The consumer brings what was written, if it has not yet; until then this process does not hold it.
      this.#doubted ||= this.#sequence === last;
      this.#listen();
      this.#settle();
      return false;
    }
  }
}
