/** What the ledger's sums were in the last two minutes, as they were told or would have been, for a hub that could not hear it then. No clock. */
import type { Counts } from './proxy-counts.ts';

/** The sums that had changed since the one before it. */
export interface PastSum {
  /** Milliseconds of a clock that does not jump. */
  readonly at: number;
  readonly series: ReadonlyMap<string, Counts>;
}

const KEPT_MS = 120_000;
/** From one that is kept to the next, where there is no room for all: what lies between is in the next one. */
const STEP_MS = 1_000;
/** Series in all of them: a few megabytes. */
const MOST_ROWS = 20_000;
/** With more than this part of them, not everything is kept apart. */
const ROOMY = 0.5;

/** Sums by the time, bounded: the oldest go first. */
export class PastSums {
  readonly #most: number;
  readonly #kept: PastSum[] = [];
  #rows = 0;

  constructor(most = MOST_ROWS) {
    this.#most = most;
  }

  /** Notes what has changed, also when nothing did. */
  note(at: number, changed: ReadonlyMap<string, Counts>): void {
    const [before, newest] = this.#kept.slice(-2);
    // The newest one grows until the next would be a step later than the one before it.
    const isFull = this.#rows > this.#most * ROOMY;
    const isGrowing = isFull && newest !== undefined && before !== undefined && at - before.at <= STEP_MS;
    const series = isGrowing ? new Map([...newest.series, ...changed]) : changed;
    if (isGrowing) this.#rows -= this.#kept.pop()?.series.size ?? 0;
    this.#kept.push({ at, series });
    this.#rows += series.size;
    while (this.#kept.length > 1 && (at - (this.#kept[0]?.at ?? at) > KEPT_MS || this.#rows > this.#most))
      this.#rows -= this.#kept.shift()?.series.size ?? 0;
  }

  /** Those after a time, the oldest first. */
  since(at: number): readonly PastSum[] {
    return this.#kept.filter((one) => one.at > at);
  }
}
