/** The life of streams: accepted, authenticated, served, closed. Nothing a proxy sends ends the process. */
import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ProxyStatus, XdsType } from '@hawser/wire/messages.ts';
import { ownLayer } from '../snapshot/resource.ts';
import type { Applied, SnapshotStore } from '../snapshot/snapshot-store.ts';
import { authenticateCall, messageIn, proxyOf, StreamRefusal } from './ads-call.ts';
import type { Dialect, DialectMachine, DialectMessage } from './dialect.ts';
import { IdentityLease } from './identity-lease.ts';
import type { HeldIdentity, IdentitySource } from './identity-source.ts';
import { LayerSets } from './layer-sets.ts';
import { OutboundBudget } from './outbound-budget.ts';
import type { ConnectedProxy, ProxyGate } from './proxy-gate.ts';
import { type AdsCall, ProxyStream, type StreamEvents } from './proxy-stream.ts';
import { IDENTITY_SECRET, proxyView, type ResourceView } from './resource-view.ts';
import { StreamIndex } from './stream-index.ts';
import { checkNames, FIRST_REQUEST_MS, MAX_STREAMS, onExpiry } from './stream-limits.ts';
import { typeOfUrl } from './type-urls.ts';
import { UnaskedUpstreams, type UpstreamUse } from './unasked-upstreams.ts';
import type { XdsMetrics } from './xds-metrics.ts';

/** Told about streams. */
export interface StreamListener {
  /** Anything that `proxies` shows changed. */
  changed(): void;
  /** A proxy answered a response; what it holds may be settled now. */
  settled(stream: ProxyStream): void;
  gone(stream: ProxyStream): void;
}

interface StreamsOptions {
  readonly store: SnapshotStore;
  readonly gate: ProxyGate;
  readonly identities: IdentitySource;
  readonly log: Logger;
  readonly metrics: XdsMetrics;
  /** Which upstreams are called for; every proxy is sent all of them without it. */
  readonly use?: UpstreamUse | undefined;
}

/** What reads a stream's requests. */
interface Reading<Request> {
  readonly stream: ProxyStream;
  readonly machine: DialectMachine<Request>;
  readonly dialect: Dialect<Request>;
  readonly lease: IdentityLease;
}

/** All streams of a server. */
export class AdsStreams implements StreamEvents {
  readonly #options: StreamsOptions;
  readonly #index: StreamIndex;
  readonly #calls = new Set<AdsCall>();
  readonly #listeners = new Set<StreamListener>();
  readonly #unsubscribe: () => void;
  readonly #sets: LayerSets;
  readonly #budget = new OutboundBudget();
  #revisionOf: (stream: ProxyStream) => number = () => 0;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#index = new StreamIndex(options.store);
    this.#sets = new LayerSets(options.store);
    this.#unsubscribe = options.store.subscribe((applied) => this.#applied(applied));
    options.gate.onReady(() => {
      for (const stream of this.#index.all) stream.speak();
    });
  }

  /** Takes a call and serves it to its end. */
  accept<Request>(call: AdsCall, dialect: Dialect<Request>): void {
    this.#calls.add(call);
    const ended = new AbortController();
    for (const event of ['cancelled', 'end', 'error', 'close']) call.once(event, () => ended.abort());
    ended.signal.addEventListener('abort', () => {
      this.#calls.delete(call);
      call.end();
    });
    this.#serve(call, dialect, ended.signal).catch((error: unknown) => this.#refuse(call, error));
  }

