/** Makes the runs of drills whose time has come, while this replica leads. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Operations } from '../operations/operations.ts';
import { requireTerm } from '../resource/desired-state-store.ts';
import { dueTime } from './drill-due.ts';
import { drillsOf } from './drill-times.ts';
import { makeScheduledRun } from './run-start.ts';

/** What it works with. */
export interface DrillScheduleParts {
  readonly context: FleetContext;
  readonly operations: Operations;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

const LOOK_MS = 1_000;

/** Runs until the group stops. */
export function startDrillSchedule(database: Database, parts: DrillScheduleParts): void {
  const { log, group } = parts;
  const schedule = new DrillSchedule(database, parts);
  const loop = new LookLoop({
    look: () => schedule.look(),
    everyMs: LOOK_MS,
    problem: 'drills could not be begun in time, trying again',
    log,
    signal: group.signal,
  });
  const running = loop.run();
  group.onStop('drill-schedule', () => running);
}

/** One replica's part in it. */
export class DrillSchedule {
  readonly #database: Database;
  readonly #parts: Pick<DrillScheduleParts, 'context' | 'operations' | 'log'>;
  /** Times that were attended to, by drill. */
  readonly #handled = new Map<string, number>();

  constructor(database: Database, parts: Pick<DrillScheduleParts, 'context' | 'operations' | 'log'>) {
    this.#database = database;
    this.#parts = parts;
  }

  /** Makes what is due. One that another leader made already is not made again. */
  async look(): Promise<void> {
    const { context, operations, log } = this.#parts;
    const term = context.distribution.replica?.term;
    if (term === undefined) return;
    for (const drill of drillsOf(context)) {
      const { name, uid = '' } = drill.metadata;
      const now = context.now();
      const due = dueTime(drill, { now, handled: this.#handled.get(uid) });
      if (due === undefined) continue;
      const run = await this.#database.transaction(async (tx) => {
        await requireTerm(tx, term);
        return await makeScheduledRun(tx, operations, { drill: name, scheduledAt: new Date(due).toISOString(), now });
      });
      this.#handled.set(uid, due);
      if (run !== undefined) log.info({ drill: name, run }, 'a drill is due');
    }
  }
}
