/**
 * A raw ordered push consumer (NATS ADR-17) over the last message of every subject: first the list, then what follows.
 * It is opened again after every doubt: where it was, or from the start when the stream is not the one it knew.
 */
import { randomBytes } from 'node:crypto';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Bus, BusMessage } from './bus.ts';
import { createConsumer, streamState } from './jetstream.ts';

/** A message of a stream. */
export interface StreamMessage {
  readonly subject: string;
  /** A view into the receive buffer: copy it to keep it. */
  readonly bytes: Uint8Array;
  readonly sequence: number;
  /** When the server stored it, milliseconds since 1970 by the server's clock. */
  readonly storedAt: number;
}

/** Why a consumer was opened again. */
export type ConsumerTrouble = 'stream-missing' | 'stream-recreated' | 'gap' | 'heartbeats-missed' | 'consumer-deleted' | 'failed';

/** What to consume, and who hears of it. */
export interface OrderedConsumerOptions {
  readonly bus: Bus;
  readonly stream: string;
  readonly filter: string;
  readonly log: Logger;
  /** A consumer silent for three of these is opened again. */
  readonly idleHeartbeatMs?: number;
  /** A list from the start begins. */
  onListing?(): void;
  onMessage(message: StreamMessage): void;
  /** Everything that the stream held when the list began has been delivered. */
  onListed?(): void;
  onTrouble?(trouble: ConsumerTrouble): void;
}

/** A running consumer. */
export interface OrderedConsumer {
  /** Lists from the start again. */
  relist(): void;
  stop(): void;
}

const IDLE_HEARTBEAT_MS = 2_000;
const SILENT_HEARTBEATS = 3;
const RETRY = { baseMs: 100, maxMs: 2_000 };
const EMPTY = new Uint8Array();

/** Starts consuming; it goes on through every failure until stopped. */
export function startOrderedConsumer(options: OrderedConsumerOptions): OrderedConsumer {
  const consumer = new Consumer(options);
  void consumer.run();
  return consumer;
}

class Consumer implements OrderedConsumer {
  readonly #options: OrderedConsumerOptions;
  readonly #aborter = new AbortController();
  /** The stream that is followed, and the sequence of the last message delivered from it. */
  #position: { created: string; sequence: number } | undefined;
  #listed = false;
  #end: ((trouble?: ConsumerTrouble) => void) | undefined;
  #wake: AbortController | undefined;

  constructor(options: OrderedConsumerOptions) {
    this.#options = options;
  }

  relist(): void {
    this.#position = undefined;
    this.#end?.();
  }

  stop(): void {
    this.#aborter.abort();
    this.#end?.();
    this.#wake?.abort();
  }

