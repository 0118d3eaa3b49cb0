/**
 * One type on one delta stream: what the client asked for, what it has, what it owes an answer to. Pure: requests and
 * changes in, responses out; no clock, no I/O (xds_protocol, "Incremental xDS"; RELIABILITY.md 2.1 and 2.3).
 */
import type { XdsType } from '@hawser/wire/messages.ts';
import { AskedNames } from './asked-names.ts';
import { ClientAnswers, type Outcome } from './client-answers.ts';
import { ClientVersions, UNKNOWN } from './client-versions.ts';
import { askedForAll, isWildcard } from './common-request.ts';
import type { DeltaRequest } from './delta-request.ts';
import { PendingNames } from './pending-names.ts';
import { type Refusal, Refusals } from './refusals.ts';
import type { ResourceView } from './resource-view.ts';
import { ResponseCollector } from './response-collector.ts';
import { type Collected, InFlight, type Taken, type TakePlan } from './type-response.ts';

/** A response larger than this is cut; the rest follows its ACK. A single larger resource goes alone. */
const MAX_RESPONSE_BYTES = 3 * 1024 * 1024;

/** The state of one type. Exactly one response is in flight; everything else coalesces into "what differs". */
export class TypeSubscription<Hold> {
  readonly type: XdsType;
  readonly #view: ResourceView;
  readonly #maxBytes: number;
  readonly #collector: ResponseCollector<Hold>;
  #started = false;
  readonly #asked = new AskedNames();
  /** Versions sent or claimed, and accepted. */
  readonly #versions = new ClientVersions();
  /** The generation up to which the client is known to have a name that changed since. */
  readonly #ackedIn = new Map<string, number>();
  readonly #refusals = new Refusals();
  readonly #dirty = new PendingNames();
  /** Named by a changed parent before this type's first request. */
  readonly #forcedEarly = new Set<string>();
  readonly #held = new Map<string, Hold>();
  readonly #answers: ClientAnswers<Hold>;
  #owesAnswer = false;

  /** `maxBytes` is where a response is cut; infinite for a response that must be whole. */
  constructor(type: XdsType, view: ResourceView, maxBytes = MAX_RESPONSE_BYTES) {
    this.type = type;
    this.#view = view;
    this.#maxBytes = maxBytes;
    const parts = {
      view,
      versions: this.#versions,
      refusals: this.#refusals,
      dirty: this.#dirty,
      held: this.#held,
      ackedIn: this.#ackedIn,
    };
    this.#collector = new ResponseCollector({ type, maxBytes, ...parts });
    this.#answers = new ClientAnswers({ asked: this.#asked, ...parts });
  }

  get started(): boolean {
    return this.#started;
  }

  get inFlight(): boolean {
    return this.#answers.inFlight !== undefined;
  }

  /** Responses made so far, and how many of them the client answered. */
  get progress(): { readonly responses: number; readonly settled: number } {
    return this.#answers.progress;
  }

  /** How many names wait to be compared or sent, removals on hold left out. */
  get waiting(): number {
    return this.#dirty.size;
  }

  /** Whether something waits to be sent, removals on hold left out. */
  get hasWork(): boolean {
    return this.#dirty.size > 0 || this.#refusals.hasParts || this.#owesAnswer;
  }

  /** Whether there is nothing to send, nothing on hold and nothing unanswered. */
  get idle(): boolean {
    return !this.hasWork && !this.inFlight && this.#held.size === 0;
  }

  get holdsRemovals(): boolean {
    return this.#held.size > 0;
  }

  /** The client refused something that is still what it should have. */
  get refused(): boolean {
    return this.#refusals.any;
  }

