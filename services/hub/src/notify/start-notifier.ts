/** Starts telling webhook sinks. */
import type { Logger } from '@hawser/runtime/logger.ts';
import { counter, type Registry } from '@hawser/runtime/metrics.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { WebhookSink } from '../outgoing/integrations.ts';
import { Notifier } from './notifier.ts';

/** What it needs. */
export interface NotifierStart {
  readonly sinks: readonly WebhookSink[];
  readonly registry: Registry;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/** Runs until the group stops. */
export function startNotifier(database: Database, { sinks, registry, log, group }: NotifierStart): Notifier {
  const outcomes = counter(registry, 'hub_notifications_total');
  const onOutcome = (sink: string, outcome: string, count: number): void => outcomes.inc({ sink, outcome }, count);
  const notifier = new Notifier({ database, sinks, onOutcome, log, signal: group.signal });
  const running = notifier.run();
  group.onStop('notifications', () => running);
  return notifier;
}
