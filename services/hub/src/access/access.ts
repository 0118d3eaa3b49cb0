/** Who may use the API: bearer tokens, of which the database knows only hashes. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Database } from '../db/database.ts';
import { findToken, storeToken } from './token-store.ts';

/** Whose token it is. */
export interface Identity {
  readonly name: string;
}

/** Checks tokens. */
export interface Access {
  /** The bearer of a token, or undefined. Throws `database-unavailable` when it cannot be looked up and was not seen lately. */
  check(token: string): Promise<Identity | undefined>;
}

const PREFIX = 'hawser_';
/** How long a token stays good after it was revoked, milliseconds; also what the API lives on while the database is away. */
const REMEMBER_MS = 30_000;
const REMEMBERED = 1_000;

/** A new token: 256 random bits. */
export function newToken(): string {
  return `${PREFIX}${randomBytes(32).toString('base64url')}`;
}

/** SHA-256. The tokens are random, so a slow hash would add nothing. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Builds the check. `administrator` is this hub's own token, which works without the database. */
export function createAccess(database: Database, administrator: string): Access {
  const seen = new Map<string, { readonly identity: Identity; readonly at: number }>();
  const own = tokenHash(administrator);
  return {
    check: async (token) => {
      const hash = tokenHash(token);
      if (timingSafeEqual(hash, own)) return { name: 'admin' };
      const key = hash.toString('base64');
      const known = seen.get(key);
      if (known !== undefined && Date.now() - known.at < REMEMBER_MS) return known.identity;
      const identity = await lookUp(database, hash);
      seen.delete(key);
      if (identity === undefined) return undefined;
      const oldest = seen.keys().next().value;
      if (seen.size >= REMEMBERED && oldest !== undefined) seen.delete(oldest);
      seen.set(key, { identity, at: Date.now() });
      return identity;
    },
  };
}

/** Looks a hash up: an index search over hashes tells nothing of a token by its time. */
async function lookUp(database: Database, hash: Buffer): Promise<Identity | undefined> {
  const row = await findToken(database, hash);
  return row !== undefined && timingSafeEqual(row.tokenHash, hash) ? { name: row.name } : undefined;
}

/**
 * The administrator's token: kept in `<state-dir>/admin.token` (0600), made at the first start, and made anew, the
 * earlier one revoked, when the file is lost. A new database learns the token of the file.
 */
export async function bootstrapAdmin(database: Database, stateDir: string): Promise<string> {
  const file = join(stateDir, 'admin.token');
  const kept = (await readIfThere(file))?.trim();
  const token = kept === undefined || !kept.startsWith(PREFIX) ? newToken() : kept;
  if (token !== kept) await writeDurably(file, `${token}\n`);
  await storeToken(database, { name: 'admin', hash: tokenHash(token), issuedTo: stateDir }, token !== kept);
  return token;
}
