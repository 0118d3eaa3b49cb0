/**
 * The addresses of loopback that a test file uses are its own among the files of one run, and the same in every run: where several runs share
 * a machine, a file waits until no other run is at it. Runs before each file (`setupFiles`).
 */
import { createServer, type Server } from 'node:net';
import { relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';

const DEADLINE_MS = 900_000;
const EVERY_MS = 200;

const file = relative(process.cwd(), expect.getState().testPath ?? '');
// Names of no file system, which the kernel forgets with the process that listens there, are Linux's alone (unix(7), "abstract").
const turn = process.platform === 'linux' ? await turnOf(file) : undefined;
afterAll(() => void turn?.close());

async function turnOf(name: string): Promise<Server> {
  for (const until = Date.now() + DEADLINE_MS; Date.now() < until; await wait(EVERY_MS)) {
    const server = await listening(`\0hawser-test ${name}`);
    if (server !== undefined) return server.unref();
  }
  throw new Error(`another run of tests on this machine has been at ${name} for ${DEADLINE_MS / 60_000} minutes: end it`);
}

/** A server at the path; undefined while another has it. */
function listening(path: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ path }, () => resolve(server));
  });
}
