/** Asks the machine's own resolvers what is not the mesh's: one after the other, each with its time, never more than so many at once. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { ResolverAddress } from './host-resolvers.ts';

/** Bounds of forwarding. */
export interface ForwarderOptions {
  readonly resolvers: () => readonly ResolverAddress[];
  /** For one resolver, milliseconds. */
  readonly attemptMs?: number;
  /** Queries in flight; more are refused at once, rather than all being late. */
  readonly mostInFlight?: number;
}

/** An answer; or that there was no room, or none in time. */
export type Forwarded = { readonly bytes: Buffer } | 'busy' | 'failed';

/** Glibc's own patience is 5 s for each resolver: two are asked before it gives up. */
const ATTEMPT_MS = 2_000;
const MOST_IN_FLIGHT = 512;
const MOST_RESOLVERS = 3;
const LARGEST_MESSAGE = 65_535;

/** Forwards queries as they came, so that every type, flag and option of them is kept. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #inFlight = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  async forward(query: Buffer, transport: 'udp' | 'tcp'): Promise<Forwarded> {
    const { resolvers, attemptMs = ATTEMPT_MS, mostInFlight = MOST_IN_FLIGHT } = this.#options;
    if (this.#inFlight >= mostInFlight) return 'busy';
    this.#inFlight += 1;
    try {
      for (const resolver of resolvers().slice(0, MOST_RESOLVERS)) {
        const answer = await (transport === 'udp' ? askUdp : askTcp)(query, resolver, attemptMs);
        if (answer !== undefined) return { bytes: answer };
      }
      return 'failed';
    } finally {
      this.#inFlight -= 1;
    }
  }
}

/** An own socket and a random identifier for each query: nobody who does not see it can answer it (RFC 5452). */
function askUdp(query: Buffer, { address, port }: ResolverAddress, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address.split('%')[0] ?? '') ? 'udp6' : 'udp4');
    const id = randomInt(65_536);
    const done = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.once('error', () => done());
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === id) done(withId(answer, query.readUInt16BE(0)));
    });
    socket.connect(port, address, () => socket.send(withId(query, id)));
  });
}

function askTcp(query: Buffer, { address, port }: ResolverAddress, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let received = Buffer.alloc(0);
    const done = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.on('connect', () => socket.write(framed(query)));
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      const message = firstMessage(received);
      if (message !== undefined) done(Buffer.from(message));
      else if (received.length > LARGEST_MESSAGE + 2) done();
    });
    socket.on('error', () => done());
    socket.on('close', () => done());
  });
}

/** A message as TCP carries it: behind its length (RFC 1035 section 4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The first whole message of what TCP brought. */
export function firstMessage(received: Buffer): Buffer | undefined {
  if (received.length < 2) return undefined;
  const length = received.readUInt16BE(0);
  return received.length < length + 2 ? undefined : received.subarray(2, length + 2);
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}
