/** The parts of one type's next response, and of the one that is not answered yet. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { DeltaResponse } from './response-frame.ts';

/** A response that the client has not answered. */
export interface InFlight {
  readonly nonce: string;
  readonly puts: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
  readonly generation: number;
  /** Whether it holds a name that the client did not have. */
  readonly adds: boolean;
}

/** How a response may be made now. `Hold` is whatever tells when a removal may go out. */
export interface TakePlan<Hold> {
  readonly nonce: string;
  /** The hold of removals that are noticed with this response. */
  readonly hold: () => Hold;
  readonly released: (hold: Hold) => boolean;
}

/** A response, and those of its resources that replace what the client had. */
export interface Taken extends DeltaResponse {
  readonly replaced: readonly XdsResource[];
}

/** What a response is being made of. */
export interface Collected {
  readonly puts: XdsResource[];
  readonly removed: string[];
  readonly replaced: XdsResource[];
  adds: boolean;
}
