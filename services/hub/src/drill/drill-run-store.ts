/** Runs in PostgreSQL: what is made at once elsewhere is seen too. */
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { history, operations } from '../db/schema.ts';

/** Key of the lock under which runs are made one after the other. */
const LOCK = 4_711_031;
const BEGUN = ['Preflight', 'Injecting', 'Shifting', 'Holding', 'Restoring'];

/** Nobody else makes a run until the transaction ends. */
export async function lockRuns(tx: Statements): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCK})`);
}

/** A run that waits for nobody any more, by name. */
export async function runUnderWay(tx: Statements): Promise<string | undefined> {
  const [found] = await tx
    .select({ name: operations.name })
    .from(operations)
    .where(and(eq(operations.kind, 'DrillRun'), isNull(operations.endedAt), inArray(operations.phase, BEGUN)))
    .limit(1);
  return found?.name;
}

/** Whether there is, or was, a run for this time of a drill's schedule: also one that was deleted. */
export async function wasMade(tx: Statements, of: { readonly drill: string; readonly scheduledAt: string }): Promise<boolean> {
  const isOf = sql`${history.resource} -> 'spec' ->> 'drill' = ${of.drill} AND ${history.resource} -> 'spec' ->> 'scheduledAt' = ${of.scheduledAt}`;
  const [found] = await tx
    .select({ revision: history.revision })
    .from(history)
    .where(and(eq(history.kind, 'DrillRun'), isOf))
    .limit(1);
  return found !== undefined;
}
