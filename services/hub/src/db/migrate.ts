/** Brings a database to the schema of this code: numbered SQL, once each, whoever comes first. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { Client } from 'pg';
import { isConnectionFailure } from './database.ts';

/** The migrations of this code. */
export const MIGRATIONS = join(import.meta.dirname, '../../../../migrations');

/** Any number, as long as every version of the hub uses the same. */
const LOCK = 0x68617773;
const DEADLINE_MS = 60_000;

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly hash: string;
}

/**
 * Applies what is missing, in one transaction under an advisory lock: of two hubs that start together one migrates
 * and the other waits. Throws `database-newer` when the database knows migrations that this code does not, and
 * `migration-changed` when an applied file was edited,
 * `database-unavailable` or `database-refused` when it cannot be opened. Returns the numbers applied.
 */
export async function migrate(dsn: string, folder = MIGRATIONS): Promise<readonly number[]> {
  const migrations = await readMigrations(folder);
  const client = new Client({ connectionString: dsn, connectionTimeoutMillis: 5_000, statement_timeout: DEADLINE_MS });
  client.on('error', () => {});
  await client.connect().catch((cause: unknown) => {
    throw unreachable(dsn, cause);
  });
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    const applied = await applyMissing(client, migrations);
    await client.query('COMMIT');
    return applied;
  } finally {
    await client.end();
  }
}

async function applyMissing(client: Client, migrations: readonly Migration[]): Promise<readonly number[]> {
  await client.query(
    'CREATE TABLE IF NOT EXISTS schema_journal (number integer PRIMARY KEY, name text NOT NULL, hash text NOT NULL, applied_at timestamptz NOT NULL)',
  );
  const { rows } = await client.query<{ number: number; name: string; hash: string }>('SELECT number, name, hash FROM schema_journal');
  refuseStrangers(rows, migrations);
  const missing = migrations.filter((migration) => !rows.some((row) => row.number === migration.number));
  for (const migration of missing) {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_journal VALUES ($1, $2, $3, now())', [migration.number, migration.name, migration.hash]);
  }
  return missing.map((migration) => migration.number);
}

function refuseStrangers(rows: readonly { number: number; name: string; hash: string }[], migrations: readonly Migration[]): void {
  for (const row of rows) {
    const known = migrations.find((migration) => migration.number === row.number);
    if (known === undefined) {
      throw new AppError(
        'database-newer',
        `the database has migration ${row.number} (${row.name}), which this hub does not know: a newer hub made it; upgrade this one`,
      );
    }
    if (known.hash !== row.hash) {
      throw new AppError('migration-changed', `migrations/${known.name} was changed after it was applied; restore it and add a new file`);
    }
  }
}

/** Names the place, not the password. */
function unreachable(dsn: string, cause: unknown): AppError {
  const { host, pathname } = new URL(dsn);
  const message = `cannot open the database ${pathname.slice(1)} of PostgreSQL at ${host}: ${messageOf(cause)}`;
  return new AppError(isConnectionFailure(cause) ? 'database-unavailable' : 'database-refused', message, { status: 503, cause });
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const migrations = await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), 'utf8');
      return { number: Number.parseInt(name, 10), name, sql, hash: sha256(sql) };
    }),
  );
  const misnumbered = migrations.find(({ number }, index) => !(number > (migrations[index - 1]?.number ?? 0)));
  if (misnumbered !== undefined) throw new AppError('migration-misnumbered', `migrations/${misnumbered.name} has no number of its own`);
  return migrations;
}
