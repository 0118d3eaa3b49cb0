/**
 * New endpoints without a sidecar take no calls until their cluster's gateways have the way to them: callers hear of them at the same
 * moment, and three connections that a gateway refuses would have them ejected for 15 s. The gateways are told at once.
 */
import type { Shards } from '../state/endpoint-brake.ts';

/** Time for gateways to take up a configuration, with a busy machine in mind. */
const SETTLE_MS = 1_000;

/** Remembers who is new. */
export class BareArrivals {
  readonly #onSettled: () => void;
  readonly #arriving = new Map<string, NodeJS.Timeout>();

  constructor(onSettled: () => void) {
    this.#onSettled = onSettled;
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
    const timer = setTimeout(() => {
      for (const address of fresh) this.#arriving.delete(address);
      this.#onSettled();
    }, SETTLE_MS).unref();
    for (const address of fresh) this.#arriving.set(address, timer);
    return true;
  }

  /** Whether it came just now. */
  has(address: string): boolean {
    return this.#arriving.has(address);
  }

  stop(): void {
    for (const timer of this.#arriving.values()) clearTimeout(timer);
  }
}
