/** Knows questions that were asked before: whoever recorded one must not get an answer to it. Pure; the clock is the askers'. */
import { sha256 } from '@hawser/runtime/canonical-json.ts';

/** Askers' clocks differ by less; milliseconds. */
const WINDOW_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/** Remembers the questions of the last minute, by the clocks of who asks. */
export class AskedBefore {
  /** Hash → when it was asked, in the order in which they came. */
  readonly #asked = new Map<string, number>();
  #newest = 0;

  /** Whether a question asked at this time was asked before, or so long ago that nobody can know; remembers it if not. */
  has(bytes: Uint8Array, askedAt: number): boolean {
    const hash = sha256(bytes);
    if (askedAt < this.#newest - WINDOW_MS || this.#asked.has(hash)) return true;
    this.#newest = Math.max(this.#newest, askedAt);
    this.#asked.set(hash, askedAt);
    for (const [other, at] of this.#asked) {
      if (at >= this.#newest - WINDOW_MS && this.#asked.size <= MAX_REMEMBERED) break;
      this.#asked.delete(other);
    }
    return false;
  }
}
