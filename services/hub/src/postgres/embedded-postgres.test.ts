import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@hawser/runtime/logger.ts';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../../test/kit/ports.ts';
import { reachable } from '../db/connect.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { findServer } from './postmaster.ts';

const log = createLogger('test');
let stateDir: string;
let port: number;
let running: EmbeddedPostgres[] = [];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'hawser-embedded-'));
  port = await freePort();
  running = [];
});
afterEach(async () => {
  for (const server of running) await server.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ stateDir, port, log });
  running.push(server);
  return server;
}

async function query(dsn: string, text: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: dsn });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

/** Waits for a state of the world that another process brings about. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const alive = (pid: number): boolean => findServer(join(stateDir, 'hub/postgres'))?.pid === pid;

describe('the embedded PostgreSQL', () => {
  it('keeps its data between runs, with a private password', async () => {
    const first = await start();
    await query(first.dsn, 'CREATE TABLE kept AS SELECT 7 AS n');
    expect((await stat(join(stateDir, 'hub/postgres.password'))).mode & 0o777).toBe(0o600);
    await first.stop();
    expect(await reachable(first.dsn)).toBe(false);
    const second = await start();
    expect(second.dsn).toBe(first.dsn);
    expect(await query(second.dsn, 'SELECT n FROM kept')).toEqual([7]);
    expect(await reachable(second.dsn.replace(/:[^:@/]+@/, ':wrong@'))).toBe(false);
  });

  it('adopts the server that a killed hub left, and stops it', async () => {
    const program = `
      import { startEmbeddedPostgres } from ${JSON.stringify(join(import.meta.dirname, 'embedded-postgres.ts'))};
      import { createLogger } from '@hawser/runtime/logger.ts';
      const server = await startEmbeddedPostgres({ stateDir: process.argv[1], port: Number(process.argv[2]), log: createLogger('hub') });
      console.log(server.process.pid);`;
    const hub = spawn(process.execPath, ['--input-type=module-typescript', '-e', program, stateDir, String(port)], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(hub.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    hub.kill('SIGKILL');
    await once(hub, 'exit');
    expect(alive(pid)).toBe(true);
    const adopting = await start();
    expect(adopting.process.pid).toBe(pid);
    await adopting.stop();
    expect(alive(pid)).toBe(false);
  });

  it('comes back when it dies, and adopts what an outsider started by argv', async () => {
    const server = await start();
    const killed = server.process.pid;
    process.kill(killed, 'SIGKILL');
    await until(() => server.process.pid !== killed && reachable(server.dsn));

    await server.stop();
    const { argv, env, cwd } = server.process;
    const [program = '', ...args] = argv;
    const outsider = spawn(program, args, { env, cwd, stdio: 'ignore', detached: true });
    await until(() => reachable(server.dsn));
    const adopting = await start();
    expect(adopting.process.pid).toBe(outsider.pid);
    process.kill(adopting.process.pid, 'SIGQUIT');
    await until(() => adopting.process.pid !== outsider.pid && reachable(adopting.dsn));
  });

  it('moves to another port with its data', async () => {
    const first = await start();
    await query(first.dsn, 'CREATE TABLE kept (n int)');
    port = await freePort();
    await first.stop();
    const second = await start();
    expect(await query(second.dsn, 'SELECT count(*)::int FROM kept')).toEqual([0]);
  });

  it('says which port is taken', async () => {
    const squatter = createServer().listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    await expect(start()).rejects.toMatchObject({ code: 'port-taken', message: expect.stringContaining(`port ${port} `) });
    squatter.close();
  });
});
