/**
 * One proxy's stream: the state machine of its variant joined to the gRPC call. The one ordered writer: it asks the
 * machine for the next response only while the call takes more, so a slow proxy costs no memory and gets the latest state.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ProxyStatus, XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { DialectMachine } from './dialect.ts';
import { bytesOf, type FramedMessage } from './framed-messages.ts';
import type { OutboundBudget } from './outbound-budget.ts';
import type { ConnectedProxy } from './proxy-gate.ts';
import type { ResourceView } from './resource-view.ts';
import type { StreamState } from './stream-machine.ts';
import { typeStatuses } from './type-status.ts';
import type { UnaskedUpstreams } from './unasked-upstreams.ts';

const NOTHING = Buffer.alloc(0);

/** A response about so many names is small, whatever the others are busy with. */
const FEW_NAMES = 64;

/** The call as it comes from grpc-js: raw bytes both ways. */
export type AdsCall = ServerDuplexStream<Buffer, Buffer>;

/** What a stream tells its server. */
export interface StreamEvents {
  sent(stream: ProxyStream, type: XdsType): void;
  /** A request was taken in; `answer` if it answered a response. */
  asked(stream: ProxyStream, type: XdsType, answer: 'ack' | 'nack' | undefined): void;
}

/** What a stream is made of. */
export interface ProxyStreamParts {
  readonly proxy: ConnectedProxy;
  readonly view: ResourceView;
  readonly variant: 'delta' | 'sotw';
  readonly machine: StreamWriter;
  readonly call: AdsCall;
  readonly events: StreamEvents;
  readonly budget: OutboundBudget;
  /** What it is sent unasked, where that is not everything. */
  readonly unasked?: UnaskedUpstreams | undefined;
}

/** The machine, without the requests that its variant speaks. */
export type StreamWriter = StreamState & Pick<DialectMachine<never>, 'changed' | 'speak' | 'wakeAt' | 'write'>;

/** A connected proxy and the state of its stream. */
export class ProxyStream {
  readonly proxy: ConnectedProxy;
  readonly view: ResourceView;
  readonly unasked: UnaskedUpstreams | undefined;
  readonly variant: 'delta' | 'sotw';
  readonly machine: StreamState;
  readonly connectedAt = new Date().toISOString();
  readonly #machine: StreamWriter;
  readonly call: AdsCall;
  readonly #events: StreamEvents;
  readonly #budget: OutboundBudget;
  readonly #goOn = (): void => this.#flush();
  /** What the budget is told when the large responses on their way are taken. */
  readonly #releases = new Set<() => void>();
  readonly #answeredAt = new Map<XdsType, Date>();
  /** As it was shown last, while nothing happened since: accounts of many proxies cost what changed. */
  #status: ProxyStatus | undefined;
  #blocked = false;
  #closed = false;
  #wake: NodeJS.Timeout | undefined;

  constructor(parts: ProxyStreamParts) {
    this.proxy = parts.proxy;
    this.view = parts.view;
    this.unasked = parts.unasked;
    this.variant = parts.variant;
    this.machine = parts.machine;
    this.#machine = parts.machine;
    this.call = parts.call;
    this.#events = parts.events;
    this.#budget = parts.budget;
  }

  /** The agent is ready: answers what was asked so far. */
  speak(): void {
    this.#machine.speak();
    this.#flush();
  }

  /** The machine took a request in; writes what follows from it. */
  asked(type: XdsType, answer: 'ack' | 'nack' | undefined): void {
    if (answer !== undefined) this.#answeredAt.set(type, new Date());
    this.#flush();
    this.#events.asked(this, type, answer);
  }

  /** When the client last answered a response of the type. */
  answeredAt(type: XdsType): Date | undefined {
    return this.#answeredAt.get(type);
  }

  /** Takes changes of the view in and writes what follows from them, all in the same turn. */
  changed(changes: Iterable<{ readonly type: XdsType; readonly name: string }>): void {
    for (const { type, name } of changes) this.#machine.changed(type, name);
    this.#flush();
  }

  /** Ends the work of the stream; the call itself is the server's. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#wake);
    this.#budget.leave(this.#goOn);
    for (const release of this.#releases) release();
  }

  get(type: XdsType, name: string): XdsResource | undefined {
    return this.view.get(type, name);
  }

  names(type: XdsType): Iterable<string> {
    return this.view.names(type);
  }

  /** Whether it is sent an upstream, or was; one that fetches upstreams asks for any other. */
  hasUpstream(name: string): boolean {
    return this.unasked === undefined || this.machine.covers('CDS', name);
  }

  /** As `proxy-status` shows it; `revision` is the newest hub revision of which everything is acknowledged. */
  status(revision: number): ProxyStatus {
    if (this.#status?.revision !== revision) this.#status = this.#makeStatus(revision);
    return this.#status;
  }

  #makeStatus(revision: number): ProxyStatus {
    const { name, namespace, serviceAccount, address, role, version } = this.proxy;
    const types = typeStatuses(this.machine);
    const says = version === undefined ? {} : { version };
    const labels = role === 'edge' ? { labels: this.proxy.labels ?? {} } : {};
    return { proxy: name, namespace, serviceAccount, address, role, ...labels, ...says, types, revision, connectedAt: this.connectedAt };
  }

  #flush(): void {
    this.#status = undefined;
    while (!this.#closed && !this.#blocked) {
      if (!this.#budget.open && this.#machine.waiting > FEW_NAMES) {
        this.#budget.wait(this.#goOn);
        break;
      }
      const response = this.#machine.write(performance.now());
      if (response === undefined) break;
      if (!this.#send(response.message)) this.#waitForDrain();
      this.#events.sent(this, response.type);
    }
    this.#armWake();
  }

  /** Writes to the call; false when it takes no more for now. */
  #send(message: FramedMessage): boolean {
    const release = this.#budget.take(bytesOf(message));
    let more = true;
    for (const piece of message) more = this.call.write(piece);
    if (release === undefined) return more;
    this.#releases.add(release);
    // Nothing, after all of it: the callback comes when the pieces are taken.
    return this.call.write(NOTHING, () => {
      this.#releases.delete(release);
      release();
    });
  }

  #waitForDrain(): void {
    this.#blocked = true;
    this.call.once('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  #armWake(): void {
    clearTimeout(this.#wake);
    this.#wake = undefined;
    const { wakeAt } = this.#machine;
    if (wakeAt === undefined || this.#closed || this.#blocked) return;
    this.#wake = setTimeout(() => this.#flush(), Math.max(1, Math.ceil(wakeAt - performance.now())));
  }
}
