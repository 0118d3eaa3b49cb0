/** The resolver beside an Envoy: UDP and TCP on loopback, names of the mesh from its table, everything else from the machine's resolvers. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { failure, judge, type Transport } from './answer.ts';
import { Forwarder, type ForwarderOptions, firstMessage, framed } from './forwarder.ts';
import type { NameTable } from './name-table.ts';

/** What a resolver works with; without `resolvers` it refuses what is not the mesh's. */
export interface ResolverOptions extends Partial<ForwarderOptions> {
  /** Where it listens, each by UDP and by TCP. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Undefined until the mesh's names are known. */
  readonly table: () => NameTable | undefined;
}

/** A running resolver. */
export interface Resolver {
  /** The port, where 0 was asked for. */
  readonly port: number;
  readonly inFlight: number;
  stop(): Promise<void>;
}

/** Connections of TCP at one address, in all. */
const MOST_CONNECTIONS = 128;
const IDLE_MS = 10_000;
/** A client may send several queries before the first is answered (RFC 7766); beyond so many bytes it has to wait. */
const MOST_PENDING = 65_537;

/** Starts it; rejects when an address cannot be bound. */
export async function startResolver(options: ResolverOptions): Promise<Resolver> {
  const { resolvers } = options;
  const forwarder = resolvers === undefined ? undefined : new Forwarder({ ...options, resolvers });
  const answer = answerer(options, forwarder);
  const stops: (() => Promise<void>)[] = [];
  let { port } = options;
  try {
    for (const address of options.addresses) {
      const door = await startTcp({ address, port }, answer);
      stops.push(door.stop);
      port = door.port;
      const socket = await startUdp({ address, port }, answer);
      stops.push(() => new Promise((resolve) => socket.close(() => resolve())));
    }
  } catch (error) {
    await Promise.all(stops.map((stop) => stop()));
    throw error;
  }
  return {
    port,
    get inFlight() {
      return forwarder?.inFlight ?? 0;
    },
    stop: async () => void (await Promise.all(stops.map((stop) => stop()))),
  };
}

type Answerer = (query: Buffer, transport: Transport) => Promise<Buffer | undefined>;

function answerer({ table }: ResolverOptions, forwarder: Forwarder | undefined): Answerer {
  return async (query, transport) => {
    const verdict = judge(query, table(), transport);
    if (verdict === 'drop') return undefined;
    if (verdict !== 'forward') return verdict.answer;
    if (forwarder === undefined) return failure(query, transport, 'refused');
    const forwarded = await forwarder.forward(query, transport);
    if (typeof forwarded === 'object') return forwarded.bytes;
    return failure(query, transport, forwarded === 'busy' ? 'refused' : 'failed');
  };
}

interface At {
  readonly address: string;
  readonly port: number;
}

function startUdp({ address, port }: At, answer: Answerer): Promise<UdpSocket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  socket.on('message', async (query, from) => {
    const bytes = await answer(query, 'udp');
    // The client may have gone, which it need not hear of.
    if (bytes !== undefined) socket.send(bytes, from.port, from.address, () => undefined);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

interface TcpDoor {
  readonly port: number;
  stop(): Promise<void>;
}

function startTcp({ address, port }: At, answer: Answerer): Promise<TcpDoor> {
  /** With the client's address; the oldest first. */
  const open = new Map<Socket, string>();
  const server = createServer((socket) => {
    const client = socket.remoteAddress ?? '';
    if (open.size >= MOST_CONNECTIONS && !makeRoom(open, client)) {
      socket.destroy();
      return;
    }
    open.set(socket, client);
    socket.once('close', () => open.delete(socket));
    serve(socket, answer);
  });
  const stop = (): Promise<void> => {
    for (const socket of open.keys()) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve({ port: portOf(server), stop }));
  });
}

/**
 * Ends the oldest connection of the client that has the most, unless the newcomer is as large: all Pods of a cluster may ask an outbound
 * gateway, and none keeps the others out. A client asks again when its connection ends (RFC 7766).
 */
function makeRoom(open: Map<Socket, string>, newcomer: string): boolean {
  const byClient = Map.groupBy(open.keys(), (socket) => open.get(socket));
  const [largest = []] = [...byClient.values()].sort((a, b) => b.length - a.length);
  const [oldest] = largest;
  if (oldest === undefined || largest.length <= (byClient.get(newcomer)?.length ?? 0)) return false;
  open.delete(oldest);
  oldest.destroy();
  return true;
}

/** One query after the other: a client that does not read what it asked for is not read from. */
function serve(socket: Socket, answer: Answerer): void {
  let received = Buffer.alloc(0);
  let busy = false;
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  const drain = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let query = firstMessage(received); query !== undefined && !socket.destroyed; query = firstMessage(received)) {
      received = received.subarray(query.length + 2);
      const bytes = await answer(Buffer.from(query), 'tcp');
      if (bytes === undefined) socket.destroy();
      else if (!socket.destroyed && !socket.write(framed(bytes)))
        await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
    busy = false;
    if (received.length < MOST_PENDING) socket.resume();
  };
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
    if (received.length >= MOST_PENDING) socket.pause();
    void drain();
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
