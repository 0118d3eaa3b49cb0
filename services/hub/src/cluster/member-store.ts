/** Rows of enrolled clusters. */
import type { RevokedUser } from '@hawser/bus/nats-accounts.ts';
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { members, revokedNatsUsers } from '../db/schema.ts';

/** What enrolment made of a cluster. */
export type MemberRow = typeof members.$inferSelect;

/**
 * Stores an enrolment and returns its epoch: more than the name ever had, also if the cluster was removed or the
 * database replaced in between, because it is at least the Unix time.
 */
export async function storeMember(
  tx: Statements,
  member: Pick<MemberRow, 'cluster' | 'signingKey' | 'natsUser' | 'trustDomain'>,
): Promise<number> {
  const now = sql`clock_timestamp()`;
  const before = await findMember(tx, member.cluster);
  if (before !== undefined && before.natsUser !== member.natsUser) await revoke(tx, before);
  await tx.delete(revokedNatsUsers).where(eq(revokedNatsUsers.natsUser, member.natsUser));
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

/** Every member, by name. */
export async function allMembers(tx: Statements): Promise<readonly MemberRow[]> {
  return tx.select().from(members).orderBy(asc(members.cluster));
}

/** Members by name. */
export async function membersNamed(tx: Statements, names: readonly string[]): Promise<readonly MemberRow[]> {
  return tx
    .select()
    .from(members)
    .where(inArray(members.cluster, [...names]));
}

/** Ends a membership: its keys are not vouched for any longer, it cannot renew, and its user of NATS is revoked. */
export async function deleteMember(tx: Statements, cluster: string): Promise<void> {
  const member = await findMember(tx, cluster);
  if (member !== undefined) await revoke(tx, member);
  await tx.delete(members).where(eq(members.cluster, cluster));
}

/** Users whose credentials are void, by name of the user. */
export async function revokedUsers(tx: Statements): Promise<readonly RevokedUser[]> {
  const rows = await tx.select().from(revokedNatsUsers).orderBy(asc(revokedNatsUsers.natsUser));
  return rows.map(({ natsUser, revokedAt }) => ({ natsUser, until: Math.ceil(revokedAt.getTime() / 1000) }));
}

async function revoke(tx: Statements, { natsUser, cluster }: MemberRow): Promise<void> {
  const revokedAt = sql`clock_timestamp()`;
  await tx
    .insert(revokedNatsUsers)
    .values({ natsUser, cluster, revokedAt })
    .onConflictDoUpdate({ target: revokedNatsUsers.natsUser, set: { cluster, revokedAt } });
}
