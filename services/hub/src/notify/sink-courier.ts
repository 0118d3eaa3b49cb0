/** Tells one sink what is due for it: several at a time, of one resource one after the other, whatever other sinks do. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { type BackoffOptions, backoffMs } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { WebhookSink } from '../outgoing/integrations.ts';
import { deliver } from './deliver.ts';
import { claimDue, type DueNotification, markDelivered, markFailed } from './notification-store.ts';

/** What it works with. */
export interface CourierParts {
  readonly database: Database;
  readonly sink: WebhookSink;
  /** Told of every attempt's outcome. */
  readonly onOutcome: (sink: string, outcome: 'delivered' | 'failed' | 'given-up', count: number) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** How often it looks, milliseconds. */
  readonly lookMs: number;
  readonly backoff: BackoffOptions;
}

/** So many at once, by each replica. */
const AT_ONCE = 4;
const LONGEST_PROBLEM = 300;

/** One replica's part in telling one sink. */
export class SinkCourier {
  readonly #parts: CourierParts;
  readonly #loop: LookLoop;
  readonly #underWay = new Set<Promise<void>>();
  /** Attempts in a row that the sink did not take: while there are any, it is asked for one at a time, and seldom. */
  #failures = 0;
  /** By the monotonic clock, milliseconds. */
  #notBefore = 0;

  constructor(parts: CourierParts) {
    this.#parts = parts;
    const { lookMs, log, signal } = parts;
    const problem = 'what a sink is to be told could not be read, trying again';
    this.#loop = new LookLoop({ look: () => this.#look(), everyMs: lookMs, problem, log, signal });
  }

  /** There may be something. */
  hint(): void {
    this.#loop.wake();
  }

  /** Runs until the signal is aborted; survives every failure of the database and of the sink. */
  async run(): Promise<void> {
    await this.#loop.run();
    await Promise.all(this.#underWay);
  }

  /** One look, however it fared before, and what is told by it. */
  async look(): Promise<void> {
    this.#notBefore = 0;
    await this.#look();
    await Promise.all(this.#underWay);
  }

  async #look(): Promise<void> {
    const free = (this.#failures > 0 ? 1 : AT_ONCE) - this.#underWay.size;
    if (free <= 0 || performance.now() < this.#notBefore) return;
    const { database, sink } = this.#parts;
    const due = await database.transaction((tx) => claimDue(tx, sink.name, free));
    for (const one of due) {
      const telling = this.#tell(one).finally(() => {
        this.#underWay.delete(telling);
        this.hint();
      });
      this.#underWay.add(telling);
    }
  }

  /** What the database does not learn of is told again, a minute later. */
  async #tell(due: DueNotification): Promise<void> {
    const { sink, log, signal } = this.#parts;
    try {
      const problem = await deliver(sink, due.event, signal).then(() => undefined, messageOf);
      await (problem === undefined ? this.#delivered(due) : this.#failed(due, problem.slice(0, LONGEST_PROBLEM)));
    } catch (error) {
      log.warn({ sink: sink.name, error: messageOf(error) }, 'how a notification fared could not be stored');
    }
  }

  async #delivered(due: DueNotification): Promise<void> {
    const { database, onOutcome } = this.#parts;
    this.#failures = 0;
    this.#notBefore = 0;
    await database.transaction((tx) => markDelivered(tx, due));
    onOutcome(due.sink, 'delivered', 1);
  }

  async #failed(due: DueNotification, problem: string): Promise<void> {
    const { database, signal, onOutcome, log, backoff } = this.#parts;
    if (this.#failures === 0) log.warn({ sink: due.sink, problem }, 'a sink did not take a notification, trying again');
    this.#notBefore = performance.now() + backoffMs(this.#failures, backoff);
    this.#failures += 1;
    // A hub that stops has not tried.
    const waitMs = signal.aborted ? 0 : backoffMs(due.attempts, backoff);
    const isGivenUp = await database.transaction((tx) => markFailed(tx, due, { problem, waitMs }));
    onOutcome(due.sink, isGivenUp ? 'given-up' : 'failed', 1);
  }
}