  proxies(): ProxyStatus[] {
    const statuses = [...this.#index.newest.values()].map((stream) => stream.status(this.#revisionOf(stream)));
    return statuses.sort((a, b) => (a.proxy < b.proxy ? -1 : 1));
  }

  /** The newest stream of a proxy. */
  find(name: string): ProxyStream | undefined {
    return this.#index.newest.get(name);
  }

  /** The newest stream of each proxy. */
  newest(): Iterable<ProxyStream> {
    return this.#index.newest.values();
  }

  /** The newest stream of each proxy that sees one of the changes, with what it sees of them. */
  affected(applied: Applied): ReturnType<StreamIndex['affected']> {
    const newest = new Set(this.#index.newest.values());
    return new Map(
      this.#index
        .affected(applied.changes)
        .entries()
        .filter(([stream]) => newest.has(stream)),
    );
  }

  get all(): ReadonlySet<ProxyStream> {
    return this.#index.all;
  }

  listen(listener: StreamListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Where `ProxyStatus.revision` comes from: the rollout tracker. */
  reportRevisions(source: (stream: ProxyStream) => number): void {
    this.#revisionOf = source;
  }

  closeAll(reason: { code: status; details: string }): void {
    this.#unsubscribe();
    this.#sets.stop();
    for (const call of this.#calls) call.emit('error', reason);
  }

  sent(_stream: ProxyStream, type: XdsType): void {
    this.#options.metrics.responses.inc({ type });
    this.#changed();
  }

  asked(stream: ProxyStream, type: XdsType, answer: 'ack' | 'nack' | undefined): void {
    if (answer === 'nack') {
      this.#options.metrics.nacks.inc({ type });
      const { refusal } = stream.machine.subscription(type);
      this.#options.log.warn({ proxy: stream.proxy.name, type, error: refusal }, 'proxy refused a response');
    }
    if (answer !== undefined) for (const listener of this.#listeners) listener.settled(stream);
    this.#changed();
  }

  async #serve<Request>(call: AdsCall, dialect: Dialect<Request>, ended: AbortSignal): Promise<void> {
    const identity = await authenticateCall(call, this.#options.gate);
    const first = await firstMessage(call, ended);
    if (first === undefined) return;
    const message = messageIn(first, dialect);
    const proxy = proxyOf(message.node, identity, dialect);
    const opened: { stream?: ProxyStream } = {};
    const lease = new IdentityLease(() => this.#hold(proxy, opened));
    if (ended.aborted) return;
    const stopWatch = onExpiry(identity.expiresAt, (refusal) => this.#refuse(call, refusal));
    ended.addEventListener('abort', () => {
      stopWatch();
      lease.release();
      if (opened.stream !== undefined) this.#close(opened.stream);
    });
    this.#options.gate.attach(proxy);
    const unasked = this.#unaskedBy(proxy);
    const view = this.#viewOf(proxy, lease, unasked);
    const streamId = `${randomBytes(4).toString('hex')}-`;
    const machine = dialect.open(view, { silent: !this.#options.gate.ready, streamId });
    const stream = new ProxyStream({ proxy, view, variant: dialect.name, machine, call, events: this, budget: this.#budget, unasked });
    opened.stream = stream;
    this.#open(stream);
    this.#read(call, { stream, machine, dialect, lease }, message);
  }

  /** Holds the proxy's certificate; `opened` is told when it is renewed. */
  async #hold(proxy: ConnectedProxy, opened: { stream?: ProxyStream }): Promise<HeldIdentity> {
    const renewed = (): void => opened.stream?.changed([{ type: 'SDS', name: IDENTITY_SECRET }]);
    try {
      return await this.#options.identities.hold(proxy, renewed);
    } catch (error) {
      this.#options.log.error({ proxy: proxy.name, error: messageOf(error) }, 'no certificate could be issued');
      throw new StreamRefusal('unavailable', 'the agent cannot issue a certificate now');
    }
  }

  #viewOf(proxy: ConnectedProxy, lease: IdentityLease, unasked: UnaskedUpstreams | undefined): ResourceView {
    const { store } = this.#options;
    return proxyView({ store, sets: this.#sets, own: ownLayer(proxy), identity: () => lease.current, unasked });
  }

  #unaskedBy(proxy: ConnectedProxy): UnaskedUpstreams | undefined {
    const { store, use } = this.#options;
    if (use === undefined || proxy.fetchesUpstreams !== true) return undefined;
    const callsForOthers = proxy.outboundGateway === true;
    return new UnaskedUpstreams({ store, use, own: ownLayer(proxy), namespace: proxy.namespace, callsForOthers });
  }

  #open(stream: ProxyStream): void {
    const { metrics, log } = this.#options;
    const { name, role, address } = stream.proxy;
    const earlier = [...this.#index.all].filter((other) => other.proxy.name === name);
    for (const old of earlier.slice(0, Math.max(0, earlier.length + 1 - MAX_STREAMS)))
      this.#refuse(old.call, new StreamRefusal('exhausted', `${MAX_STREAMS} newer streams of this proxy are open`));
    this.#index.add(stream);
    metrics.streams.set(this.#index.size);
    log.info({ proxy: name, role, address, variant: stream.variant }, 'proxy connected');
    this.#changed();
  }

  /** Reads the stream: the first message, which was taken off it, and all that follow. */
  #read<Request>(call: AdsCall, reading: Reading<Request>, first: DialectMessage<Request>): void {
    const { stream, machine, dialect, lease } = reading;
    const unknown = new Set<string>();
    const take = (message: DialectMessage<Request>): void => {
      const type = typeOfUrl(message.typeUrl);
      if (type !== undefined) {
        const answer = machine.request(type, message.request);
        const { asked } = machine.subscription(type);
        checkNames(asked.size);
        if (type === 'CDS') stream.unasked?.note(asked);
        if (type === 'SDS' && answer === 'ack') lease.acknowledged(machine.subscription(type).ackedVersion(IDENTITY_SECRET));
        stream.asked(type, answer);
      }
      if (type !== undefined || unknown.size >= 16 || unknown.has(message.typeUrl)) return;
      unknown.add(message.typeUrl);
      this.#options.log.info({ proxy: stream.proxy.name, typeUrl: message.typeUrl }, 'proxy asks for a type that is not served');
    };
    // Secrets are answered when there is a certificate among them; other types do not wait for it.
    const takeInTurn = (message: DialectMessage<Request>): void => {
      if (typeOfUrl(message.typeUrl) !== 'SDS' || lease.current !== undefined) {
        take(message);
        return;
      }
      const answer = async (): Promise<void> => {
        await lease.acquire();
        if (lease.current !== undefined) take(message);
      };
      answer().catch((error: unknown) => this.#refuse(call, error));
    };
    takeInTurn(first);
    call.on('data', (bytes: Buffer) => {
      try {
        takeInTurn(messageIn(bytes, dialect));
      } catch (error) {
        this.#refuse(call, error);
      }
    });
    call.resume();
  }

  #close(stream: ProxyStream): void {
    const { gate, metrics, log } = this.#options;
    stream.close();
    const last = this.#index.remove(stream);
    metrics.streams.set(this.#index.size);
    log.info({ proxy: stream.proxy.name }, 'proxy disconnected');
    if (last) gate.detach(stream.proxy);
    for (const listener of this.#listeners) listener.gone(stream);
    this.#changed();
  }

  #refuse(call: AdsCall, error: unknown): void {
    const refusal = error instanceof StreamRefusal ? error : undefined;
    this.#options.metrics.refused.inc({ reason: refusal?.reason ?? 'internal' });
    this.#options.log.warn({ peer: call.getPeer(), error: messageOf(error) }, 'stream closed');
    call.emit('error', { code: refusal?.code ?? status.INTERNAL, details: refusal?.message ?? 'the agent failed to serve this stream' });
  }

  #applied(applied: Applied): void {
    for (const [stream, keys] of this.#index.affected(applied.changes)) {
      const fresh = stream.unasked?.follow(keys) ?? [];
      stream.changed(fresh.length === 0 ? keys : [...fresh, ...keys]);
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener.changed();
  }
}

/** The first message of a call, with the rest left unread; undefined when the call ends before. It must come in time. */
function firstMessage(call: AdsCall, ended: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(new StreamRefusal('malformed', `no request within ${FIRST_REQUEST_MS / 1_000} s`));
    const deadline = setTimeout(refuse, FIRST_REQUEST_MS);
    const done = (bytes: Buffer | undefined): void => {
      clearTimeout(deadline);
      call.off('data', take);
      resolve(bytes);
    };
    const take = (bytes: Buffer): void => {
      call.pause();
      done(bytes);
    };
    if (ended.aborted) return done(undefined);
    call.on('data', take);
    ended.addEventListener('abort', () => done(undefined));
  });
}
