/** A real PostgreSQL for a test file, and a database of its own for every test that asks. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabaseIfMissing, reachable } from '@hawser/hub/db/connect.ts';
import { migrate } from '@hawser/hub/db/migrate.ts';
import { postgresBinaries } from '@hawser/hub/postgres/binaries.ts';
import { dataPath, openDataFolder, SUPERUSER } from '@hawser/hub/postgres/data-folder.ts';
import { serverCommand, startServer, stopServer } from '@hawser/hub/postgres/postmaster.ts';
import { serverUser } from '@hawser/hub/postgres/server-user.ts';
import { Client } from 'pg';
import { freePort } from './ports.ts';

/** A server on a free port of 127.0.0.1 whose data goes with it. */
export interface TestPostgres {
  readonly port: number;
  /** A new database; migrated unless told otherwise. Returns its DSN. */
  database(options?: { readonly migrated: boolean }): Promise<string>;
  /** A copy of a database that nobody is connected to, as it is now: a backup. Returns its DSN. */
  copy(dsn: string): Promise<string>;
  stop(): Promise<void>;
}

/** The rows that one statement answers, over a connection of its own. */
export async function querySql<Row extends object = Record<string, unknown>>(
  dsn: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({ connectionString: dsn });
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

const TEMPLATE = 'hawser_template';

/** Starts a server without fsync: about a second. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const stateDir = await mkdtemp(join(tmpdir(), 'hawser-test-postgres-'));
  const port = await freePort();
  const binaries = postgresBinaries();
  const user = serverUser([`${dataPath(stateDir)}/PG_VERSION`, binaries.postgres]);
  const folder = await openDataFolder(stateDir, binaries, user);
  const command = serverCommand(binaries.postgres, folder.path, port, user);
  const fast = ['fsync', 'full_page_writes', 'synchronous_commit'].flatMap((name) => ['-c', `${name}=off`]);
  const server = startServer({ ...command, argv: [...command.argv, ...fast] }, folder.logFile, user);
  const dsn = (database: string): string => `postgresql://${SUPERUSER}:${folder.password}@127.0.0.1:${port}/${database}`;
  const stop = async (): Promise<void> => {
    await stopServer(server.pid, folder.path);
    await rm(stateDir, { recursive: true, force: true });
  };
  try {
    const deadline = Date.now() + 40_000;
    while (!(await reachable(dsn('postgres')))) if (Date.now() > deadline) throw new Error('PostgreSQL did not start');
    await createDatabaseIfMissing(dsn('postgres'), TEMPLATE);
    await migrate(dsn(TEMPLATE));
  } catch (error) {
    await stop();
    throw error;
  }
  const database = async (options = { migrated: true }): Promise<string> => {
    const name = `test_${randomBytes(6).toString('hex')}`;
    await createDatabaseIfMissing(dsn('postgres'), name, options.migrated ? TEMPLATE : 'template1');
    return dsn(name);
  };
  const copy = async (of: string): Promise<string> => {
    const name = `test_${randomBytes(6).toString('hex')}`;
    await createDatabaseIfMissing(dsn('postgres'), name, new URL(of).pathname.slice(1));
    return dsn(name);
  };
  return { port, database, copy, stop };
}
