/** Verdicts on headroom, kept while nothing that they were made from has changed: a drain that waits asks several times a second. */
import type { Refusal } from './drain-evidence.ts';

interface Known {
  readonly from: readonly unknown[];
  readonly refusal: Refusal | undefined;
}

/** One verdict for each drain and way. */
export class ForecastMemory {
  readonly #known = new Map<string, Known>();

  /** The verdict on a drain, by its uid and what is asked of it; made anew when something that it is made `from` is another than before. */
  refusal(key: string, from: readonly unknown[], make: () => Refusal | undefined): Refusal | undefined {
    const known = this.#known.get(key);
    if (known?.from.length === from.length && known.from.every((one, index) => Object.is(one, from[index]))) return known.refusal;
    const refusal = make();
    this.#known.set(key, { from, refusal });
    return refusal;
  }

  /** Forgets those of other drains. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const key of this.#known.keys()) if (!uids.has(key.slice(0, key.indexOf(' ')))) this.#known.delete(key);
  }
}
