/**
 * The state machine of one state-of-the-world ADS stream: the delta machine with requests and responses translated, so that
 * order, holds, refusals and coalescing are the same for both. Pure (RELIABILITY.md 2.1, "SotW").
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { Outcome } from './client-answers.ts';
import { DeltaStream } from './delta-stream.ts';
import type { ResourceView } from './resource-view.ts';
import type { SotwResponse } from './sotw-frame.ts';
import type { SotwRequest } from './sotw-request.ts';
import { SotwSubscription, sotwVersion, WHOLE_TYPES } from './sotw-subscription.ts';
import type { StreamMachine, StreamOptions, TypeState } from './stream-machine.ts';
import type { Taken } from './type-response.ts';
import { PUSH_ORDER } from './type-urls.ts';

const SETTLED = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>(), error: undefined };

/** A `ClusterLoadAssignment` of nothing but its `cluster_name`, field 1. */
function withoutEndpoints(name: string): XdsResource {
  const bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).finish();
  return { type: 'EDS', name, version: 'none', bytes };
}

/** One stream; used as a `DeltaStream` is. */
export class SotwStream implements StreamMachine<SotwRequest> {
  readonly #core: DeltaStream;
  readonly #view: ResourceView;
  readonly #types: ReadonlyMap<XdsType, SotwSubscription>;
  #silent: boolean;

  constructor(view: ResourceView, options: StreamOptions) {
    this.#core = new DeltaStream(view, { ...options, whole: WHOLE_TYPES });
    this.#view = view;
    this.#silent = options.silent;
    this.#types = new Map(PUSH_ORDER.map((type) => [type, new SotwSubscription(type, view)]));
  }

  get wakeAt(): number | undefined {
    return this.#core.wakeAt;
  }

  get idle(): boolean {
    return this.#core.idle;
  }

  get refused(): boolean {
    return this.#core.refused;
  }

  get waiting(): number {
    return this.#core.waiting;
  }

  speak(): void {
    if (this.#silent) for (const [type, subscription] of this.#types) this.#core.claim(type, subscription.readClaims());
    this.#silent = false;
    this.#core.speak();
  }

  request(type: XdsType, request: SotwRequest): 'ack' | 'nack' | undefined {
    const subscription = this.#type(type);
    if (subscription.isStale(request)) return undefined;
    // Its version says nothing of what waits for an answer.
    const doubtful = type === 'EDS' && this.#core.mayBeWarming && !this.#core.subscription(type).started;
    const delta = subscription.toDelta(doubtful ? { ...request, version: '' } : request, this.#silent);
    const { offered } = subscription;
    // Who asks for everything once more may have dropped it in between, in a request that crossed a response.
    if (offered !== undefined && this.#core.subscription(type).started && delta.subscribe.includes('*'))
      this.#core.subscription(type).oweAnswer();
    const answer = this.#core.request(type, delta);
    if (offered === undefined) return answer;
    if (answer === 'ack') this.#accepted(subscription);
    if (answer === 'nack') {
      if (offered.unknownPast) this.#core.subscription(type).keepWhole();
      offered.refused();
    }
    if (delta.unsubscribe.length > 0) {
      offered.keep((name) => this.#core.covers(type, name));
      // Less is asked for than what it refused: it may take that, and with it what else went meanwhile.
      if (offered.unknownPast) this.#core.subscription(type).oweAnswer();
    }
    return answer;
  }

  changed(type: XdsType, name: string): void {
    this.#core.changed(type, name);
  }

  /** The next response to write at `now` (milliseconds of any steady clock); it counts as sent. */
  next(now: number): SotwResponse | undefined {
    for (let taken = this.#core.next(now); taken !== undefined; taken = this.#core.next(now)) {
      if (taken.type === 'CDS') this.#forceEndpoints(taken);
      this.#core.forceChildren(taken.type, this.#type(taken.type).offered?.takeRestored() ?? []);
      const response = this.#rendered(taken);
      if (response !== undefined) return response;
      // That a name is gone or missing cannot be said for this type; it counts as said.
      this.#core.request(taken.type, { ...SETTLED, nonce: taken.nonce });
    }
    return undefined;
  }

  covers(type: XdsType, name: string): boolean {
    return this.#core.covers(type, name);
  }

  outcome(type: XdsType, name: string, generation: number): Outcome {
    return this.#core.outcome(type, name, generation);
  }

  subscription(type: XdsType): TypeState {
    return this.#core.subscription(type);
  }

  /**
   * A cluster that went and came back within one request of its endpoints is asked for by a request that looks like an ACK
   * (go-control-plane #583): endpoints go with every cluster, not only with those that the client had.
   */
  #forceEndpoints(taken: Taken): void {
    const endpoints = this.#core.subscription('EDS');
    for (const { name } of taken.resources) endpoints.force(name);
  }

  #rendered(taken: Taken): SotwResponse | undefined {
    const { type, nonce } = taken;
    const subscription = this.#type(type);
    const { offered } = subscription;
    const resources = [...taken.resources, ...this.#abandoned(taken)];
    if (offered === undefined && resources.length === 0) return undefined;
    offered?.offer(resources, taken.removed);
    subscription.sent(nonce);
    const { sent } = this.#core.subscription(type).digests;
    const whole = offered === undefined || !this.#core.covers(type, '*') ? undefined : this.#view.whole?.(type);
    const encoded = whole?.digest === sent ? whole.encoded : undefined;
    return { type, nonce, version: sotwVersion(sent), resources: offered?.resources ?? resources, encoded };
  }

  /**
   * No endpoints for each cluster that went while the client was still warming it: Envoy waits 15 s for them, and its ACK of
   * all clusters waits too. A cluster that the client had before is never told so.
   */
  #abandoned(taken: Taken): XdsResource[] {
    const clusters = this.#core.subscription('CDS');
    if (taken.type !== 'EDS' || !clusters.inFlight || this.#type('CDS').offered?.unknownPast === true) return [];
    const endpoints = this.#core.subscription('EDS');
    const warming = taken.removed.filter(
      (name) =>
        clusters.sentVersion(name) !== undefined && clusters.ackedVersion(name) === undefined && endpoints.ackedVersion(name) === undefined,
    );
    return warming.filter((name) => this.#view.get('CDS', name) === undefined).map(withoutEndpoints);
  }

  #accepted(subscription: SotwSubscription): void {
    const { offered, type } = subscription;
    offered?.accepted();
    const core = this.#core.subscription(type);
    if (core.refused) core.acceptRefused((name) => offered?.versionOf(name));
  }

  #type(type: XdsType): SotwSubscription {
    const subscription = this.#types.get(type);
    if (subscription === undefined) throw new Error(`no subscription of type ${type}`);
    return subscription;
  }
}
