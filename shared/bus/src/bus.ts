/** The one door to the `nats` package: a connection that never gives up, never blocks its callers and never buffers without bound. */

import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { type BackoffOptions, backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import { TLS_FLOOR } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { connect, createInbox, Events, jwtAuthenticator, type Msg, type NatsConnection, type Subscription } from 'nats';
import { failRequest, failureIn, headersOf, messageFrom, requestError } from './nats-messages.ts';
import { subjectMatches } from './subject-matches.ts';
import { UnflushedBytes } from './unflushed-bytes.ts';

/** Credentials of a NATS user: its JWT and nkey seed (`SU…`). */
export interface BusCredentials {
  readonly jwt: string;
  readonly seed: string;
}

/** How to connect. */
export interface BusOptions {
  readonly urls: readonly string[];
  /** Shown in the server's connection list. */
  readonly name: string;
  readonly credentials?: BusCredentials;
  /** Where replies arrive; a cluster's user may subscribe to its own prefix only. */
  readonly inboxPrefix?: string;
  /** PEM of the CA of `tls://` servers; without it the system's roots decide. With a `tls://` URL a server that offers none is refused. */
  readonly ca?: string | undefined;
  readonly log: Logger;
  /** Called whenever a server does not take the credentials: they are wrong, expired or revoked. */
  readonly onRefused?: () => void;
  /** Closes the bus when aborted. */
  readonly signal?: AbortSignal;
}

/** A message as its subscriber sees it. `headers` holds the first value of each, names in lower case; `status` is 0 without one. */
export interface BusMessage {
  readonly subject: string;
  readonly reply: string;
  /** A view into the receive buffer: copy it to keep it. */
  readonly bytes: Uint8Array;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** A subscription that survives reconnects. */
export interface BusSubscription {
  stop(): void;
}

/** What the rest of Hawser may do with NATS. */
export interface Bus {
  readonly connected: boolean;
  /** Whether the server it was last connected to is one of a NATS cluster. */
  readonly clustered: boolean;
  /** Of the server that it was last connected to; '' before. */
  readonly serverVersion: string;
  /** Subjects below this prefix are this connection's own. */
  newInbox(): string;
  /** Calls back on each change of `connected`, and at once with the current one. Returns how to stop. */
  onStatus(callback: (connected: boolean) => void): () => void;
  /** The first connection; rejects when the bus is closed before. */
  ready(): Promise<void>;
  /** Core publish, at most once: false when it was dropped because the bus is not connected or does not drain. */
  publish(subject: string, bytes: Uint8Array): boolean;
  /** One answer, or an `AppError`: `bus-disconnected`, `bus-timeout`, `bus-no-responders`, `bus-refused`, `rpc-failed`. */
  request(subject: string, bytes: Uint8Array, options: RequestOptions): Promise<BusMessage>;
  /** Answers requests. What the handler throws reaches the caller as `rpc-failed`. */
  serve(subject: string, handler: (bytes: Uint8Array, subject: string) => Promise<Uint8Array> | Uint8Array): BusSubscription;
  /**
   * Hears messages whose subject matches. Others that the server delivers are dropped: a JetStream consumer can be told
   * to deliver to a subject that its creator must not publish to, and then the message bears its stored subject.
   */
  subscribe(subject: string, handler: (message: BusMessage) => void, options?: { readonly anySubject?: boolean }): BusSubscription;
  /** Held, it has no connection and makes none, until it is let go: a drill acts as if there were no NATS. */
  hold(isHeld: boolean): void;
  /** Used from the next reconnect on. */
  renewCredentials(credentials: BusCredentials): void;
  /** Drains for at most two seconds, then closes. */
  close(): Promise<void>;
}

/** A request's deadline, and its headers if any. */
export interface RequestOptions {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const RECONNECT: BackoffOptions = { baseMs: 200, maxMs: 2_000 };
const PING_INTERVAL_MS = 10_000;
const DRAIN_MS = 2_000;
const MAX_REQUESTS = 4_096;
const MAX_SERVING = 64;

/** Starts connecting and returns at once with a bus whose `connected` follows; only senseless options are an error. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  if (options.urls.length === 0) throw new AppError('bus-no-url', 'no NATS server is given: set its URL, such as nats://127.0.0.1:4222');
  const bus = new NatsBus(options);
  options.signal?.addEventListener('abort', () => void bus.close(), { once: true });
  bus.start();
  return bus;
}

interface Registration {
  readonly subject: string;
  readonly deliver: (message: Msg) => void;
  live: Subscription | undefined;
}

class NatsBus implements Bus {
  connected = false;
  clustered = false;
  serverVersion = '';
  readonly #options: BusOptions;
  #credentials: BusCredentials | undefined;
  #connection: NatsConnection | undefined;
  readonly #aborter = new AbortController();
  readonly #registrations = new Set<Registration>();
  readonly #callbacks = new Set<(connected: boolean) => void>();
  readonly #unflushed = new UnflushedBytes();
  #requests = 0;
  #attempt = 0;
  #running: Promise<void> | undefined;
  /** Resolves when it is let go. */
  #held: PromiseWithResolvers<void> | undefined;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
  }

  start(): void {
    this.#running = this.#run();
  }

  newInbox(): string {
    return createInbox(this.#options.inboxPrefix ?? '_INBOX');
  }

  onStatus(callback: (connected: boolean) => void): () => void {
    this.#callbacks.add(callback);
    callback(this.connected);
    return () => this.#callbacks.delete(callback);
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#aborter;
      const closed = (): void => settle(() => reject(new AppError('bus-closed', 'the bus was closed before it was connected')));
      const settle = (then: () => void): void => {
        this.#callbacks.delete(watch);
        signal.removeEventListener('abort', closed);
        then();
      };
      const watch = (connected: boolean): void => {
        if (connected) settle(resolve);
      };
      if (signal.aborted) return closed();
      signal.addEventListener('abort', closed);
      this.onStatus(watch);
    });
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    const connection = this.#connection;
    if (!this.connected || connection === undefined || this.#unflushed.tooMany) return false;
    this.#unflushed.add(bytes, connection);
    connection.publish(subject, bytes);
    return true;
  }

  async request(subject: string, bytes: Uint8Array, options: RequestOptions): Promise<BusMessage> {
    const connection = this.#connection;
    if (!this.connected || connection === undefined)
      throw new AppError('bus-disconnected', `no connection to NATS: ${subject} was not asked`);
    if (this.#unflushed.tooMany || this.#requests >= MAX_REQUESTS)
      throw new AppError('bus-busy', `NATS does not keep up: ${subject} was not asked`);
    this.#unflushed.add(bytes, connection);
    this.#requests += 1;
    try {
      const reply = await connection.request(subject, bytes, {
        timeout: options.timeoutMs,
        ...(options.headers === undefined ? {} : { headers: headersOf(options.headers) }),
      });
      const failure = failureIn(reply);
      if (failure !== '') throw new AppError('rpc-failed', failure);
      return messageFrom(reply);
    } catch (error) {
      throw requestError(error, subject);
    } finally {
      this.#requests -= 1;
    }
  }

  serve(subject: string, handler: (bytes: Uint8Array, subject: string) => Promise<Uint8Array> | Uint8Array): BusSubscription {
    let serving = 0;
    const answer = async (message: Msg): Promise<void> => {
      if (!subjectMatches(subject, message.subject)) return;
      if (serving >= MAX_SERVING) return failRequest(message, 'too many requests at once: ask again later');
      serving += 1;
      try {
        message.respond(await handler(message.data, message.subject));
      } catch (error) {
        this.#options.log.warn({ subject: message.subject, error: messageOf(error) }, 'request failed');
        failRequest(message, messageOf(error));
      } finally {
        serving -= 1;
      }
    };
    return this.#register(subject, (message) => void answer(message));
  }

  subscribe(subject: string, handler: (message: BusMessage) => void, options: { readonly anySubject?: boolean } = {}): BusSubscription {
    return this.#register(subject, (message) => {
      if (options.anySubject !== true && !subjectMatches(subject, message.subject)) return;
      try {
        handler(messageFrom(message));
      } catch (error) {
        this.#options.log.error({ subject: message.subject, error: messageOf(error) }, 'message handler failed');
      }
    });
  }

  hold(isHeld: boolean): void {
    if (isHeld === (this.#held !== undefined)) return;
    if (!isHeld) {
      this.#held?.resolve();
      this.#held = undefined;
      return;
    }
    this.#held = Promise.withResolvers<void>();
    this.#setConnected(false);
    void this.#connection?.close().catch(() => {});
  }

  renewCredentials(credentials: BusCredentials): void {
    this.#credentials = credentials;
  }

  async close(): Promise<void> {
    if (this.#aborter.signal.aborted) return this.#running;
    const connection = this.#connection;
    this.#aborter.abort();
    if (connection !== undefined && this.connected) {
      const drained = new AbortController();
      await Promise.race([connection.drain().catch(() => {}), sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
    }
    await connection?.close().catch(() => {});
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      try {
        const connection = await connect(this.#connectOptions());
        if (signal.aborted) return await connection.close();
        if (this.#held === undefined) await this.#follow(connection);
        else await connection.close();
      } catch (error) {
        this.#options.log.warn({ urls: this.#options.urls, error: messageOf(error) }, 'NATS is not reachable, trying again');
        this.#noteRefusal(messageOf(error));
      }
      await sleep(this.#delay(), signal);
      await this.#letGo();
    }
  }

  /** Resolves when it is not held, or closed. */
  async #letGo(): Promise<void> {
    const { signal } = this.#aborter;
    if (this.#held === undefined || signal.aborted) return;
    const closed = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await Promise.race([this.#held.promise, closed]);
  }

  async #follow(connection: NatsConnection): Promise<void> {
    this.#connection = connection;
    this.clustered = (connection.info?.cluster ?? '') !== '';
    this.serverVersion = connection.info?.version ?? '';
    for (const registration of this.#registrations) this.#attach(registration, connection);
    this.#setConnected(true);
    void this.#watchStatus(connection);
    const error = await connection.closed();
    this.#connection = undefined;
    this.#setConnected(false);
    if (error instanceof Error) this.#options.log.warn({ error: messageOf(error) }, 'NATS connection closed');
  }

  async #watchStatus(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) this.#setConnected(false);
      else if (status.type === Events.Reconnect) this.#setConnected(true);
      else if (status.type === Events.Error) {
        this.#options.log.warn({ error: status.data }, 'NATS reports an error');
        this.#noteRefusal(String(status.data));
      }
    }
  }

  /** As NATS says that it does not take the credentials: wrong, expired or revoked. */
  #noteRefusal(error: string): void {
    if (/authorization|authentication/i.test(error)) this.#options.onRefused?.();
  }

  #connectOptions(): Parameters<typeof connect>[0] {
    const { urls, name, inboxPrefix, ca } = this.#options;
    const tls = urls.some((url) => url.startsWith('tls:'));
    const authenticator = jwtAuthenticator(
      () => this.#credentials?.jwt ?? '',
      () => Buffer.from(this.#credentials?.seed ?? ''),
    );
    return {
      servers: [...urls],
      name,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      reconnectDelayHandler: () => this.#delay(),
      timeout: 5_000,
      ignoreAuthErrorAbort: true,
      ...(this.#credentials === undefined ? {} : { authenticator }),
      ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
      // Before it says who it is, the client leaves a server that does not offer TLS: nobody in between can take it away.
      ...(tls ? { tls: { ...(ca === undefined ? {} : { ca }), ...TLS_FLOOR } } : {}),
    };
  }

  #delay(): number {
    this.#attempt += 1;
    return 50 + backoffMs(this.#attempt, RECONNECT);
  }

  #setConnected(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    this.#unflushed.reset();
    if (connected) this.#attempt = 0;
    this.#options.log.info({ connected }, 'NATS connection changed');
    for (const callback of [...this.#callbacks]) callback(connected);
  }

  #register(subject: string, deliver: (message: Msg) => void): BusSubscription {
    const registration: Registration = { subject, deliver, live: undefined };
    this.#registrations.add(registration);
    if (this.#connection !== undefined) this.#attach(registration, this.#connection);
    return {
      stop: () => {
        this.#registrations.delete(registration);
        registration.live?.unsubscribe();
      },
    };
  }

  #attach(registration: Registration, connection: NatsConnection): void {
    registration.live = connection.subscribe(registration.subject, {
      callback: (error, message) => {
        if (error === null) registration.deliver(message);
        else this.#options.log.error({ subject: registration.subject, error: messageOf(error) }, 'NATS refused a subscription');
      },
    });
  }
}
