/** Tells webhook sinks of operations and of what is written about them: at least once, in order, over restarts of the hub. */
import type { BackoffOptions } from '@hawser/runtime/backoff.ts';
import type { NotificationEvent, SinkEntry } from '@hawser/wire/notifications.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import { OPERATED_KINDS, OPERATION_KIND } from '../operations/operation-name.ts';
import type { WebhookSink } from '../outgoing/integrations.ts';
import { sinkEntries, takeNews, trimNotifications } from './notification-store.ts';
import { type CourierParts, SinkCourier } from './sink-courier.ts';

/** What it works with. */
export interface NotifierParts extends Pick<CourierParts, 'database' | 'log' | 'signal' | 'onOutcome'> {
  readonly sinks: readonly WebhookSink[];
  readonly times?: NotifierTimes;
}

/** How often it looks, and how long it waits after a failure (jittered), milliseconds. */
export interface NotifierTimes {
  readonly lookMs: number;
  readonly backoff: BackoffOptions;
  readonly trimMs: number;
}

const TIMES: NotifierTimes = { lookMs: 1_000, backoff: { baseMs: 2_000, maxMs: 600_000 }, trimMs: 60_000 };
/** Whose writes and phases are news. */
const KINDS = [OPERATION_KIND, ...OPERATED_KINDS, 'Freeze', 'SafetyRule'];

/** One replica's part in it; all of them look, and each notification is one's at a time. */
export class Notifier {
  readonly #parts: NotifierParts;
  readonly #times: NotifierTimes;
  readonly #couriers: readonly SinkCourier[];
  #trimmedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    this.#times = parts.times ?? TIMES;
    const { database, onOutcome, log, signal } = parts;
    const { lookMs, backoff } = this.#times;
    this.#couriers = parts.sinks.map((sink) => new SinkCourier({ database, sink, onOutcome, log, signal, lookMs, backoff }));
  }

  /** Runs until the signal is aborted; survives every failure of the database and of sinks. Without sinks it ends at once. */
  async run(): Promise<void> {
    if (this.#couriers.length === 0) return;
    const { log, signal } = this.#parts;
    const problem = 'notifications could not be looked after, trying again';
    const news = new LookLoop({ look: () => this.#takeNews(), everyMs: this.#times.lookMs, problem, log, signal });
    await Promise.all([news.run(), ...this.#couriers.map((courier) => courier.run())]);
  }

  /** One look: takes the news, and tells each sink what is due, however it fared before. */
  async look(): Promise<void> {
    await this.#takeNews();
    await Promise.all(this.#couriers.map((courier) => courier.look()));
  }

  async #takeNews(): Promise<boolean> {
    await this.#trim();
    const { isNews, hasMore } = await this.#parts.database.transaction((tx) => takeNews(tx, (event) => this.#wanted(event), KINDS));
    if (isNews) for (const courier of this.#couriers) courier.hint();
    return hasMore;
  }

  /** How the sinks do. */
  async entries(): Promise<readonly SinkEntry[]> {
    const sinks = this.#parts.sinks.map(({ name }) => name);
    return await this.#parts.database.transaction((tx) => sinkEntries(tx, sinks), { accessMode: 'read only' });
  }

  #wanted({ kind, phase }: NotificationEvent): readonly string[] {
    const wanted = this.#parts.sinks.filter(
      ({ kinds, phases }) => kinds?.includes(kind) !== false && (phases === undefined || (phase !== undefined && phases.includes(phase))),
    );
    return wanted.map(({ name }) => name);
  }

  async #trim(): Promise<void> {
    const { database, onOutcome } = this.#parts;
    if (performance.now() - this.#trimmedAt < this.#times.trimMs) return;
    this.#trimmedAt = performance.now();
    for (const [sink, count] of await database.transaction((tx) => trimNotifications(tx))) onOutcome(sink, 'given-up', count);
  }
}
