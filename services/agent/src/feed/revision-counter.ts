/** The agent's own revision: rises for ever, also over crashes, without a write to disk per document. */
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';

/** Revisions reserved on disk at a time; a crash skips at most this many. */
const BLOCK = 10_000;

/** Gives revisions that no earlier life of this agent has given. */
export class RevisionCounter {
  readonly #path: string;
  #next: number;
  #ceiling: number;
  #reserving: Promise<void> | undefined;
  readonly #onError: (error: unknown) => void;

  private constructor(path: string, ceiling: number, onError: (error: unknown) => void) {
    this.#path = path;
    this.#next = ceiling;
    this.#ceiling = ceiling;
    this.#onError = onError;
  }

  /**
   * Opens the counter's file. Without one it starts at the time in milliseconds: a counter that was lost had started so too, and
   * less than a thousand a second are given, so those of the lost one are all below, and the others go on believing this cluster.
   * `onError` hears of reservations that could not be written.
   */
  static async open(path: string, onError: (error: unknown) => void): Promise<RevisionCounter> {
    const stored = Number((await readIfThere(path)) ?? Date.now());
    if (!Number.isSafeInteger(stored) || stored < 1)
      throw new Error(`${path} does not hold a revision; remove the cluster's state and join again`);
    const counter = new RevisionCounter(path, stored, onError);
    await counter.#reserve(stored + BLOCK);
    return counter;
  }

  /** The next revision, greater than `above` and than every earlier one. */
  next(above = 0): number {
    this.#next = Math.max(this.#next, above) + 1;
    // Half a block ahead, so that the write is done long before the block is used up.
    if (this.#next > this.#ceiling - BLOCK / 2) this.#reserving ??= this.#extend();
    return this.#next;
  }

  /** Another replica of the cluster has given this revision: the next one here is greater. */
  raise(to: number): void {
    if (to > this.#next) this.next(to - 1);
  }

  async #extend(): Promise<void> {
    try {
      await this.#reserve(Math.max(this.#ceiling, this.#next) + BLOCK);
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#reserving = undefined;
    }
  }

  async #reserve(ceiling: number): Promise<void> {
    await writeDurably(this.#path, String(ceiling));
    this.#ceiling = ceiling;
  }
}
