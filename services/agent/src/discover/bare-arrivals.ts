/**
 * New endpoints without a sidecar take no calls until their cluster's gateways have the way to them: callers hear of them at the same
 * moment, and three connections that a gateway refuses would have them ejected for 15 s. The gateways are told at once.
 */
import type { Shards } from '../state/endpoint-brake.ts';

/** Time for gateways to take up a configuration, with a busy machine in mind: acknowledged it is before their workers go by it. */
const SETTLE_MS = 1_000;
/** A gateway that has not acknowledged by then, as one that stands still, holds nobody up any longer. */
const LONGEST_MS = 5_000;
const AGAIN_MS = 100;

/** What it works with. */
export interface BareArrivalsParts {
  /** Whether every connected gateway has acknowledged what it was sent. */
  readonly gatewaysHaveAll: () => boolean;
  /** Somebody is new no more. */
  readonly onSettled: () => void;
}

/** Remembers who is new. */
export class BareArrivals {
  readonly #parts: BareArrivalsParts;
  readonly #arriving = new Map<string, NodeJS.Timeout>();

  constructor(parts: BareArrivalsParts) {
    this.#parts = parts;
  }

  /** Compares what shall be in force with what is; returns whether somebody is new. */
  look(inForce: Shards, next: Shards): boolean {
    const fresh = new Set<string>();
    for (const [key, shard] of next) {
      const before = inForce.get(key);
      if (before === shard) continue;
      const known = new Set(before?.endpoints.flatMap(({ bare, address }) => (bare === true ? [address] : [])));
      for (const { bare, address } of shard.endpoints)
        if (bare === true && !known.has(address) && !this.#arriving.has(address)) fresh.add(address);
    }
    if (fresh.size === 0) return false;
    this.#wait(fresh, SETTLE_MS, LONGEST_MS);
    return true;
  }

  /** Whether it came just now. */
  has(address: string): boolean {
    return this.#arriving.has(address);
  }

  stop(): void {
    for (const timer of this.#arriving.values()) clearTimeout(timer);
  }

  #wait(fresh: ReadonlySet<string>, ms: number, longestMs: number): void {
    const timer = setTimeout(() => {
      const leftMs = longestMs - ms;
      if (leftMs > 0 && !this.#parts.gatewaysHaveAll()) return this.#wait(fresh, AGAIN_MS, leftMs);
      for (const address of fresh) this.#arriving.delete(address);
      this.#parts.onSettled();
    }, ms).unref();
    for (const address of fresh) this.#arriving.set(address, timer);
  }
}
