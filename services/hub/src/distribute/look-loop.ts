/** What every loop of the hub is: it looks at once when something happened and now and then by itself, and outlives every failure. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';

/** What one loop does. */
export interface LookLoopParts {
  /** Resolves to true when there is more to be done at once. It may fail: it is tried again at the next look. */
  readonly look: () => Promise<unknown>;
  /** Between two looks, milliseconds, while nothing wakes it. */
  readonly everyMs: number;
  /** What comes together is looked at once: how long it waits for more after it was woken, milliseconds. */
  readonly rushMs?: number;
  /** Logged with the first of several failures in a row. */
  readonly problem: string;
  /** Told of every failure. */
  readonly onFailure?: () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** One loop. */
export class LookLoop {
  readonly #parts: LookLoopParts;
  #wake = new AbortController();

  constructor(parts: LookLoopParts) {
    this.#parts = parts;
  }

  /** Something happened: it looks at once, or again when it is looking. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal is aborted. */
  async run(): Promise<void> {
    const { look, everyMs, rushMs = 0, problem, onFailure, log, signal } = this.#parts;
    let isFailing = false;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        const hasMore = await look();
        isFailing = false;
        if (hasMore === true) continue;
      } catch (error) {
        onFailure?.();
        if (!isFailing) log.warn({ error: messageOf(error) }, problem);
        isFailing = true;
      }
      await sleep(everyMs, AbortSignal.any([signal, this.#wake.signal]));
      if (rushMs > 0) await sleep(rushMs, signal);
    }
  }
}
