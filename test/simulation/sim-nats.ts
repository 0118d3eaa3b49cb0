/**
 * A NATS server with JetStream as the product uses it (shared/bus): streams that keep the last message of a subject, ordered
 * push consumers, acknowledged and fenced publishing. Links delay, lose, double and reorder; the store can be wiped or spoilt.
 */
import type { Bus, BusMessage, BusSubscription, RequestOptions } from '@hawser/bus/bus.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Random } from './random.ts';
import { matches, type Place, SimConsumer, SimStream, type Stored } from './sim-stream.ts';
import type { Actor, VirtualTime } from './virtual-time.ts';

/** `cut`: connections break at once. `silent`: what is sent vanishes, and only missing pings tell. */
export type Link = 'up' | 'cut' | 'silent';

/** How bad the links are; probabilities per message. */
export interface Weather {
  readonly lose: number;
  readonly double: number;
  readonly reorder: number;
  readonly slowestMs: number;
}

const PING_MS = 20_000;
const EMPTY = new Uint8Array();
const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** The server and its links. */
export class SimNats {
  weather: Weather = { lose: 0, double: 0, reorder: 0, slowestMs: 3 };
  /** The disk is full: nothing is stored, and nobody is told. */
  full = false;
  readonly streams = new Map<string, SimStream>();
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #connections = new Set<SimBus>();
  readonly #consumers = new Set<SimConsumer>();
  #up = true;
  #made = 0;

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  get up(): boolean {
    return this.#up;
  }

