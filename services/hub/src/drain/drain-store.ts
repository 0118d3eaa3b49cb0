/** Drains under way, by the database: what is written at once elsewhere is seen too. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { operations, resources } from '../db/schema.ts';
import { resourceOf } from '../resource/resource-row.ts';
import type { Taken } from './drain-assertions.ts';
import { takenBy } from './drain-world.ts';

/** Key of the lock under which drains are written one after the other. */
const LOCK = 4_711_030;

/** All but one; nobody else writes a drain until the transaction ends. */
export async function drainsUnderWay(tx: Statements, but: string): Promise<readonly Taken[]> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCK})`);
  const rows = await tx
    .select({ resource: resources })
    .from(operations)
    .innerJoin(resources, eq(resources.uid, operations.uid))
    .where(and(eq(operations.kind, 'Drain'), isNull(operations.endedAt)));
  return rows.map(({ resource }) => takenBy(resourceOf(resource))).filter(({ name }) => name !== but);
}
