/** Starts the loop that takes in the policy of clusters. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { AdoptionLoop } from './adoption-loop.ts';
import type { FoundAccounts } from './found-accounts.ts';

/** What it needs. */
export interface AdoptionParts {
  readonly context: FleetContext;
  readonly accounts: FoundAccounts;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/** Runs until the group stops. */
export function startAdoption(database: Database, { context, accounts, log, group }: AdoptionParts): void {
  const running = new AdoptionLoop({ database, context, accounts, log, signal: group.signal }).run();
  group.onStop('adoption', () => running);
}
