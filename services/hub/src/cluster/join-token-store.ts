/** Rows of join tokens: hashes of their secrets. */
import type { JoinTokenSpec } from '@hawser/model/kind-specs.ts';
import { and, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { joinTokens } from '../db/schema.ts';

/** A stored token. */
export type JoinTokenRow = typeof joinTokens.$inferSelect;

/** Stores a token that expires after `ttlMs` by the database's clock, which also decides when it has; returns when. */
export async function storeJoinToken(
  tx: Statements,
  token: { readonly name: string; readonly secretHash: Buffer; readonly spec: JoinTokenSpec },
  ttlMs: number,
): Promise<Date> {
  const expiresAt = sql<Date>`clock_timestamp() + ${ttlMs} * interval '1 millisecond'`;
  const [row] = await tx
    .insert(joinTokens)
    .values({ ...token, cluster: token.spec.cluster, expiresAt })
    .returning({ expiresAt: joinTokens.expiresAt });
  if (row === undefined) throw new Error('the join token was not stored');
  return row.expiresAt;
}

/**
 * Uses a token up, in one statement: of any number of parallel uses one gets the row, and the others nothing
 * (check-then-act would let several through). A wrong cluster does not use it up.
 */
export async function consumeJoinToken(tx: Statements, secretHash: Buffer, cluster: string): Promise<JoinTokenRow | undefined> {
  const usable = and(
    eq(joinTokens.secretHash, secretHash),
    eq(joinTokens.cluster, cluster),
    isNull(joinTokens.usedAt),
    gt(joinTokens.expiresAt, sql`clock_timestamp()`),
  );
  const [row] = await tx.update(joinTokens).set({ usedAt: sql`clock_timestamp()` }).where(usable).returning();
  return row;
}

/** The token with this secret, and whether its time is over by the database's clock. */
export async function findJoinToken(
  tx: Statements,
  secretHash: Buffer,
): Promise<(JoinTokenRow & { readonly expired: boolean }) | undefined> {
  const [found] = await tx
    .select({ token: joinTokens, expired: sql<boolean>`${joinTokens.expiresAt} <= clock_timestamp()` })
    .from(joinTokens)
    .where(eq(joinTokens.secretHash, secretHash));
  return found === undefined ? undefined : { ...found.token, expired: found.expired };
}

/** Tokens by the names of their resources. */
export async function joinTokensNamed(tx: Statements, names: readonly string[]): Promise<readonly JoinTokenRow[]> {
  return tx
    .select()
    .from(joinTokens)
    .where(inArray(joinTokens.name, [...names]));
}

/** Ends every token of a cluster that was not used yet. */
export async function expireJoinTokens(tx: Statements, cluster: string): Promise<void> {
  await tx
    .update(joinTokens)
    .set({ expiresAt: sql`clock_timestamp()` })
    .where(and(eq(joinTokens.cluster, cluster), isNull(joinTokens.usedAt), gt(joinTokens.expiresAt, sql`clock_timestamp()`)));
}

/** Forgets a token, used or not. */
export async function deleteJoinToken(tx: Statements, name: string): Promise<void> {
  await tx.delete(joinTokens).where(eq(joinTokens.name, name));
}
