/** The parts of one type's next response, and of the one that is not answered yet. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { LayerSet } from './layer-sets.ts';
import type { DeltaResponse } from './response-frame.ts';

/** A response that the client has not answered. */
export class InFlight {
  readonly nonce: string;
  readonly puts: readonly XdsResource[];
  readonly removed: readonly string[];
  readonly generation: number;
  /** Whether it holds a name that the client did not have. */
  readonly adds: boolean;
  /** It is exactly this set, and the client still wants all of it. */
  whole: LayerSet | undefined;
  #names: ReadonlySet<string> | undefined;

  constructor(nonce: string, { puts, removed, adds, whole }: Collected, generation: number) {
    this.nonce = nonce;
    this.puts = puts;
    this.removed = removed;
    this.generation = generation;
    this.adds = adds;
    this.whole = whole;
  }

  /** Whether it says something of the name. */
  holds(name: string): boolean {
    if (this.whole !== undefined) return this.whole.versions.has(name);
    this.#names ??= new Set([...this.puts.map((resource) => resource.name), ...this.removed]);
    return this.#names.has(name);
  }
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
  readonly puts: readonly XdsResource[];
  readonly removed: readonly string[];
  readonly replaced: readonly XdsResource[];
  readonly adds: boolean;
  /** The puts are exactly this set, and the client had nothing. */
  readonly whole?: LayerSet;
}

/** The same, while it is being filled. */
export interface Collecting extends Collected {
  readonly puts: XdsResource[];
  readonly removed: string[];
  readonly replaced: XdsResource[];
  adds: boolean;
}
