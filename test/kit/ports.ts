/**
 * Ports for servers of tests: below the ephemeral range, so that no outgoing connection takes one in between, and in blocks. Whoever listens
 * on the first port of a block has it for as long as it lives: other workers, and other runs on the machine, give out no port of it.
 */
import { createServer, type Server } from 'node:net';

const FIRST = 20_000;
const BLOCKS = 120;
const PER_BLOCK = 100;

let block: Promise<Block> | undefined;

/** A port of 127.0.0.1 that is free now and that nobody else is given. */
export async function freePort(): Promise<number> {
  for (let claims = 0; claims < BLOCKS; claims += 1) {
    block ??= claimedBlock();
    const mine = await block;
    const port = await mine.freePort();
    if (port !== undefined) return port;
    // Its ports are in use, so it stays ours; of several callers one claims the next.
    if (mine === (await block)) block = undefined;
  }
  throw new Error('no port is free for a test');
}

/** The ports of a block in turn, so that one comes again as late as possible. */
class Block {
  readonly #first: number;
  #last = 0;

  constructor(first: number) {
    this.#first = first;
  }

  async freePort(): Promise<number | undefined> {
    for (let tries = 1; tries < PER_BLOCK; tries += 1) {
      this.#last = (this.#last % (PER_BLOCK - 1)) + 1;
      const port = this.#first + this.#last;
      const server = await listening(port);
      if (server === undefined) continue;
      await new Promise((resolve) => server.close(resolve));
      return port;
    }
    return undefined;
  }
}

async function claimedBlock(): Promise<Block> {
  for (let tries = 0; tries < BLOCKS; tries += 1) {
    const first = FIRST + ((process.pid + tries) % BLOCKS) * PER_BLOCK;
    const claim = await listening(first);
    if (claim === undefined) continue;
    claim.unref();
    return new Block(first);
  }
  throw new Error(`all ports from ${FIRST} on are taken by other tests: end them, or wait for their end`);
}

/** A server at the port; undefined when another has it. */
function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  });
}
