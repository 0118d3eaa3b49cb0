/**
 * The state machine of one delta ADS stream: requests, changes and the time in; responses out, in the order in which they
 * must be written. Pure: no clock, no I/O (RELIABILITY.md 2.3; the numbers below are its rules).
 */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { Outcome } from './client-answers.ts';
import type { DeltaRequest } from './delta-request.ts';
import { namedIn } from './named-in.ts';
import type { ResourceView } from './resource-view.ts';
import type { StreamMachine, StreamOptions } from './stream-machine.ts';
import type { Taken } from './type-response.ts';
import { TypeSubscription } from './type-subscription.ts';
import { PUSH_ORDER } from './type-urls.ts';

/** How long routes wait for the ACK of new clusters, and removals for the ACK of what replaces them, in milliseconds. */
export const HOLD_MS = 5_000;

/** Removals of a type go out when these have settled, so that nothing is taken away that is still referred to. */
const REMOVALS_WAIT_FOR: Readonly<Record<XdsType, readonly XdsType[]>> = {
  CDS: ['LDS', 'RDS'],
  EDS: ['CDS', 'LDS', 'RDS'],
  SDS: ['CDS', 'LDS'],
  LDS: [],
  RDS: ['LDS'],
};

/** What of each type counts as settled for a removal: the number of answers, or nothing left to do at all. */
interface Hold {
  readonly waits: ReadonlyMap<XdsType, number>;
  readonly until: number;
}

type Subscription = TypeSubscription<Hold>;

/** One stream. After each `request` and `changed`, call `next` until it returns undefined, and again at `wakeAt`. */
export class DeltaStream implements StreamMachine<DeltaRequest> {
  readonly #types: ReadonlyMap<XdsType, Subscription>;
  readonly #streamId: string;
  #responses = 0;
  #silent: boolean;
  /** The client came with state of an earlier stream: what it has may refer to what is gone. */
  #reconnected = false;
  #clustersAwaitedSince: number | undefined;
  #wakeAt: number | undefined;

  /**
   * A stream starts silent while the agent does not know everything yet (RELIABILITY.md R2). Types in `whole` are never cut
   * into several responses.
   */
  constructor(view: ResourceView, options: StreamOptions & { readonly whole?: ReadonlySet<XdsType> }) {
    const limitOf = (type: XdsType): number | undefined => (options.whole?.has(type) === true ? Number.POSITIVE_INFINITY : undefined);
    this.#types = new Map(PUSH_ORDER.map((type) => [type, new TypeSubscription<Hold>(type, view, limitOf(type))]));
    this.#streamId = options.streamId ?? '';
    this.#silent = options.silent;
  }

  /** The time at which `next` must be called again even if nothing happens, by the clock given to it. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** Whether everything that the client should have is acknowledged, or refused. */
  get idle(): boolean {
    return !this.#silent && this.#types.values().every((subscription) => subscription.idle);
  }

  /** Whether the client refused something that is still what it should have. */
  get refused(): boolean {
    return this.#types.values().some((subscription) => subscription.refused);
  }

