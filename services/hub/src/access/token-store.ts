/** Rows of API tokens: hashes alone. */
import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { apiTokens } from '../db/schema.ts';

/** The token with this hash, if there is one. */
export async function findToken(
  database: Database,
  hash: Buffer,
): Promise<{ readonly name: string; readonly tokenHash: Buffer } | undefined> {
  const [row] = await database.transaction((tx) => tx.select().from(apiTokens).where(eq(apiTokens.tokenHash, hash)));
  return row;
}

/** Stores a token's hash; with `replace`, the earlier ones of that name issued to that place are revoked. */
export async function storeToken(
  database: Database,
  token: { readonly name: string; readonly hash: Buffer; readonly issuedTo: string },
  replace: boolean,
): Promise<void> {
  const { name, hash, issuedTo } = token;
  await database.transaction(async (tx) => {
    if (replace) await tx.delete(apiTokens).where(and(eq(apiTokens.name, name), eq(apiTokens.issuedTo, issuedTo)));
    await tx.insert(apiTokens).values({ id: randomUUID(), name, tokenHash: hash, issuedTo, createdAt: new Date() }).onConflictDoNothing();
  });
}