  async run(): Promise<void> {
    const { bus, stream, filter, log } = this.#options;
    const { signal } = this.#aborter;
    let failures = 0;
    const stopStatus = bus.onStatus((connected) => {
      if (connected) this.#wake?.abort();
      else this.#end?.();
    });
    while (!signal.aborted) {
      if (!bus.connected) {
        await this.#pause(60_000);
        continue;
      }
      const trouble = await this.#consume().catch((error: unknown) => {
        if (bus.connected && !signal.aborted) log.warn({ stream, filter, error: messageOf(error) }, 'stream is not consumed, trying again');
        return 'failed' as const;
      });
      if (trouble === undefined) failures = 0;
      else {
        this.#options.onTrouble?.(trouble);
        failures += 1;
        await this.#pause(backoffMs(failures, RETRY));
      }
    }
    stopStatus();
  }

  async #pause(ms: number): Promise<void> {
    this.#wake = new AbortController();
    if (!this.#aborter.signal.aborted) await sleep(ms, this.#wake.signal);
    this.#wake = undefined;
  }

  /** One consumer from its creation to its end; undefined when the end was wanted, or the connection's. */
  async #consume(): Promise<ConsumerTrouble | undefined> {
    const { bus, stream } = this.#options;
    const state = await streamState(bus, stream);
    if (state === undefined) return 'stream-missing';
    const known = this.#position;
    if (known !== undefined && (known.created !== state.created || state.lastSequence < known.sequence)) {
      this.#position = undefined;
      this.#options.onTrouble?.('stream-recreated');
    }
    const from = this.#position?.sequence;
    if (from === undefined) {
      this.#listed = false;
      this.#position = { created: state.created, sequence: 0 };
      this.#options.onListing?.();
    }
    return await this.#open(from);
  }

  async #open(from: number | undefined): Promise<ConsumerTrouble | undefined> {
    const { bus, stream, filter, idleHeartbeatMs = IDLE_HEARTBEAT_MS } = this.#options;
    const inbox = bus.newInbox();
    let silent = 0;
    let delivered = 0;
    const ended = Promise.withResolvers<ConsumerTrouble | undefined>();
    this.#end = ended.resolve;
    const hear = (message: BusMessage): void => {
      silent = 0;
      if (this.#end !== ended.resolve) return;
      if (message.status !== 0) {
        this.#control(message, delivered);
        return;
      }
      delivered += 1;
      this.#deliver(message, delivered);
    };
    const subscription = bus.subscribe(inbox, hear, { anySubject: true });
    const watchdog = setInterval(() => {
      silent += 1;
      if (silent > SILENT_HEARTBEATS) ended.resolve('heartbeats-missed');
    }, idleHeartbeatMs);
    try {
      const pending = await createConsumer(bus, stream, consumerConfig({ filter, inbox, idleHeartbeatMs, from }));
      if (pending === 0 && delivered === 0) this.#setListed();
      return await ended.promise;
    } finally {
      this.#end = undefined;
      clearInterval(watchdog);
      subscription.stop();
    }
  }

  #deliver(message: BusMessage, delivered: number): void {
    const place = parseReply(message.reply);
    const position = this.#position;
    if (place === undefined || position === undefined || place.consumerSequence !== delivered) {
      this.#end?.('gap');
      return;
    }
    position.sequence = place.sequence;
    this.#options.onMessage({ subject: message.subject, bytes: message.bytes, sequence: place.sequence, storedAt: place.storedAt });
    if (place.pending === 0) this.#setListed();
  }

  /** Idle heartbeats and flow control (ADR-9): both come with status 100. */
  #control(message: BusMessage, delivered: number): void {
    const { bus } = this.#options;
    if (message.status !== 100) {
      this.#end?.('consumer-deleted');
      return;
    }
    if (message.reply !== '') return void bus.publish(message.reply, EMPTY);
    const stalled = message.headers.get('nats-consumer-stalled');
    if (stalled !== undefined && stalled !== '') return void bus.publish(stalled, EMPTY);
    if (Number(message.headers.get('nats-last-consumer') ?? delivered) !== delivered) {
      this.#end?.('gap');
      return;
    }
    this.#setListed();
  }

  #setListed(): void {
    if (this.#listed) return;
    this.#listed = true;
    this.#options.onListed?.();
  }
}

function consumerConfig(wanted: { filter: string; inbox: string; idleHeartbeatMs: number; from: number | undefined }) {
  return {
    name: randomBytes(12).toString('hex'),
    filter_subject: wanted.filter,
    deliver_subject: wanted.inbox,
    ...(wanted.from === undefined
      ? { deliver_policy: 'last_per_subject' }
      : { deliver_policy: 'by_start_sequence', opt_start_seq: wanted.from + 1 }),
    ack_policy: 'none',
    max_deliver: 1,
    replay_policy: 'instant',
    flow_control: true,
    idle_heartbeat: wanted.idleHeartbeatMs * 1_000_000,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 10_000_000_000,
  };
}

interface Place {
  readonly sequence: number;
  readonly consumerSequence: number;
  readonly storedAt: number;
  readonly pending: number;
}

/** `$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.DELIVERED.STREAM_SEQUENCE.CONSUMER_SEQUENCE.TIME.PENDING[.TOKEN]` (ADR-15). */
function parseReply(reply: string): Place | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const offset = tokens.length >= 11 ? 2 : 0;
  const number = (index: number): number => Number(tokens[index + offset]);
  return { sequence: number(5), consumerSequence: number(6), storedAt: Math.floor(number(7) / 1e6), pending: number(8) };
}

/** Reads what the stream holds now below the filter, in order; throws when it has not ended after `timeoutMs`. */
export async function listStream(
  options: Pick<OrderedConsumerOptions, 'bus' | 'stream' | 'filter' | 'log'> & {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  },
): Promise<{ readonly created: string; readonly messages: readonly StreamMessage[] } | undefined> {
  const { bus, stream, timeoutMs, signal, ...rest } = options;
  const before = await streamState(bus, stream);
  if (before === undefined) return undefined;
  let messages: StreamMessage[] = [];
  const listed = Promise.withResolvers<boolean>();
  const consumer = startOrderedConsumer({
    ...rest,
    bus,
    stream,
    onListing: () => {
      messages = [];
    },
    onMessage: (message) => messages.push({ ...message, bytes: Buffer.from(message.bytes) }),
    onListed: () => listed.resolve(true),
  });
  const giveUp = (): void => listed.resolve(false);
  const timer = setTimeout(giveUp, timeoutMs);
  signal?.addEventListener('abort', giveUp);
  if (signal?.aborted === true) giveUp();
  const inTime = await listed.promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', giveUp);
  consumer.stop();
  if (!inTime) throw new Error(`stream ${stream}: ${options.filter} was not listed in ${timeoutMs} ms`);
  return { created: before.created, messages };
}
