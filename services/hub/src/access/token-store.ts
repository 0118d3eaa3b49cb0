/** Rows of API tokens: hashes alone. */
import { randomUUID } from 'node:crypto';
import type { Role } from '@hawser/wire/access.ts';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Database, Statements } from '../db/database.ts';
import { apiTokens } from '../db/schema.ts';

/** Channel of the hints that a token was revoked. */
export const TOKENS_CHANNEL = 'hawser_tokens';

/** Tokens made over the API are issued to no place; bootstrap tokens to their hub's state folder. */
const OVER_API = '';

/** One stored token. */
export type TokenRow = typeof apiTokens.$inferSelect;

/** A token to store. */
export interface NewToken {
  readonly name: string;
  readonly hash: Buffer;
  readonly role: Role;
  readonly namespaces: string[] | null;
  readonly groups: string[] | null;
  readonly expiresAt: Date | null;
  readonly createdBy: string;
}

/** The token with this hash, if there is one, expired ones included. */
export async function findToken(database: Database, hash: Buffer): Promise<TokenRow | undefined> {
  const [row] = await database.transaction((tx) => tx.select().from(apiTokens).where(eq(apiTokens.tokenHash, hash)));
  return row;
}

/** Stores an administrator's token of a state folder; with `replace`, the earlier ones of that folder are revoked. */
export async function storeBootstrapToken(database: Database, hash: Buffer, place: { issuedTo: string; replace: boolean }): Promise<void> {
  const { issuedTo, replace } = place;
  const name = 'admin';
  await database.transaction(async (tx) => {
    if (replace) {
      await tx.delete(apiTokens).where(and(eq(apiTokens.name, name), eq(apiTokens.issuedTo, issuedTo)));
      await hintRevoked(tx);
    }
    const row = { id: randomUUID(), name, tokenHash: hash, issuedTo, createdAt: new Date(), role: 'admin', createdBy: name } as const;
    await tx.insert(apiTokens).values(row).onConflictDoNothing();
  });
}

/** Stores a token; undefined when there is one of that name. */
export async function insertToken(tx: Statements, { hash, ...token }: NewToken): Promise<TokenRow | undefined> {
  const row = { ...token, id: randomUUID(), tokenHash: hash, issuedTo: OVER_API, createdAt: new Date() };
  const [stored] = await tx.insert(apiTokens).values(row).onConflictDoNothing().returning();
  return stored;
}

/** Every token made over the API, by name. */
export async function listTokens(tx: Statements): Promise<readonly TokenRow[]> {
  return tx.select().from(apiTokens).where(eq(apiTokens.issuedTo, OVER_API)).orderBy(asc(apiTokens.name));
}

/** Revokes one and tells the other replicas; false when there is none. */
export async function deleteToken(tx: Statements, name: string): Promise<boolean> {
  const gone = await tx
    .delete(apiTokens)
    .where(and(eq(apiTokens.name, name), eq(apiTokens.issuedTo, OVER_API)))
    .returning({ id: apiTokens.id });
  if (gone.length > 0) await hintRevoked(tx);
  return gone.length > 0;
}

async function hintRevoked(tx: Statements): Promise<void> {
  await tx.execute(sql`SELECT pg_notify(${TOKENS_CHANNEL}, '')`);
}
