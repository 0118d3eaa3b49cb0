import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../../test/kit/ports.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { MIGRATIONS, migrate } from './migrate.ts';

let postgres: TestPostgres;
let folder: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  folder = await mkdtemp(join(tmpdir(), 'hawser-migrations-'));
  await cp(MIGRATIONS, folder, { recursive: true });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await postgres.stop();
});

async function journal(dsn: string): Promise<readonly unknown[]> {
  return (await querySql<{ number: number }>(dsn, 'SELECT number FROM schema_journal ORDER BY number')).map((row) => row.number);
}

describe('migrations', () => {
  it('run once when several hubs start together', async () => {
    const dsn = await postgres.database({ migrated: false });
    const applied = await Promise.all([migrate(dsn), migrate(dsn), migrate(dsn), migrate(dsn)]);
    expect(applied.filter((numbers) => numbers.length > 0)).toHaveLength(1);
    expect(await journal(dsn)).toEqual(applied.flat());
    expect(await migrate(dsn)).toEqual([]);
  });

  it('refuse a database that a newer hub made', async () => {
    const dsn = await postgres.database({ migrated: false });
    const newer = await mkdtemp(join(tmpdir(), 'hawser-migrations-newer-'));
    await cp(folder, newer, { recursive: true });
    const number = Math.max(...(await migrate(dsn))) + 1;
    await writeFile(join(newer, `${String(number).padStart(4, '0')}-future.sql`), 'CREATE TABLE future (id int)');
    expect(await migrate(dsn, newer)).toEqual([number]);
    await expect(migrate(dsn)).rejects.toMatchObject({ code: 'database-newer', message: expect.stringContaining('future.sql') });
    await rm(newer, { recursive: true });
  });

  it('leave nothing behind when one of them fails', async () => {
    const dsn = await postgres.database({ migrated: false });
    const broken = await mkdtemp(join(tmpdir(), 'hawser-migrations-broken-'));
    await cp(folder, broken, { recursive: true });
    await writeFile(join(broken, '0001-twice.sql'), 'SELECT 1');
    await expect(migrate(dsn, broken)).rejects.toMatchObject({ code: 'migration-misnumbered' });
    await rm(join(broken, '0001-twice.sql'));
    const next = `${String(Math.max(...(await migrate(await postgres.database({ migrated: false })))) + 1).padStart(4, '0')}-broken.sql`;
    await writeFile(join(broken, next), 'CREATE TABLE half (id int); SELECT * FROM nowhere');
    await expect(migrate(dsn, broken)).rejects.toThrow(/nowhere/);
    expect(await migrate(dsn)).not.toEqual([]);
    await rm(broken, { recursive: true });
  });

  it('say which database cannot be opened, without its password', async () => {
    const dsn = await postgres.database();
    await expect(migrate(dsn.replace(/:[^:@/]+@/, ':secret@'))).rejects.toMatchObject({
      code: 'database-refused',
      message: expect.not.stringContaining('secret'),
    });
    await expect(migrate(`postgresql://x:y@127.0.0.1:${await freePort()}/hawser`)).rejects.toMatchObject({
      code: 'database-unavailable',
      message: expect.stringContaining('hawser of PostgreSQL at 127.0.0.1'),
    });
  });

  it('refuse an applied file that was edited', async () => {
    const dsn = await postgres.database();
    await writeFile(join(folder, '0001-core.sql'), '-- edited');
    await expect(migrate(dsn, folder)).rejects.toMatchObject({ code: 'migration-changed' });
  });
});