  /** How many names wait to be compared or sent. */
  get waiting(): number {
    let waiting = 0;
    for (const subscription of this.#types.values()) waiting += subscription.waiting;
    return waiting;
  }

  /** Ends the silence: the agent's state is complete. */
  speak(): void {
    this.#silent = false;
  }

  /** Takes a request in; tells whether it was an ACK or a NACK of the response in flight. */
  request(type: XdsType, request: DeltaRequest): 'ack' | 'nack' | undefined {
    const subscription = this.subscription(type);
    if (!subscription.started && request.initialVersions.size > 0) {
      this.#reconnected = true;
      if (type === 'EDS' && this.mayBeWarming) for (const name of request.initialVersions.keys()) subscription.force(name);
    }
    return subscription.request(request);
  }

  /**
   * Whether the client asks for endpoints and for no clusters yet. Envoy does that on a new stream while it is warming some:
   * those wait for endpoints, whatever versions of them it claims.
   */
  get mayBeWarming(): boolean {
    return !this.subscription('CDS').started;
  }

  /** What the client has from an earlier stream, name → version, found out while this one is silent. */
  claim(type: XdsType, versions: ReadonlyMap<string, string>): void {
    if (versions.size > 0) this.#reconnected = true;
    this.subscription(type).claim(versions);
  }

  /** A resource of the view changed, appeared or went. */
  changed(type: XdsType, name: string): void {
    this.subscription(type).changed(name);
  }

  /** The next response to write at `now` (milliseconds of any steady clock); it counts as sent. */
  next(now: number): Taken | undefined {
    this.#wakeAt = undefined;
    if (this.#silent) return undefined;
    for (let drained = true; drained; ) {
      drained = false;
      for (const type of PUSH_ORDER) {
        const { hasWork } = this.subscription(type);
        const taken = this.#take(type, now);
        if (taken !== undefined) {
          this.forceChildren(type, taken.replaced);
          return taken;
        }
        // Work that came to nothing may be what a removal of an earlier type waits for.
        drained ||= hasWork && !this.subscription(type).hasWork;
      }
    }
    return undefined;
  }

  /** Whether a name of the view reaches this client. */
  covers(type: XdsType, name: string): boolean {
    return this.subscription(type).covers(name);
  }

  /** What the client made of a name, as it was in `generation` or later. */
  outcome(type: XdsType, name: string, generation: number): Outcome {
    return this.subscription(type).outcome(name, generation);
  }

  subscription(type: XdsType): Subscription {
    const subscription = this.#types.get(type);
    if (subscription === undefined) throw new Error(`no subscription of type ${type}`);
    return subscription;
  }

  #take(type: XdsType, now: number): Taken | undefined {
    const subscription = this.subscription(type);
    if (!subscription.started || subscription.inFlight) return undefined;
    if (!subscription.hasWork && !subscription.holdsRemovals) return undefined;
    if ((type === 'LDS' || type === 'RDS') && this.#awaitsClusters(now)) return undefined;
    let hold: Hold | undefined;
    const newHold = (): Hold => {
      hold ??= this.#newHold(type, now);
      return hold;
    };
    const nonce = `${this.#streamId}${this.#responses + 1}`;
    const taken = subscription.take({ nonce, hold: newHold, released: (held) => this.#released(held, now) });
    if (taken !== undefined) this.#responses += 1;
    return taken;
  }

  /**
   * Rule 2: routes and listeners that may need a new cluster wait for the ACK of the clusters, which Envoy gives when they
   * are warm. After `HOLD_MS` they go nevertheless.
   */
  #awaitsClusters(now: number): boolean {
    if (!this.subscription('CDS').addsPending) {
      this.#clustersAwaitedSince = undefined;
      return false;
    }
    this.#clustersAwaitedSince ??= now;
    return this.#before(this.#clustersAwaitedSince + HOLD_MS, now);
  }

  /** Rule 2, second half: a removal waits for the answers to everything that is noticed together with it. */
  #newHold(type: XdsType, now: number): Hold {
    const waits = REMOVALS_WAIT_FOR[type].map((other): [XdsType, number] => {
      const { started, hasWork, inFlight, progress } = this.subscription(other);
      if (!started) return [other, this.#reconnected ? 1 : 0];
      if (other === 'CDS') return [other, Number.POSITIVE_INFINITY];
      return [other, hasWork ? progress.responses + 1 : inFlight ? progress.responses : 0];
    });
    return { waits: new Map(waits), until: now + HOLD_MS };
  }

  /** A standing refusal keeps what it may refer to: the client still runs on its earlier routes. */
  #released(hold: Hold, now: number): boolean {
    const others = hold.waits.entries().map(([type, settled]) => ({ subscription: this.subscription(type), settled }));
    let open = false;
    for (const { subscription, settled } of others) {
      if (subscription.refused) return false;
      const done = subscription.progress.settled >= settled || (subscription.started && subscription.idle);
      open ||= !done;
    }
    return !open || !this.#before(hold.until, now);
  }

  #before(deadline: number, now: number): boolean {
    if (now >= deadline) return false;
    this.#wakeAt = Math.min(this.#wakeAt ?? deadline, deadline);
    return true;
  }

  /** Rule 1: what changed clusters or listeners name is sent again in the same batch, even if unchanged. */
  forceChildren(type: XdsType, parents: readonly XdsResource[]): void {
    for (const parent of parents) {
      if (type === 'CDS') this.subscription('EDS').force(parent.name);
      if (type === 'LDS') this.#forceNamed(parent, 'RDS');
      if (type === 'CDS' || type === 'LDS') this.#forceNamed(parent, 'SDS');
    }
  }

  #forceNamed(parent: XdsResource, type: XdsType): void {
    for (const name of namedIn(parent)) this.subscription(type).force(name);
  }
}
