/** Rows of enrolled clusters. */
import { eq, inArray, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { members } from '../db/schema.ts';

/** What enrolment made of a cluster. */
export type MemberRow = typeof members.$inferSelect;

/**
 * Stores an enrolment and returns its epoch: more than the name ever had, also if the cluster was removed or the
 * database replaced in between, because it is at least the Unix time.
 */
export async function storeMember(
  tx: Statements,
  member: { readonly cluster: string; readonly signingKey: string; readonly natsUser: string },
): Promise<number> {
  const now = sql`clock_timestamp()`;
  const epoch = sql`extract(epoch FROM clock_timestamp())::bigint`;
  const [row] = await tx
    .insert(members)
    .values({ ...member, epoch, enrolledAt: now })
    .onConflictDoUpdate({
      target: members.cluster,
      set: { ...member, epoch: sql`greatest(${members.epoch} + 1, ${epoch})`, enrolledAt: now },
    })
    .returning({ epoch: members.epoch });
  if (row === undefined) throw new Error('the member was not stored');
  return row.epoch;
}

/** One member; undefined when the cluster is not enrolled. */
export async function findMember(tx: Statements, cluster: string): Promise<MemberRow | undefined> {
  const [row] = await tx.select().from(members).where(eq(members.cluster, cluster));
  return row;
}

/** Members by name. */
export async function membersNamed(tx: Statements, names: readonly string[]): Promise<readonly MemberRow[]> {
  return tx
    .select()
    .from(members)
    .where(inArray(members.cluster, [...names]));
}

/** Ends a membership: its keys are not vouched for any longer, and it cannot renew. */
export async function deleteMember(tx: Statements, cluster: string): Promise<void> {
  await tx.delete(members).where(eq(members.cluster, cluster));
}
