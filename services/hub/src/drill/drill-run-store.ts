/** Runs in PostgreSQL: what is made at once elsewhere is seen too. */
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { operations } from '../db/schema.ts';

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
