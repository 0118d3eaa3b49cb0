/** One agent's reports of revisions, in order and bounded: what became of a revision is found without looking at those before it. */
import type { RolloutStatus } from '@hawser/wire/messages.ts';

/** One report of a revision; `at` is when it arrived, Unix milliseconds. */
export interface RolloutReport {
  readonly status: RolloutStatus;
  readonly at: number;
}

/** Revisions remembered; older ones are answered from the agent's status. */
const MAX_REPORTS = 1024;

/** Reports by revision, ascending; of one epoch. */
export class RolloutReports {
  readonly #revisions: number[] = [];
  readonly #reports: RolloutReport[] = [];

  /** The oldest revision that is remembered. */
  get oldest(): number | undefined {
    return this.#revisions[0];
  }

  get(revision: number): RolloutReport | undefined {
    const place = this.#placeOf(revision);
    return this.#revisions[place] === revision ? this.#reports[place] : undefined;
  }

  /** The revisions reported, ascending. */
  keys(): Iterable<number> {
    return this.#revisions.values();
  }

  /** Reports of a revision and of newer ones, oldest first. */
  *from(revision: number): Generator<RolloutReport> {
    for (let place = this.#placeOf(revision); place < this.#reports.length; place += 1) yield this.#reports[place] as RolloutReport;
  }

  /** Takes a report in place of an earlier one of its revision, and forgets the oldest when there are too many. */
  put(report: RolloutReport): void {
    const { revision } = report.status;
    const place = this.#placeOf(revision);
    const known = this.#revisions[place] === revision ? 1 : 0;
    this.#revisions.splice(place, known, revision);
    this.#reports.splice(place, known, report);
    if (this.#revisions.length <= MAX_REPORTS) return;
    this.#revisions.shift();
    this.#reports.shift();
  }

  clear(): void {
    this.#revisions.length = 0;
    this.#reports.length = 0;
  }

  /** Where the first report that is not older is, or would be. */
  #placeOf(revision: number): number {
    let [low, high] = [0, this.#revisions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#revisions[middle] as number) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
