/** Starts the loop that moves operations on. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { Fleet } from '../fleet/create-fleet.ts';
import { OperationLoop } from './operation-loop.ts';
import type { Operations } from './operations.ts';

/** What it needs. */
export interface OperationParts {
  readonly operations: Operations;
  readonly fleet: Pick<Fleet, 'context' | 'onChange'>;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/** Runs until the group stops. */
export function startOperations(database: Database, { operations, fleet, log, group }: OperationParts): OperationLoop {
  const { context, onChange } = fleet;
  const loop = new OperationLoop({ database, context, operations, onHeard: onChange, log, signal: group.signal });
  const running = loop.run();
  group.onStop('operations', () => running);
  return loop;
}
