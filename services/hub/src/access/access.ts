/** Who may use the API: bearer tokens, of which the database knows only hashes. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import { type Database, isConnectionFailure } from '../db/database.ts';
import type { Identity } from './authorize.ts';
import { findToken, storeBootstrapToken, type TokenRow } from './token-store.ts';

/** Checks tokens. */
export interface Access {
  /**
   * The bearer of a token; undefined when it is unknown, revoked or expired. While the database is away, one that was seen within the
   * last ten minutes is still good; for others it throws `database-unavailable`.
   */
  check(token: string): Promise<Identity | undefined>;
  /** A token may have been revoked: everything is looked up again. */
  forget(): void;
}

const PREFIX = 'hawser_';
/** How long a look-up is good while the database answers, milliseconds: with a lost hint, how long a revoked token lives elsewhere. */
const FRESH_MS = 1_000;
/** How long what was seen is good while the database is away, milliseconds. */
const KNOWN_MS = 10 * 60_000;
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
  const own = tokenHash(administrator);
  const seen = new SeenTokens(database);
  return {
    check: async (token) => {
      const hash = tokenHash(token);
      return timingSafeEqual(hash, own) ? { name: 'admin', role: 'admin' } : seen.find(hash);
    },
    forget: () => seen.forget(),
  };
}

interface Seen {
  readonly row: TokenRow;
  /** When it was last read from the database; a failed attempt moves `triedAt` alone. */
  readonly readAt: number;
  triedAt: number;
}

/** A bounded memory of tokens that are good, in front of the database. */
class SeenTokens {
  readonly #database: Database;
  readonly #seen = new Map<string, Seen>();
  readonly #asked = new Map<string, Promise<TokenRow | undefined>>();
  /** Rises with each revocation: what was read before one is not remembered after it. */
  #generation = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  forget(): void {
    this.#generation += 1;
    this.#asked.clear();
    // Not removed: without the database they are the best there is.
    for (const entry of this.#seen.values()) entry.triedAt = 0;
  }

  async find(hash: Buffer): Promise<Identity | undefined> {
    const key = hash.toString('base64');
    const known = this.#seen.get(key);
    const row = known !== undefined && Date.now() - known.triedAt < FRESH_MS ? known.row : await this.#read(key, hash);
    if (row === undefined || (row.expiresAt !== null && row.expiresAt.getTime() <= Date.now())) return undefined;
    const { name, role, namespaces, groups } = row;
    return { name, role, ...(namespaces === null ? {} : { namespaces }), ...(groups === null ? {} : { groups }) };
  }

  async #read(key: string, hash: Buffer): Promise<TokenRow | undefined> {
    const generation = this.#generation;
    try {
      const row = await this.#lookUp(key, hash);
      if (row === undefined) this.#seen.delete(key);
      else if (generation === this.#generation) this.#remember(key, row);
      return row;
    } catch (error) {
      const known = this.#seen.get(key);
      if (known === undefined || !isConnectionFailure(error) || Date.now() - known.readAt > KNOWN_MS) throw error;
      known.triedAt = Date.now();
      return known.row;
    }
  }

  /** Requests that come together with one token ask once. */
  #lookUp(key: string, hash: Buffer): Promise<TokenRow | undefined> {
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = findToken(this.#database, hash).finally(() => {
      if (this.#asked.get(key) === asking) this.#asked.delete(key);
    });
    this.#asked.set(key, asking);
    return asking;
  }

  #remember(key: string, row: TokenRow): void {
    this.#seen.delete(key);
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size >= REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    this.#seen.set(key, { row, readAt: Date.now(), triedAt: Date.now() });
  }
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
  await storeBootstrapToken(database, tokenHash(token), { issuedTo: stateDir, replace: token !== kept });
  return token;
}
