/**
 * Which of the hub's replicas publishes. One leads for a term, by a lease in PostgreSQL; the others stand by and look for a lease
 * that is free. A term only rises, so whatever an earlier leader still does is known as such, in the database and on the bus.
 */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Leader, LeaderStore } from './leader-store.ts';

/** What leadership works with. */
export interface LeadershipParts {
  readonly store: Pick<LeaderStore, 'acquire' | 'renew' | 'holds' | 'current' | 'own' | 'release' | 'close'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called with the term when this replica begins to lead, with undefined when it learns that it does not any more. */
  readonly onTerm: (term: number | undefined) => void;
}

/** A fifth of the lease: four renewals may fail before another replica takes over. */
const RENEW_MS = 1_000;
const LOOK_MS = 500;

/** Follows the lease until aborted. */
export class Leadership {
  readonly #parts: LeadershipParts;
  #term: number | undefined;
  #leader: Leader | undefined;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  /** The term in which this replica leads, as far as it knows. */
  get term(): number | undefined {
    return this.#term;
  }

  /** Who leads, as last read; undefined when nobody does or the database is away. */
  get leader(): Leader | undefined {
    return this.#leader;
  }

  /**
   * Asks the database whether this replica leads in that term now; false when the database does not answer. What was claimed on the
   * bus before a yes stays good until a successor claims it.
   */
  async confirms(term: number): Promise<boolean> {
    if (this.#term !== term) return false;
    const holds = await this.#parts.store.holds(term).catch(() => undefined);
    if (holds === false) this.#end(term);
    return holds === true && this.#term === term;
  }

  /** Runs until the signal is aborted, then gives the lease back. */
  async run(): Promise<void> {
    const { signal, log, store } = this.#parts;
    let isAway = false;
    while (!signal.aborted) {
      try {
        await this.#look();
        isAway = false;
      } catch (error) {
        // The term is kept: the publishers' claims on the bus hold until a successor makes its own, and heartbeats go on.
        this.#leader = undefined;
        if (!isAway) log.warn({ error: messageOf(error) }, 'the lease of leadership cannot be read, trying again');
        isAway = true;
      }
      await sleep(this.#term === undefined ? LOOK_MS * (0.75 + Math.random() / 2) : RENEW_MS, signal);
    }
    const term = this.#term;
    if (term !== undefined) {
      this.#end(term);
      await store.release(term).catch(() => {});
    }
    await store.close();
  }

  async #look(): Promise<void> {
    const { store, log, onTerm } = this.#parts;
    const term = this.#term;
    if (term !== undefined) {
      if (!(await store.renew(term))) this.#end(term);
    } else {
      const taken = await store.acquire();
      if (taken !== undefined && !this.#parts.signal.aborted) {
        // Whoever asks now is told of this term, and not of the one before it.
        this.#term = taken;
        this.#leader = store.own(taken);
        log.info({ term: taken }, 'this replica leads: it publishes');
        onTerm(taken);
      }
    }
    this.#leader = await store.current();
  }

  #end(term: number): void {
    if (this.#term !== term) return;
    this.#term = undefined;
    this.#parts.log.warn({ term }, 'this replica does not lead any more: it stands by');
    this.#parts.onTerm(undefined);
  }
}
