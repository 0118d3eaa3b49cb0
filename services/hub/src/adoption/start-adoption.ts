/** Starts the loop that takes in the policy of clusters. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { AdoptionLoop } from './adoption-loop.ts';
import { registerAdoptionMetrics } from './adoption-metrics.ts';
import type { FoundAccounts } from './found-accounts.ts';

/** What it needs. */
export interface AdoptionParts {
  readonly context: FleetContext;
  readonly accounts: FoundAccounts;
  readonly registry: Registry;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/** Runs until the group stops. */
export function startAdoption(database: Database, { context, accounts, registry, log, group }: AdoptionParts): void {
  const loop = new AdoptionLoop({ database, context, accounts, log, signal: group.signal });
  registerAdoptionMetrics(registry, loop);
  const running = loop.run();
  group.onStop('adoption', () => running);
}
