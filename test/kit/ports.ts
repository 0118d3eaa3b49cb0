/** Ports for servers of tests: below the ephemeral range, so that no outgoing connection takes one in between, and each worker its own. */
import { createServer } from 'node:net';

const FIRST = 20_000;
const PER_WORKER = 1_500;
const worker = Number(process.env['VITEST_POOL_ID'] ?? 0) % 8;

let next = process.pid % PER_WORKER;

/** A port of 127.0.0.1 that is free now and that no other worker is given. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PER_WORKER; tries += 1) {
    next = (next + 1) % PER_WORKER;
    const port = FIRST + worker * PER_WORKER + next;
    if (await canListen(port)) return port;
  }
  throw new Error('no port is free for a test');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
