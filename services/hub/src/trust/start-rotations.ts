/** Starts the loop that moves rotations on. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import type { Fleet } from '../fleet/create-fleet.ts';
import { RotationLoop } from './rotation-loop.ts';

/** What it needs. */
export interface RotationParts {
  readonly fleet: Pick<Fleet, 'context' | 'onChange'>;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/** Runs until the group stops. */
export function startRotations(database: Database, { fleet, log, group }: RotationParts): RotationLoop {
  const { context, onChange } = fleet;
  const loop = new RotationLoop({ database, context, onHeard: onChange, log, signal: group.signal });
  const running = loop.run();
  group.onStop('rotations', () => running);
  return loop;
}
