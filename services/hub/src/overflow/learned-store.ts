/** What overflow has learned, by the database. */
import { and, eq, isNull } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { operations } from '../db/schema.ts';
import { type LearnedCapacity, learnedOf } from './learned-capacity.ts';
import type { OverflowState } from './overflow-state.ts';

/** As it is stored: any replica may ask. */
export async function learnedCapacity(tx: Statements): Promise<LearnedCapacity> {
  const rows = await tx
    .select({ namespace: operations.namespace, state: operations.state })
    .from(operations)
    .where(and(eq(operations.kind, 'FailoverPolicy'), isNull(operations.endedAt)));
  return learnedOf(rows.map(({ namespace, state }) => ({ namespace, state: state as OverflowState })));
}
