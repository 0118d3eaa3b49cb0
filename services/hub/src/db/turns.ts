/** Turns at something of which there are only so many: a bounded queue in which nobody waits for ever. */

interface Waiting {
  readonly begin: () => void;
  readonly fail: (error: Error) => void;
}

/** How many turns there are, and how long and how many may wait for one. */
export interface TurnBounds {
  readonly turns: number;
  readonly waiting: number;
  readonly waitMs: number;
}

/** First come, first served. */
export class Turns {
  readonly #bounds: TurnBounds;
  readonly #queue = new Set<Waiting>();
  #taken = 0;

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  /** Resolves with how to give the turn back, once; rejects when too many wait, or it takes too long. */
  async take(): Promise<() => void> {
    if (this.#taken < this.#bounds.turns) this.#taken += 1;
    else await this.#wait();
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#next();
    };
  }

  /** Fails all who wait: there is nothing to wait for. */
  dismiss(reason: Error): void {
    for (const waiting of this.#queue) waiting.fail(reason);
  }

  #wait(): Promise<void> {
    const { waiting, waitMs } = this.#bounds;
    if (this.#queue.size >= waiting) return Promise.reject(new Error(`${waiting} wait already`));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        this.#queue.delete(one);
      };
      const one: Waiting = {
        begin: () => {
          leave();
          resolve();
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      const timer = setTimeout(() => one.fail(new Error(`no turn within ${waitMs} ms`)), waitMs);
      this.#queue.add(one);
    });
  }

  /** A turn that is given back goes to the next, or is free. */
  #next(): void {
    const [next] = this.#queue;
    if (next === undefined) this.#taken -= 1;
    else next.begin();
  }
}
