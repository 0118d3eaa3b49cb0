import { sql } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase, type Transaction } from './database.ts';

let postgres: TestPostgres;
let database: Database;
let operator: Database;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const dsn = await postgres.database();
  const log = pino({ level: 'silent' });
  database = openDatabase(dsn, log, { max: 1 });
  operator = openDatabase(dsn, log);
});
afterAll(async () => {
  await Promise.all([database.close(), operator.close()]);
  await postgres.stop();
});

async function backendOf(tx: Transaction): Promise<number> {
  const { rows } = await tx.execute<{ pid: number }>(sql`SELECT pg_backend_pid() AS pid`);
  return rows[0]?.pid ?? 0;
}

/** Ends a connection from the server's side; resolves when this process has been told. */
async function terminate(pid: number): Promise<void> {
  await operator.transaction(async (tx) => {
    const { rows } = await tx.execute<{ done: boolean }>(sql`SELECT pg_terminate_backend(${pid}, 10000) AS done`);
    expect(rows).toEqual([{ done: true }]);
  });
  // What is in the socket by now is read within one whole turn of the event loop.
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a connection that breaks between two statements', () => {
  it('fails its transaction as an unavailable database and does nobody else harm', async () => {
    const broken = database.transaction(async (tx) => {
      await terminate(await backendOf(tx));
      await backendOf(tx);
    });
    await expect(broken).rejects.toMatchObject({ code: 'database-unavailable', status: 503 });
    expect(database.up()).toBe(false);
    expect(await database.transaction(backendOf)).toBeGreaterThan(0);
    expect(database.up()).toBe(true);
  });

  it('sends those who wait for a turn away with the same words, said once', async () => {
    let waiting: Promise<unknown> = Promise.resolve();
    const broken = database.transaction(async (tx) => {
      waiting = database.transaction(backendOf).catch((error: unknown) => error);
      await terminate(await backendOf(tx));
      await backendOf(tx);
    });
    const failure = await broken.catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'database-unavailable' });
    expect(await waiting).toBe(failure);
    expect(await database.transaction(backendOf)).toBeGreaterThan(0);
  });

  it('fails a transaction that wanted to commit', async () => {
    const broken = database.transaction(async (tx) => terminate(await backendOf(tx)));
    await expect(broken).rejects.toMatchObject({ code: 'database-unavailable' });
    expect(await database.transaction(backendOf)).toBeGreaterThan(0);
  });
});

describe('a process that stands still in the midst of a transaction', () => {
  it('is sent away before those who wait for the same row are, whose writes are done', async () => {
    const goOn = Promise.withResolvers<void>();
    const holds = Promise.withResolvers<void>();
    const write = (tx: Transaction): Promise<unknown> => tx.execute(sql`UPDATE hub_meta SET revision = revision`);
    const standing = database.transaction(async (tx) => {
      await write(tx);
      holds.resolve();
      await goOn.promise;
      await write(tx);
    });
    await holds.promise;
    await operator.transaction(write).finally(() => goOn.resolve());
    await expect(standing).rejects.toMatchObject({ code: 'database-unavailable' });
  });
});
