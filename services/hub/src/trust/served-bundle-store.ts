/** Sequences of the bundles that the hub serves: they rise with every change, over restarts and replicas. */
import { eq, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { servedBundles } from '../db/schema.ts';

/**
 * The sequence of a bundle with this digest. A bundle that differs from the one before gets a greater one: at least the Unix time, so that
 * a database restored from a backup does not go behind what was given out.
 */
export async function servedSequence(tx: Statements, trustDomain: string, digest: string): Promise<number> {
  const [known] = await tx.select().from(servedBundles).where(eq(servedBundles.trustDomain, trustDomain));
  if (known?.digest === digest) return known.sequence;
  const now = sql<number>`extract(epoch FROM clock_timestamp())::bigint`;
  const [row] = await tx
    .insert(servedBundles)
    .values({ trustDomain, digest, sequence: now })
    .onConflictDoUpdate({
      target: servedBundles.trustDomain,
      set: {
        digest,
        sequence: sql`CASE WHEN ${servedBundles.digest} = ${digest} THEN ${servedBundles.sequence} ELSE greatest(${servedBundles.sequence} + 1, ${now}) END`,
      },
    })
    .returning({ sequence: servedBundles.sequence });
  if (row === undefined) throw new Error('the sequence was not stored');
  return row.sequence;
}
