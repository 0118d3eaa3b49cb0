/** What the state machines of both protocol variants, delta and state of the world, have in common. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Outcome } from './client-answers.ts';
import type { TypeSubscription } from './type-subscription.ts';

/** What can be read of one type on one stream. */
export type TypeState = Pick<
  TypeSubscription<unknown>,
  | 'covers'
  | 'digests'
  | 'hasWork'
  | 'holdsRemovals'
  | 'inFlight'
  | 'progress'
  | 'refusal'
  | 'refusalOf'
  | 'refusals'
  | 'refused'
  | 'sentVersion'
  | 'ackedVersion'
  | 'asked'
  | 'started'
>;

/** How a stream starts. */
export interface StreamOptions {
  /** The agent does not know everything yet: nothing is answered before `speak`. */
  readonly silent: boolean;
  /** What all its nonces begin with, so that none of them is one of another stream of the same client; nothing unless given. */
  readonly streamId?: string;
}

/** What can be read of a stream, whichever variant it speaks. */
export interface StreamState {
  /** Whether everything that the client should have is acknowledged, or refused. */
  readonly idle: boolean;
  /** Whether the client refused something that is still what it should have. */
  readonly refused: boolean;
  /** How many names wait to be compared or sent. */
  readonly waiting: number;
  /** Whether a name of the view reaches this client. */
  covers(type: XdsType, name: string): boolean;
  /** What the client made of a name, as it was in `generation` or later. */
  outcome(type: XdsType, name: string, generation: number): Outcome;
  subscription(type: XdsType): TypeState;
}

/** A stream that takes requests and changes in; what it has to say is asked of it by `next`, which each variant adds. */
export interface StreamMachine<Request> extends StreamState {
  /** The time at which `next` must be called again even if nothing happens, by the clock given to it. */
  readonly wakeAt: number | undefined;
  /** Ends the silence: the agent's state is complete. */
  speak(): void;
  /** Takes a request in; tells whether it was an ACK or a NACK of the response in flight. */
  request(type: XdsType, request: Request): 'ack' | 'nack' | undefined;
  /** A resource of the view changed, appeared or went. */
  changed(type: XdsType, name: string): void;
}