  /** A connection for an actor's present life. */
  connect(actor: Actor): SimBus {
    const bus = new SimBus({ nats: this, actor, time: this.#time, random: this.#random });
    this.#connections.add(bus);
    bus.reconnectSoon();
    return bus;
  }

  /** Every connection breaks; nobody can connect until `start`. */
  stop(): void {
    this.#up = false;
    this.#consumers.clear();
    for (const bus of this.#connections) bus.lose();
  }

  start(): void {
    this.#up = true;
    for (const bus of this.#connections) bus.reconnectSoon();
  }

  /** All that was stored is gone. */
  wipe(): void {
    this.streams.clear();
    this.#consumers.clear();
  }

  setLink(actor: Actor, link: Link): void {
    for (const bus of this.#connections) if (bus.actor === actor) bus.setLink(link);
  }

  healAll(): void {
    for (const bus of this.#connections) bus.setLink('up');
  }

  /** Forgets a crashed life's connections. */
  drop(actor: Actor): void {
    for (const bus of this.#connections) {
      if (bus.actor !== actor) continue;
      this.#connections.delete(bus);
      for (const consumer of this.#consumers) if (consumer.bus === bus) this.#consumers.delete(consumer);
    }
  }

  /** A client's request arrives; `answer` sends the reply. */
  handle(bus: SimBus, subject: string, bytes: Uint8Array, options: RequestOptions, answer: (body: unknown) => void): void {
    const api = /^\$JS\.API\.(STREAM\.INFO|STREAM\.CREATE|STREAM\.UPDATE|CONSUMER\.CREATE)\.([^.]+)/.exec(subject);
    const stream = [...this.streams.values()].find((candidate) => candidate.takes(subject));
    if (api !== null) answer(this.#api(bus, api[1] ?? '', api[2] ?? '', bytes));
    else if (stream === undefined) answer(undefined);
    else if (!this.full) answer(this.#store(stream, subject, bytes, options.headers ?? {}));
  }

  /** Core NATS: to whoever listens, at most once. */
  route(subject: string, bytes: Uint8Array): void {
    for (const bus of this.#connections) bus.hear({ subject, reply: '', bytes, status: 0, headers: NO_HEADERS });
  }

  /** Stores a message that no client sent, as one who has the operator's keys could. */
  inject(subject: string, bytes: Uint8Array): void {
    const stream = [...this.streams.values()].find((candidate) => candidate.takes(subject));
    if (stream !== undefined) this.#fanOut(stream, stream.store(subject, bytes, this.#time.now));
  }

  #api(bus: SimBus, call: string, name: string, bytes: Uint8Array): unknown {
    const stream = this.streams.get(name);
    if (call === 'STREAM.CREATE' || call === 'STREAM.UPDATE') return this.#make(name, bytes);
    if (stream === undefined) return { error: { code: 404, err_code: 10059, description: 'stream not found' } };
    if (call === 'STREAM.INFO') return { created: stream.created, state: { last_seq: stream.lastSequence } };
    const { config } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { config: Record<string, unknown> };
    const consumer = new SimConsumer(stream, bus, config);
    this.#consumers.add(consumer);
    const backlog = consumer.backlog();
    for (const [index, stored] of backlog.entries()) this.#push(consumer, stored, backlog.length - 1 - index);
    this.#heartbeat(consumer);
    return { num_pending: backlog.length };
  }

  #make(name: string, bytes: Uint8Array): unknown {
    const { subjects } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { subjects: readonly string[] };
    this.#made += 1;
    if (!this.streams.has(name))
      this.streams.set(name, new SimStream(name, subjects, `${new Date(this.#time.now).toISOString()}#${this.#made}`));
    return {};
  }

  #store(stream: SimStream, subject: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>): unknown {
    const expected = headers['Nats-Expected-Last-Subject-Sequence'];
    if (expected !== undefined) {
      const found = stream.sequenceOf(headers['Nats-Expected-Last-Subject-Sequence-Subject'] ?? subject);
      if (found !== Number(expected)) return { error: { code: 400, err_code: 10071, description: `wrong last sequence: ${found}` } };
    }
    const stored = stream.store(subject, bytes, this.#time.now);
    this.#fanOut(stream, stored);
    return { stream: stream.name, seq: stored.sequence };
  }

  #fanOut(stream: SimStream, stored: Stored): void {
    for (const consumer of this.#consumers) if (consumer.wants(stream, stored)) this.#push(consumer, stored, 0);
  }

  #push(consumer: SimConsumer, stored: Stored, pending: number): void {
    if (!this.#consumers.has(consumer)) return;
    const place: Place = consumer.place(stored, pending);
    consumer.bus.deliver({ subject: stored.subject, reply: place, bytes: stored.bytes, status: 0, headers: NO_HEADERS }, consumer.inbox);
  }

  #heartbeat(consumer: SimConsumer): void {
    this.#time.plan(this.#time.world, consumer.heartbeatMs, () => {
      if (!this.#consumers.has(consumer)) return;
      if (this.streams.get(consumer.stream.name) !== consumer.stream || !consumer.bus.listensTo(consumer.inbox)) {
        this.#consumers.delete(consumer);
        return;
      }
      const headers = new Map([['nats-last-consumer', String(consumer.delivered)]]);
      consumer.bus.deliver({ subject: consumer.inbox, reply: '', bytes: EMPTY, status: 100, headers }, consumer.inbox);
      this.#heartbeat(consumer);
    });
  }
}

/** One actor's connection, as `connectBus` would give it. */
export class SimBus implements Bus {
  connected = false;
  readonly clustered = false;
  readonly serverVersion = '';
  readonly actor: Actor;
  readonly #nats: SimNats;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #callbacks = new Set<(connected: boolean) => void>();
  readonly #subscriptions = new Map<string, (message: BusMessage) => void>();
  #link: Link = 'up';
  #inboxes = 0;
  #session = 0;
  #lastArrival = 0;
  /** The life that it was opened in: nothing comes through it in a later one. */
  readonly #life: number;
  #closed = false;

  constructor(parts: { nats: SimNats; actor: Actor; time: VirtualTime; random: Random }) {
    this.#nats = parts.nats;
    this.actor = parts.actor;
    this.#life = parts.actor.life;
    this.#time = parts.time;
    this.#random = parts.random;
  }

  newInbox(): string {
    this.#inboxes += 1;
    return `_INBOX.${this.actor.name}.${this.actor.life}.${this.#inboxes}`;
  }

  onStatus(callback: (connected: boolean) => void): () => void {
    this.#callbacks.add(callback);
    callback(this.connected);
    return () => this.#callbacks.delete(callback);
  }

  async ready(): Promise<void> {}

  publish(subject: string, bytes: Uint8Array): boolean {
    if (!this.connected) return false;
    const copy = Buffer.from(bytes);
    this.#cross(() => this.#nats.route(subject, copy), this.#time.world);
    return true;
  }

  request(subject: string, bytes: Uint8Array, options: RequestOptions): Promise<BusMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<BusMessage>();
    if (!this.connected) reject(new AppError('bus-disconnected', `no connection: ${subject} was not asked`));
    else this.#ask({ subject, bytes, options, resolve, reject });
    return promise;
  }

  serve(): BusSubscription {
    return { stop: () => undefined };
  }

  subscribe(subject: string, handler: (message: BusMessage) => void): BusSubscription {
    this.#subscriptions.set(subject, handler);
    return { stop: () => this.#subscriptions.delete(subject) };
  }

  hold(isHeld: boolean): void {
    this.setLink(isHeld ? 'cut' : 'up');
  }

  renewCredentials(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#setConnected(false);
  }

  listensTo(inbox: string): boolean {
    return [...this.#subscriptions.keys()].some((subject) => matches(subject, inbox));
  }

  /** A core message, if anybody here wants it. */
  hear(message: BusMessage): void {
    for (const subject of this.#subscriptions.keys()) if (matches(subject, message.subject)) this.deliver(message, subject);
  }

  /** A message from the server, after the link's delay. */
  deliver(message: BusMessage, inbox: string): void {
    const session = this.#session;
    const copies = this.#random.chance(this.#nats.weather.double) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#cross(() => {
        if (session === this.#session) this.#subscriptions.get(inbox)?.(message);
      });
    }
  }

  setLink(link: Link): void {
    if (link === this.#link) return;
    this.#link = link;
    if (link === 'cut') this.lose();
    if (link === 'up') this.reconnectSoon();
    if (link === 'silent') {
      const session = this.#session;
      this.#time.plan(this.actor, this.#random.between(PING_MS / 2, PING_MS * 1.5), () => {
        if (session === this.#session && this.#link !== 'up') this.#setConnected(false);
      });
    }
  }

  lose(): void {
    this.#time.plan(this.actor, this.#random.between(0, 50), () => {
      if (this.#link !== 'up' || !this.#nats.up) this.#setConnected(false);
    });
  }

  reconnectSoon(): void {
    this.#time.plan(this.actor, this.#random.between(20, 500), () => {
      if (this.#link === 'up' && this.#nats.up && !this.#closed) this.#setConnected(true);
    });
  }

  #ask(request: {
    subject: string;
    bytes: Uint8Array;
    options: RequestOptions;
    resolve: (message: BusMessage) => void;
    reject: (error: AppError) => void;
  }): void {
    const { subject, bytes, options, resolve, reject } = request;
    const session = this.#session;
    const late = this.#time.plan(this.actor, options.timeoutMs, () => reject(new AppError('bus-timeout', `${subject}: timeout`)));
    const answer = (body: unknown): void =>
      this.#cross(() => {
        if (session !== this.#session) return;
        late.cancelled = true;
        if (body === undefined) reject(new AppError('bus-no-responders', `${subject}: nobody answers`));
        else resolve({ subject: '', reply: '', bytes: Buffer.from(JSON.stringify(body)), status: 0, headers: NO_HEADERS });
      });
    const copy = Buffer.from(bytes);
    this.#cross(() => {
      if (session === this.#session) this.#nats.handle(this, subject, copy, options, answer);
    }, this.#time.world);
  }

  /** One message over the link, in order unless the weather is bad. */
  #cross(arrive: () => void, at: Actor = this.actor): void {
    const { lose, reorder, slowestMs } = this.#nats.weather;
    if (this.#link !== 'up' || !this.#nats.up || this.#random.chance(lose)) return;
    let arrival = this.#time.now + 0.1 + this.#random.float() * slowestMs;
    if (!this.#random.chance(reorder)) {
      arrival = Math.max(arrival, this.#lastArrival);
      this.#lastArrival = arrival;
    }
    this.#time.plan(at, arrival - this.#time.now, () => {
      if (this.#link === 'up' && this.#nats.up && this.actor.life === this.#life) arrive();
    });
  }

  #setConnected(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    this.#session += 1;
    for (const callback of [...this.#callbacks]) callback(connected);
  }
}
