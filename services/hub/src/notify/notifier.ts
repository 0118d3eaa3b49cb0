/** Tells webhook sinks of operations and of what is written about them: at least once, in order, over restarts of the hub. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { NotificationEvent, SinkEntry } from '@hawser/wire/notifications.ts';
import type { Database } from '../db/database.ts';
import { OPERATED_KINDS, OPERATION_KIND } from '../operations/operation-name.ts';
import type { WebhookSink } from '../outgoing/integrations.ts';
import { deliver } from './deliver.ts';
import {
  claimDue,
  type DueNotification,
  markDelivered,
  markFailed,
  sinkEntries,
  takeNews,
  trimNotifications,
} from './notification-store.ts';

/** What it works with. */
export interface NotifierParts {
  readonly database: Database;
  readonly sinks: readonly WebhookSink[];
  /** Told of every attempt's outcome. */
  readonly onOutcome: (sink: string, outcome: 'delivered' | 'failed' | 'given-up', count: number) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly times?: typeof NOTIFIER_TIMES;
}

/** How often it looks, and how long it waits after a failure (jittered), milliseconds. */
export const NOTIFIER_TIMES = { lookMs: 1_000, backoff: { baseMs: 2_000, maxMs: 600_000 }, trimMs: 60_000 };
const LONGEST_PROBLEM = 300;
/** Whose writes and phases are news. */
const KINDS = [OPERATION_KIND, ...OPERATED_KINDS, 'Freeze', 'SafetyRule'];

/** One replica's part in it; all of them look, and each notification is one's at a time. */
export class Notifier {
  readonly #parts: NotifierParts;
  readonly #sinks: ReadonlyMap<string, WebhookSink>;
  readonly #failing = new Set<string>();
  #trimmedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    this.#sinks = new Map(parts.sinks.map((sink) => [sink.name, sink]));
  }

  /** Runs until the signal is aborted; survives every failure of the database and of sinks. Without sinks it ends at once. */
  async run(): Promise<void> {
    const { signal, log, times = NOTIFIER_TIMES } = this.#parts;
    let isAway = false;
    while (!signal.aborted && this.#sinks.size > 0) {
      try {
        const told = await this.look();
        isAway = false;
        if (told) continue;
      } catch (error) {
        if (!isAway) log.warn({ error: messageOf(error) }, 'notifications could not be looked after, trying again');
        isAway = true;
      }
      await sleep(times.lookMs, signal);
    }
  }

  /** Takes the news and tells what is due; true when something was taken, so that there may be more at once. */
  async look(): Promise<boolean> {
    const { database } = this.#parts;
    await this.#trim();
    const more = await database.transaction((tx) => takeNews(tx, (event) => this.#wanted(event), KINDS));
    const due = await database.transaction((tx) => claimDue(tx, [...this.#sinks.keys()]));
    const taken = await Promise.all(due.map((one) => this.#tell(one)));
    return more || taken.some(Boolean);
  }

  /** How the sinks do. */
  async entries(): Promise<readonly SinkEntry[]> {
    return await this.#parts.database.transaction((tx) => sinkEntries(tx, [...this.#sinks.keys()]), { accessMode: 'read only' });
  }

  #wanted({ kind, phase }: NotificationEvent): readonly string[] {
    const wanted = this.#parts.sinks.filter(
      ({ kinds, phases }) => kinds?.includes(kind) !== false && (phases === undefined || (phase !== undefined && phases.includes(phase))),
    );
    return wanted.map(({ name }) => name);
  }

  async #tell(due: DueNotification): Promise<boolean> {
    const { database, signal, onOutcome } = this.#parts;
    const sink = this.#sinks.get(due.sink);
    if (sink === undefined) return false;
    try {
      await deliver(sink, due.event, signal);
    } catch (error) {
      await this.#failed(due, messageOf(error).slice(0, LONGEST_PROBLEM));
      return false;
    }
    await database.transaction((tx) => markDelivered(tx, due));
    this.#failing.delete(due.sink);
    onOutcome(due.sink, 'delivered', 1);
    return true;
  }

  async #failed(due: DueNotification, problem: string): Promise<void> {
    const { database, signal, onOutcome, log, times = NOTIFIER_TIMES } = this.#parts;
    // A hub that stops has not tried.
    const waitMs = signal.aborted ? 0 : backoffMs(due.attempts, times.backoff);
    const isGivenUp = await database.transaction((tx) => markFailed(tx, due, { problem, waitMs }));
    onOutcome(due.sink, isGivenUp ? 'given-up' : 'failed', 1);
    if (!this.#failing.has(due.sink)) log.warn({ sink: due.sink, problem }, 'a sink did not take a notification, trying again');
    this.#failing.add(due.sink);
  }

  async #trim(): Promise<void> {
    const { database, onOutcome, times = NOTIFIER_TIMES } = this.#parts;
    if (performance.now() - this.#trimmedAt < times.trimMs) return;
    this.#trimmedAt = performance.now();
    for (const [sink, count] of await database.transaction((tx) => trimNotifications(tx))) onOutcome(sink, 'given-up', count);
  }
}
