/**
 * One type on one delta stream: what the client asked for, what it has, what it owes an answer to. Pure: requests and
 * changes in, responses out; no clock, no I/O (xds_protocol, "Incremental xDS"; RELIABILITY.md 2.1 and 2.3).
 */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { DeltaRequest } from './delta-request.ts';
import { type Refusal, Refusals } from './refusals.ts';
import type { ResourceView } from './resource-view.ts';
import type { Collected, InFlight, Taken, TakePlan } from './type-response.ts';
import { VersionTable } from './version-table.ts';

/** A response larger than this is cut; the rest follows its ACK. A single larger resource goes alone. */
const MAX_RESPONSE_BYTES = 3 * 1024 * 1024;
/** The version of a resource that the client has in some unknown state: it refused a response, or only says that it has one. */
export const UNKNOWN = '';

/** What became of one name since a generation. */
export type Outcome = 'acked' | 'pending' | { readonly nacked: string };

/** The state of one type. Exactly one response is in flight; everything else coalesces into "what differs". */
export class TypeSubscription<Hold> {
  readonly type: XdsType;
  readonly #view: ResourceView;
  readonly #maxBytes: number;
  #started = false;
  #wildcard = false;
  readonly #names = new Set<string>();
  /** Version last sent or claimed, by name. */
  readonly #have = new VersionTable();
  readonly #acked = new VersionTable();
  /** The generation in which a name was last acknowledged on this stream. */
  readonly #ackedIn = new Map<string, number>();
  readonly #refusals = new Refusals();
  /** To be compared with the view. */
  readonly #dirty = new Set<string>();
  /** To be sent whatever the client has. */
  readonly #owed = new Set<string>();
  /** Named by a changed parent before this type's first request. */
  readonly #forcedEarly = new Set<string>();
  readonly #held = new Map<string, Hold>();
  #inFlight: InFlight | undefined;
  #owesAnswer = false;
  #responses = 0;
  #settled = 0;

  /** `maxBytes` is where a response is cut; infinite for a response that must be whole. */
  constructor(type: XdsType, view: ResourceView, maxBytes = MAX_RESPONSE_BYTES) {
    this.type = type;
    this.#view = view;
    this.#maxBytes = maxBytes;
  }

  get started(): boolean {
    return this.#started;
  }