  /** Whether a name that the client does not have is in flight or about to be sent. */
  get addsPending(): boolean {
    if (this.#answers.inFlight?.adds === true || this.#dirty.hasWhole) return true;
    return this.#dirty.names().some((name) => this.#versions.mayLack(name) && this.#view.get(this.type, name) !== undefined);
  }

  /**
   * Whether the client is told of a name: one that it asked for, and of everything, where it asks for that, what the view offers. What it
   * was sent or says that it has stays covered: nothing is left behind because it would not be offered any more.
   */
  covers(name: string): boolean {
    if (!this.#asked.covers(name)) return false;
    return this.#asked.names.has(name) || this.#view.offers?.(this.type, name) !== false || this.#versions.has(name);
  }

  /** What the client was sent and what it accepted, each as 16 hex digits over names and versions; empty for nothing. */
  get digests(): { readonly sent: string; readonly acked: string } {
    return this.#versions.digests;
  }

  /** The version that the client has or was sent; empty when that is in doubt. */
  sentVersion(name: string): string | undefined {
    return this.#versions.sent(name);
  }

  /** The version that the client accepted last. */
  ackedVersion(name: string): string | undefined {
    return this.#versions.accepted(name);
  }

  /** What the client said when it refused what it should have of a name. */
  refusalOf(name: string): Refusal | undefined {
    return this.#refusals.get(name);
  }

  /** Names asked for, the wildcard left out. */
  get asked(): ReadonlySet<string> {
    return this.#asked.names;
  }

  /** What the client certainly refused, name by name, of what it was sent last. */
  get refusals(): Refusals['standing'] {
    return this.#refusals.standing;
  }

  /** The first refusal that still stands. */
  get refusal(): string | undefined {
    return this.#refusals.first;
  }

  /** Takes a request in. Returns whether it answered the response in flight, and how; a stale nonce answers nothing. */
  request(request: DeltaRequest): 'ack' | 'nack' | undefined {
    const answer = this.#answers.take(request);
    if (answer === 'ack' && this.idle) this.#versions.compact(() => this.#view.common?.(this.type));
    const first = !this.#started;
    this.#started = true;
    const legacyWildcard = first && request.subscribe.length === 0 && request.unsubscribe.length === 0 && isWildcardType(this.type);
    if (first) this.#claimAll(request, legacyWildcard);
    if (first && this.#asksForAll(request, legacyWildcard)) return answer;
    this.#apart();
    // A name that is dropped for the sake of the wildcard stays covered.
    if (request.unsubscribe.length > 0 && request.subscribe.includes('*')) this.#subscribeAll();
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    for (const name of request.subscribe) this.#subscribe(name, first && request.initialVersions.has(name));
    if (legacyWildcard) this.#subscribeAll();
    if (first) this.#forcedEarly.clear();
    return answer;
  }

  /** What the client has of what it asked for, found out after its first request and before anything was sent. */
  claim(versions: ReadonlyMap<string, string>): void {
    this.#apart();
    for (const [name, version] of versions) {
      if (!this.#asked.covers(name)) continue;
      this.#claim(name, version);
      this.#dirty.disown(name);
    }
    if (this.#versions.size > 0) this.#owesAnswer = false;
  }

  /** A name changed in the view. */
  changed(name: string): void {
    if (!this.#started || !this.covers(name)) return;
    this.#apart();
    this.#answers.noteAcked(name);
    this.#held.delete(name);
    this.#dirty.compare(name);
  }

  /** A changed parent names this: it is sent again, even if unchanged and even if the client claims it. */
  force(name: string): void {
    const resource = this.#view.get(this.type, name);
    if (resource === undefined && !this.#started && this.#view.awaits?.(this.type, name) === true) this.#forcedEarly.add(name);
    if (resource === undefined || this.#refusals.get(name)?.version === resource.version) return;
    if (!this.#started) this.#forcedEarly.add(name);
    else if (this.covers(name)) this.#owe(name);
  }

  /** The client is answered next, even if there is nothing to say. */
  oweAnswer(): void {
    this.#owesAnswer = true;
  }

  /** Makes the next response and notes it as in flight; undefined when there is nothing to send now. */
  take(plan: TakePlan<Hold>): Taken | undefined {
    if (this.inFlight) return undefined;
    const collected = this.#takeWhole() ?? this.#collector.collect(plan, this.#owesAnswer);
    const { puts, removed, replaced } = collected;
    if (puts.length === 0 && removed.length === 0 && !this.#owesAnswer) return undefined;
    this.#owesAnswer = false;
    if (collected.whole !== undefined) this.#versions.sendAll(collected.whole);
    else for (const resource of puts) this.#versions.send(resource.name, resource.version);
    for (const name of removed) this.#versions.send(name, undefined);
    this.#answers.await(new InFlight(plan.nonce, collected, this.#view.generation));
    return { type: this.type, nonce: plan.nonce, resources: puts, removed, replaced };
  }

  /**
   * The client accepted a response that held everything, so also these, name → version, that it had refused before
   * (state of the world, where a response is the whole set).
   */
  acceptRefused(versionOf: (name: string) => string | undefined): void {
    this.#answers.acceptRefused(versionOf);
  }

  /** What was refused is not tried apart. */
  keepWhole(): void {
    this.#refusals.dropParts();
  }

  /** What the client made of a name, as it was in `generation` or later. */
  outcome(name: string, generation: number): Outcome {
    return this.covers(name) ? this.#answers.outcome(name, generation) : 'acked';
  }

  /** What the client says it has, of what it subscribes to. */
  #claimAll(request: DeltaRequest, legacyWildcard: boolean): void {
    if (request.initialVersions.size === 0) return;
    const asked = new Set(request.subscribe);
    const all = legacyWildcard || asked.has('*');
    for (const [name, version] of request.initialVersions) if (all || asked.has(name)) this.#claim(name, version);
  }

  #claim(name: string, version: string): void {
    this.#versions.send(name, version);
    if (version !== UNKNOWN) this.#versions.accept(name, version);
    this.#dirty.compare(name);
  }

  #subscribe(name: string, claimed: boolean): void {
    if (name === '*') {
      this.#subscribeAll();
      return;
    }
    // The view's own text of the name, if it has one, so that not every stream keeps a copy.
    this.#asked.add(this.#view.get(this.type, name)?.name ?? name);
    if (claimed && !this.#forcedEarly.has(name)) this.#dirty.compare(name);
    else this.#owe(name);
  }

  #subscribeAll(): void {
    this.#asked.wildcard = true;
    if (this.#versions.size === 0) this.#owesAnswer = true;
    for (const name of this.#view.names(this.type)) if (this.covers(name)) this.#dirty.compare(name);
    for (const name of this.#forcedEarly) this.#owe(name);
  }

  #unsubscribe(name: string): void {
    if (name === '*') {
      this.#asked.wildcard = false;
      for (const known of new Set([...this.#versions.keys(), ...this.#dirty.names()]))
        if (!this.#asked.covers(known)) this.#answers.forget(known);
      return;
    }
    if (!this.#asked.delete(name)) return;
    if (this.#asked.wildcard) this.#owe(name);
    else this.#answers.forget(name);
  }

  /** Whether a first request asks for exactly what others see too, of which the client has nothing; it is then noted. */
  #asksForAll(request: DeltaRequest, legacyWildcard: boolean): boolean {
    if (this.#forcedEarly.size > 0) return false;
    const set = askedForAll(request, { common: () => this.#view.common?.(this.type), maxBytes: this.#maxBytes, legacyWildcard });
    if (set === undefined) return false;
    if (legacyWildcard || isWildcard(request)) this.#asked.wildcard = true;
    else this.#asked.share(set.names);
    this.#dirty.oweAll(set);
    return true;
  }

  /** Something is not as with the others: from here it goes name by name. */
  #apart(set = this.#dirty.takeWhole()): void {
    if (set === undefined) return;
    this.#owesAnswer ||= this.#asked.wildcard;
    for (const { name } of set.resources) {
      if (!this.covers(name)) continue;
      if (this.#asked.wildcard) this.#dirty.compare(name);
      else this.#dirty.owe(name);
    }
  }

  #takeWhole(): Collected | undefined {
    const whole = this.#dirty.takeWhole();
    if (whole === undefined) return undefined;
    if (whole === this.#view.common?.(this.type)) return { puts: whole.resources, removed: [], replaced: [], adds: true, whole };
    this.#apart(whole);
    return undefined;
  }

  #owe(name: string): void {
    this.#apart();
    this.#answers.noteAcked(name);
    this.#held.delete(name);
    this.#dirty.owe(name);
  }
}

/** Only listeners and clusters know the wildcard that is not spelled out. */
function isWildcardType(type: XdsType): boolean {
  return type === 'LDS' || type === 'CDS';
}
