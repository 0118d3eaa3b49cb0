/** How long a leader has attended to each operation. No look at a clock adds more than a few seconds, so no jump and no standstill ends anything. */
import { UNATTENDED_MS } from './operation-store.ts';

interface Clock {
  ms: number;
  /** By the process's monotonic clock. */
  at: number;
  kept: number;
}

/** After so much the database is told. */
const KEEP_MS = 2_000;

/** The clocks of the operations that are under way, while this replica leads. */
export class OperationClocks {
  readonly #clocks = new Map<number, Clock>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** The clock of one now; the first look takes it as it was stored. */
  read({ id, clock }: { readonly id: number; readonly clock: number }): number {
    const now = this.#monotonic();
    const known = this.#clocks.get(id);
    if (known === undefined) {
      this.#clocks.set(id, { ms: clock, at: now, kept: clock });
      return clock;
    }
    known.ms += Math.min(UNATTENDED_MS, Math.max(0, now - known.at));
    known.at = now;
    return known.ms;
  }

  /** Those that the database is behind with, by id; they count as told then. */
  takeUnkept(): ReadonlyMap<number, number> {
    const due = [...this.#clocks].filter(([, { ms, kept }]) => ms - kept >= KEEP_MS);
    for (const [, clock] of due) clock.kept = clock.ms;
    return new Map(due.map(([id, { ms }]) => [id, ms]));
  }

  /** Forgets all but these. */
  keepOnly(ids: ReadonlySet<number>): void {
    for (const id of this.#clocks.keys()) if (!ids.has(id)) this.#clocks.delete(id);
  }
}
