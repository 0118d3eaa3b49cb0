/** An application that answers with what it received, and remembers it: HTTP/1.1, HTTP/2 without TLS, TCP and TLS, on one address. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Identity } from '../../datapath/kit/pki.ts';

/** Where an application listens, by what it speaks. */
export const APP_PORTS = { http: 9080, tcp: 9081, http2: 9082, tls: 9083 } as const;

/** What an application received. */
export interface Received {
  readonly servedBy: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How a request wants to be answered: JSON in its header `x-reply`. */
export interface WantedReply {
  /** 200 unless given. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of what was received, as JSON. */
  readonly body?: string;
  readonly delayMs?: number;
  /** Only this application answers so; others as usual. */
  readonly only?: string;
}

/** A running application. */
export interface EchoApp {
  readonly name: string;
  readonly address: string;
  /** Every HTTP request, the oldest first; a test empties it by `received.length = 0`. */
  readonly received: Received[];
  /** Stops listening and cuts every connection, as a crash does. */
  stop(): Promise<void>;
}

/**
 * Starts an application. HTTP answers carry `x-served-by` and a `Received` as JSON. TCP and TLS say `NAME` and a line feed, then echo;
 * TLS with the given certificate.
 */
export async function startEchoApp(name: string, address: string, identity?: Identity): Promise<EchoApp> {
  const received: Received[] = [];
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => answer({ name, received }, request, response);
  const sockets = new Set<Socket>();
  const greet = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    socket.write(`${name}\n`);
    socket.pipe(socket);
  };
  const servers: [NetServer | Server, number][] = [
    [createServer(onRequest), APP_PORTS.http],
    [createTcpServer(greet), APP_PORTS.tcp],
    [createHttp2Server((request, response) => onRequest(request as never, response as never)), APP_PORTS.http2],
    ...(identity === undefined ? [] : [tlsServer(identity, greet)]),
  ];
  for (const [server, port] of servers) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await listen(server, address, port);
  }
  const stop = async (): Promise<void> => {
    const closed = servers.map(([server]) => new Promise((resolve) => server.close(resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  return { name, address, received, stop };
}

function tlsServer({ certificate, key }: Identity, greet: (socket: Socket) => void): [NetServer, number] {
  return [createTlsServer({ cert: certificate, key }, greet), APP_PORTS.tls];
}

function listen(server: NetServer | Server, address: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(server.address() as AddressInfo));
  });
}

function answer(app: { name: string; received: Received[] }, request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.on('data', (part: Buffer) => {
    body += part.toString();
  });
  request.on('end', () => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
    const echo = { servedBy: app.name, method: request.method ?? '', path: request.url ?? '', headers, body };
    app.received.push(echo);
    if (app.received.length > 10_000) app.received.shift();
    reply(echo, response);
  });
}

function reply(echo: Received, response: ServerResponse): void {
  const asked = JSON.parse(echo.headers['x-reply'] ?? '{}') as WantedReply;
  const wanted = asked.only === undefined || asked.only === echo.servedBy ? asked : {};
  const send = (): void => {
    const headers = { 'content-type': 'application/json', 'x-served-by': echo.servedBy, ...wanted.headers };
    response.writeHead(wanted.status ?? 200, headers).end(wanted.body ?? JSON.stringify(echo));
  };
  if (wanted.delayMs === undefined) send();
  else setTimeout(send, wanted.delayMs);
}
