/** An application with connections that last: a gRPC service (unary and stream) and a WebSocket echo, on one address. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client, credentials, Metadata, Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from '@grpc/grpc-js';

/** Where it listens. */
export const STREAM_PORTS = { grpc: 9084, webSocket: 9085 } as const;

const bytes = (value: Buffer): Buffer => value;
const method = (path: string, responseStream: boolean, requestStream = false) => ({
  ...{ path, requestStream, responseStream },
  ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
});
/**
 * `Say` answers once, `Watch` says the name of the application and then keeps silent until somebody leaves, `Tell` says its name once
 * the first message came, and how many came once that was the last.
 */
const ECHO = {
  say: method('/echo.Echo/Say', false),
  watch: method('/echo.Echo/Watch', true),
  tell: method('/echo.Echo/Tell', true, true),
} satisfies ServiceDefinition;

/** A running application. */
export interface StreamApp {
  stop(): Promise<void>;
}

/** Starts it; every answer begins with its name. */
export async function startStreamApp(name: string, address: string): Promise<StreamApp> {
  const grpc = new Server();
  grpc.addService(ECHO, {
    say: (call: { request: Buffer; metadata: Metadata }, done: (error: null, value: Buffer) => void) =>
      done(null, Buffer.from(`${name}:${call.request}`)),
    watch: (call: { write(value: Buffer): void }) => call.write(Buffer.from(name)),
    tell: (call: ServerDuplexStream<Buffer, Buffer>) => {
      let told = 0;
      call.on('data', () => {
        told += 1;
        if (told === 1) call.write(Buffer.from(name));
      });
      call.on('end', () => {
        call.write(Buffer.from(String(told)));
        call.end();
      });
    },
  });
  await new Promise<void>((resolve, reject) =>
    grpc.bindAsync(`${address}:${STREAM_PORTS.grpc}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  const sockets = new Set<Duplex>();
  const web = createServer((_request, response) => response.writeHead(426).end());
  web.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    );
    socket.write(frame(name));
    socket.on('data', (part: Buffer) => {
      const [opcode, text] = unmasked(part);
      if (opcode === 8) socket.end(Buffer.from([0x88, 0]));
      else socket.write(frame(text));
    });
  });
  await new Promise<void>((resolve) => web.listen(STREAM_PORTS.webSocket, address, resolve));
  const stop = async (): Promise<void> => {
    grpc.forceShutdown();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => web.close(resolve));
  };
  return { stop };
}

/** A text frame of less than 126 bytes, as a server sends it (RFC 6455 section 5.2). */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, payload.length]), payload]);
}

function unmasked(part: Buffer): [opcode: number, text: string] {
  const mask = part.subarray(2, 6);
  const payload = part.subarray(6, 6 + ((part[1] ?? 0) & 0x7f));
  return [(part[0] ?? 0) & 0x0f, Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))).toString()];
}

/** A gRPC client of `authority` through a sidecar. */
export function grpcThrough(sidecar: string, authority: string): Client {
  return new Client(sidecar, credentials.createInsecure(), { 'grpc.default_authority': authority, 'grpc.enable_retries': 0 });
}

/** One unary call; the code of its status where it fails. */
export function say(client: Client, text: string, metadata: Readonly<Record<string, string>> = {}): Promise<string> {
  const sent = new Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
  return new Promise((resolve) => {
    client.makeUnaryRequest(ECHO.say.path, bytes, bytes, Buffer.from(text), sent, { deadline: Date.now() + 10_000 }, (error, value) =>
      resolve(error === null ? String(value) : `status ${error.code}`),
    );
  });
}

/** A connection that lasts: who answers, and when it broke. */
export interface Lasting {
  /** The application's name. */
  readonly servedBy: string;
  /** When it ended, by `performance.now()`. */
  readonly ended: Promise<number>;
  close(): void;
}

/** A gRPC stream; rejects when it ends before its first message. */
export function watch(client: Client): Promise<Lasting> {
  return new Promise((resolve, reject) => {
    const call = client.makeServerStreamRequest(ECHO.watch.path, bytes, bytes, Buffer.alloc(0));
    const ended = new Promise<number>((end) => call.once('end', () => end(performance.now())).once('error', () => end(performance.now())));
    call.once('data', (value: Buffer) => resolve({ servedBy: String(value), ended, close: () => call.cancel() }));
    call.once('error', reject);
  });
}

/** A gRPC stream of both sides: sends all, and returns all that was answered. */
export async function tell(client: Client, messages: readonly string[]): Promise<string[]> {
  const call = client.makeBidiStreamRequest(ECHO.tell.path, bytes, bytes, { deadline: Date.now() + 20_000 });
  for (const message of messages) call.write(Buffer.from(message));
  call.end();
  const answers: string[] = [];
  for await (const answer of call) answers.push(String(answer));
  return answers;
}

/** A WebSocket through a sidecar. */
export interface WebSocketClient {
  send(text: string): void;
  /** The next message. */
  next(): Promise<string>;
  close(): void;
  /** When it ended, by `performance.now()`. */
  readonly ended: Promise<number>;
}

/** Opens one with an HTTP/1.1 upgrade; rejects when the answer is another. */
export function openWebSocket(sidecar: string, host: string): Promise<WebSocketClient> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: sidecar, port: 15001, path: '/', headers: { host, ...upgrade }, timeout: 10_000 });
    asked.on('upgrade', (_response, socket: Duplex, head: Buffer) => resolve(client(socket, head)));
    asked.on('response', (response) => reject(new Error(`answered ${response.statusCode}`)));
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.end();
  });
}

function client(socket: Duplex, head: Buffer): WebSocketClient {
  let received = head;
  const waiting: ((text: string) => void)[] = [];
  const drain = (): void => {
    while (waiting.length > 0 && received.length >= 2 && received.length >= 2 + (received[1] ?? 0)) {
      const end = 2 + (received[1] ?? 0);
      waiting.shift()?.(received.subarray(2, end).toString());
      received = received.subarray(end);
    }
  };
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
    drain();
  });
  const ended = new Promise<number>((end) => socket.once('close', () => end(performance.now())));
  socket.on('error', () => socket.destroy());
  return {
    ended,
    send: (text) => void socket.write(masked(0x81, text)),
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        drain();
      }),
    close: () => void socket.write(masked(0x88, '')),
  };
}

/** As a client sends it; a mask of zeros leaves the text as it is. */
function masked(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** A TCP connection to an application that greets with its name; rejects when it ends before. */
export function openTcp({ address, port }: { readonly address: string; readonly port: number }): Promise<Lasting> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const ended = new Promise<number>((end) => socket.once('close', () => end(performance.now())));
    socket.once('data', (greeting: Buffer) => resolve({ servedBy: greeting.toString().trim(), ended, close: () => socket.destroy() }));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => reject(new Error('it was closed before its first byte')));
  });
}
