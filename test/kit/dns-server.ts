/** A DNS server for tests: answers A records of the names that it is told, over UDP (RFC 1035), and counts what it is asked. */
import { createSocket } from 'node:dgram';

/** A running server. */
export interface DnsServer {
  readonly address: string;
  readonly port: number;
  /** Name → IPv4 addresses; a name that is not here does not exist. A test changes it at will. */
  readonly names: Map<string, readonly string[]>;
  /** Name → how often its addresses were asked for. */
  readonly asked: Map<string, number>;
  stop(): Promise<void>;
}

const TYPE_A = 1;
const CLASS_IN = 1;
const TTL_S = 1;

/** Starts it on a free port. */
export async function startDnsServer(address: string): Promise<DnsServer> {
  const [names, asked] = [new Map<string, readonly string[]>(), new Map<string, number>()];
  const socket = createSocket('udp4');
  socket.on('message', (query, { address: from, port }) => {
    const question = questionOf(query);
    if (question === undefined) return;
    if (question.type === TYPE_A) asked.set(question.name, (asked.get(question.name) ?? 0) + 1);
    socket.send(answer(query, question, names.get(question.name)), port, from);
  });
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const stop = (): Promise<void> => new Promise((resolve) => socket.close(() => resolve()));
  return { address, port: socket.address().port, names, asked, stop };
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where it ends in the query. */
  readonly end: number;
}

function questionOf(query: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]; length !== undefined && length > 0; length = query[at]) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  if (at + 5 > query.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** No addresses: the name does not exist. Another type of a name that does: no error, and no answer. */
function answer(query: Buffer, { type, end }: Question, addresses: readonly string[] | undefined): Buffer {
  const records = type === TYPE_A ? (addresses ?? []).map(record) : [];
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(addresses === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}

function record(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  // A pointer to the question's name, which always begins at 12.
  bytes.writeUInt16BE(0xc00c, 0);
  bytes.writeUInt16BE(TYPE_A, 2);
  bytes.writeUInt16BE(CLASS_IN, 4);
  bytes.writeUInt32BE(TTL_S, 6);
  bytes.writeUInt16BE(4, 10);
  address.split('.').forEach((part, index) => void bytes.writeUInt8(Number(part), 12 + index));
  return bytes;
}
