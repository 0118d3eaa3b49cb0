/**
 * How much of large responses may be on its way at once, over all streams of a server. Many proxies that connect together are
 * told their configuration in turn: all at once, every copy of it would have to be in memory. What waits is not encoded yet,
 * so waiting costs nothing and ends with the latest state.
 */

/** Responses below this pass at any time. */
const LARGE_BYTES = 64 * 1024;
const MOST_BYTES = 8 * 1024 * 1024;
/** A client that takes nothing for this long keeps what it was sent, and the others go on. */
const STALLED_MS = 1_000;

/** The budget of one server. */
export class OutboundBudget {
  readonly #waiting = new Set<() => void>();
  #onTheWay = 0;

  /** Whether a large response may be made now; a single one may exceed the budget. */
  get open(): boolean {
    return this.#onTheWay < MOST_BYTES;
  }

  /** Counts a response that goes out; returns what to call when it was taken, or its stream ended. Small ones do not count. */
  take(bytes: number): (() => void) | undefined {
    if (bytes < LARGE_BYTES) return undefined;
    this.#onTheWay += bytes;
    let done = false;
    const release = (): void => {
      if (done) return;
      done = true;
      clearTimeout(stalled);
      this.#onTheWay -= bytes;
      this.#wake();
    };
    const stalled = setTimeout(release, STALLED_MS);
    return release;
  }

  /** Calls back once, in turn, when the budget is open again. The same callback waits once; `leave` takes it out. */
  wait(callback: () => void): void {
    this.#waiting.add(callback);
  }

  leave(callback: () => void): void {
    this.#waiting.delete(callback);
  }

  #wake(): void {
    for (const callback of this.#waiting) {
      if (!this.open) return;
      this.#waiting.delete(callback);
      callback();
    }
  }
}