  get inFlight(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Responses made so far, and how many of them the client answered. */
  get progress(): { readonly responses: number; readonly settled: number } {
    return { responses: this.#responses, settled: this.#settled };
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
    if (this.#inFlight?.adds === true) return true;
    return this.#dirty.values().some((name) => this.#mayLack(name) && this.#view.get(this.type, name) !== undefined);
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /** What the client was sent and what it accepted, each as 16 hex digits over names and versions; empty for nothing. */
  get digests(): { readonly sent: string; readonly acked: string } {
    return { sent: this.#have.digest, acked: this.#acked.digest };
  }

  /** The version that the client has or was sent; empty when that is in doubt. */
  sentVersion(name: string): string | undefined {
    return this.#have.get(name);
  }

  /** The version that the client accepted last. */
  ackedVersion(name: string): string | undefined {
    return this.#acked.get(name);
  }

  /** What the client said when it refused what it should have of a name. */
  refusalOf(name: string): Refusal | undefined {
    return this.#refusals.get(name);
  }

  /** Names asked for, the wildcard left out. */
  get asked(): ReadonlySet<string> {
    return this.#names;
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
    const answer = this.#answer(request);
    const first = !this.#started;
    this.#started = true;
    const legacyWildcard = first && request.subscribe.length === 0 && request.unsubscribe.length === 0 && isWildcardType(this.type);
    if (first) this.#claimAll(request, legacyWildcard);
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
    for (const [name, version] of versions) {
      if (!this.covers(name)) continue;
      this.#claim(name, version);
      this.#owed.delete(name);
    }
    if (this.#have.size > 0) this.#owesAnswer = false;
  }

  /** A name changed in the view. */
  changed(name: string): void {
    if (!this.#started || !this.covers(name)) return;
    this.#held.delete(name);
    this.#dirty.add(name);
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
    if (this.#inFlight !== undefined) return undefined;
    this.#releaseHeld(plan);
    const collected = this.#collect(plan);
    if (collected.puts.length === 0 && collected.removed.length === 0 && !this.#owesAnswer) this.#collectRetry(collected);
    const { puts, removed, replaced, adds } = collected;
    if (puts.length === 0 && removed.length === 0 && !this.#owesAnswer) return undefined;
    this.#owesAnswer = false;
    for (const resource of puts) this.#have.set(resource.name, resource.version);
    for (const name of removed) this.#have.delete(name);
    const versions = new Map(puts.map((resource) => [resource.name, resource.version]));
    this.#inFlight = { nonce: plan.nonce, puts: versions, removed, generation: this.#view.generation, adds };
    this.#responses += 1;
    return { type: this.type, nonce: plan.nonce, resources: puts, removed, replaced };
  }

  /**
   * The client accepted a response that held everything, so also these, name → version, that it had refused before
   * (state of the world, where a response is the whole set).
   */
  acceptRefused(versionOf: (name: string) => string | undefined): void {
    for (const name of [...this.#refusals.names]) {
      const version = versionOf(name);
      if (version === undefined || version !== this.#refusals.get(name)?.version) continue;
      this.#have.set(name, version);
      this.#acceptOne(name, version, this.#view.generation);
    }
  }

  /** What was refused is not tried apart. */
  keepWhole(): void {
    this.#refusals.dropParts();
  }

  /** What the client made of a name, as it was in `generation` or later. */
  outcome(name: string, generation: number): Outcome {
    if ((this.#ackedIn.get(name) ?? -1) >= generation || !this.covers(name)) return 'acked';
    const inFlight = this.#inFlight !== undefined && (this.#inFlight.puts.has(name) || this.#inFlight.removed.includes(name));
    if (inFlight || this.#dirty.has(name) || this.#held.has(name)) return 'pending';
    const refusal = this.#refusals.get(name);
    if (refusal === undefined) return 'acked';
    return this.#refusals.retries(name) ? 'pending' : { nacked: refusal.message };
  }

  #answer(request: DeltaRequest): 'ack' | 'nack' | undefined {
    const answered = this.#inFlight;
    if (answered === undefined || request.nonce !== answered.nonce) return undefined;
    this.#inFlight = undefined;
    this.#settled += 1;
    if (request.error === undefined) this.#accept(answered);
    else this.#refuse(answered, request.error);
    return request.error === undefined ? 'ack' : 'nack';
  }

  #accept(answered: InFlight): void {
    for (const [name, version] of answered.puts) {
      if (!this.covers(name)) continue;
      this.#remember(name, version);
      this.#acceptOne(name, version, answered.generation);
    }
    for (const name of answered.removed) {
      this.#acked.delete(name);
      this.#refusals.forget(name);
    }
  }

  /** A name that was dropped and asked for again while it was under way has reached the client after all. */
  #remember(name: string, version: string): void {
    if (this.#have.has(name)) return;
    this.#have.set(name, version);
    this.#dirty.add(name);
  }

  #acceptOne(name: string, version: string, generation: number): void {
    this.#acked.set(name, version);
    this.#ackedIn.set(name, generation);
    this.#refusals.forget(name);
  }

  #refuse(answered: InFlight, message: string): void {
    const refused = [...answered.puts].filter(([name]) => this.covers(name));
    for (const [name] of refused) {
      this.#remember(name, UNKNOWN);
      this.#have.set(name, UNKNOWN);
    }
    this.#refusals.add(refused, message);
    if (answered.puts.size === 0) return;
    for (const name of answered.removed.filter((removed) => this.covers(removed))) {
      this.#have.set(name, UNKNOWN);
      this.#dirty.add(name);
    }
  }

  /** What the client says it has, of what it subscribes to. */
  #claimAll(request: DeltaRequest, legacyWildcard: boolean): void {
    if (request.initialVersions.size === 0) return;
    const asked = new Set(request.subscribe);
    const all = legacyWildcard || asked.has('*');
    for (const [name, version] of request.initialVersions) if (all || asked.has(name)) this.#claim(name, version);
  }

  #claim(name: string, version: string): void {
    this.#have.set(name, version);
    if (version !== UNKNOWN) this.#acked.set(name, version);
    this.#dirty.add(name);
  }

  #subscribe(name: string, claimed: boolean): void {
    if (name === '*') {
      this.#subscribeAll();
      return;
    }
    this.#names.add(name);
    if (claimed && !this.#forcedEarly.has(name)) this.#dirty.add(name);
    else this.#owe(name);
  }

  #subscribeAll(): void {
    this.#wildcard = true;
    if (this.#have.size === 0) this.#owesAnswer = true;
    for (const name of this.#view.names(this.type)) this.#dirty.add(name);
    for (const name of this.#forcedEarly) this.#owe(name);
  }

  #unsubscribe(name: string): void {
    if (name === '*') {
      this.#wildcard = false;
      for (const known of new Set([...this.#have.keys(), ...this.#dirty])) if (!this.covers(known)) this.#forget(known);
      return;
    }
    if (!this.#names.delete(name)) return;
    if (this.#wildcard) this.#owe(name);
    else this.#forget(name);
  }

  #owe(name: string): void {
    this.#held.delete(name);
    this.#owed.add(name);
    this.#dirty.add(name);
  }

  #forget(name: string): void {
    for (const names of [this.#have, this.#acked, this.#ackedIn, this.#dirty, this.#owed, this.#held]) names.delete(name);
    this.#refusals.forget(name);
  }

  #releaseHeld(plan: TakePlan<Hold>): void {
    for (const [name, hold] of this.#held) if (plan.released(hold)) this.#dirty.add(name);
  }

  #collect(plan: TakePlan<Hold>): Collected {
    const collected: Collected = { puts: [], removed: [], replaced: [], adds: false };
    let bytes = 0;
    for (const name of this.#dirty) {
      const resource = this.#view.get(this.type, name);
      if (resource !== undefined && this.#mustSend(resource)) {
        bytes += resource.bytes.length + name.length;
        if (bytes > this.#maxBytes && collected.puts.length > 0) break;
        this.#put(collected, resource);
      } else if (resource === undefined) this.#remove(collected, name, plan);
      this.#dirty.delete(name);
      this.#owed.delete(name);
    }
    return collected;
  }

  #mustSend(resource: XdsResource): boolean {
    if (this.#owed.has(resource.name)) return true;
    const current = this.#have.get(resource.name) === resource.version;
    return !current && this.#refusals.get(resource.name)?.version !== resource.version;
  }

  #put(collected: Collected, resource: XdsResource): void {
    collected.puts.push(resource);
    this.#held.delete(resource.name);
    if (this.#have.has(resource.name)) collected.replaced.push(resource);
    collected.adds ||= this.#mayLack(resource.name);
  }

  /** Whether the client may be without the name: it never had it, or what it has is in doubt. */
  #mayLack(name: string): boolean {
    return (this.#have.get(name) ?? UNKNOWN) === UNKNOWN;
  }

  /** A name that the client has goes when its hold says so; one that it asks for and nobody has is answered at once. */
  #remove(collected: Collected, name: string, plan: TakePlan<Hold>): void {
    if (!this.#have.has(name)) {
      if (this.#owed.has(name)) collected.removed.push(name);
      return;
    }
    const hold = this.#held.get(name) ?? plan.hold();
    if (plan.released(hold)) {
      this.#held.delete(name);
      collected.removed.push(name);
      // What is not served any more is not refused any more, even if its removal is refused for the sake of another.
      this.#refusals.forget(name);
    } else this.#held.set(name, hold);
  }

  #collectRetry(collected: Collected): void {
    for (let part = this.#refusals.takePart(); part !== undefined; part = this.#refusals.takePart()) {
      for (const [name, version] of part) {
        const resource = this.#view.get(this.type, name);
        if (resource?.version === version && this.#refusals.get(name)?.version === version) this.#put(collected, resource);
      }
      if (collected.puts.length > 0) return;
    }
  }
}

/** Only listeners and clusters know the wildcard that is not spelled out. */
function isWildcardType(type: XdsType): boolean {
  return type === 'LDS' || type === 'CDS';
}
