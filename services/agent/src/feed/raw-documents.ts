/** The sealed messages of accepted documents, by key: they are what the last good state is made of, for they prove themselves. */

/** Tombstones are kept too, so that what they removed cannot be replayed to a restarted agent; the oldest go first. */
const MAX_TOMBSTONES = 10_000;

/** Keeps the newest messages of each key. */
export class RawDocuments {
  readonly #live = new Map<string, readonly Uint8Array[]>();
  readonly #tombstones = new Map<string, readonly Uint8Array[]>();

  /** Replaces what a key had. */
  put(key: string, raw: readonly Uint8Array[], removed: boolean): void {
    this.#live.delete(key);
    this.#tombstones.delete(key);
    if (!removed) this.#live.set(key, raw);
    else this.#tombstones.set(key, raw);
    const [oldest] = this.#tombstones.keys();
    if (this.#tombstones.size > MAX_TOMBSTONES && oldest !== undefined) this.#tombstones.delete(oldest);
  }

  forget(key: string): void {
    this.#live.delete(key);
  }

  /** Base64 of every message, tombstones last. */
  encoded(): string[] {
    return [...this.#live.values(), ...this.#tombstones.values()].flat().map((bytes) => Buffer.from(bytes).toString('base64'));
  }
}
