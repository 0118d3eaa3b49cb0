/** Clients outside of the mesh: they know a host by its name, and its authority. */
import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { At } from './clients.ts';
import type { Received } from './echo-app.ts';

/** One request. */
export interface OutsideCall {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By TLS, with these settings beside the host as server name; plain when left out. */
  readonly tls?: ConnectionOptions;
  readonly http2?: boolean;
}

/** The answer; status 0 with the reason when there is none. */
export interface OutsideReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly servedBy: string;
  readonly got: Received | undefined;
  /** Of the server, when it came by TLS. */
  readonly certificate?: { readonly names: string; readonly type: string; readonly fingerprint: string };
  readonly version?: string;
  readonly cipher?: string;
}

const DEADLINE_MS = 10_000;

/** Sends one request on a connection of its own. */
export async function callOutside(at: At, call: OutsideCall): Promise<OutsideReply> {
  try {
    return call.http2 === true ? await overHttp2(at, call) : await overHttp1(at, call);
  } catch (error) {
    return { status: 0, headers: {}, body: error instanceof Error ? error.message : String(error), servedBy: '', got: undefined };
  }
}

/** The TLS session of a client that says nothing; rejects when the handshake fails. */
export async function handshake(at: At, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: at.address, port: at.port, rejectUnauthorized: false, ...options });
  socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('no handshake in time')));
  await once(socket, 'secureConnect');
  return socket;
}

function overHttp1(at: At, { host, path = '/', method = 'GET', headers = {}, tls }: OutsideCall): Promise<OutsideReply> {
  return new Promise((resolve, reject) => {
    const options = {
      host: at.address,
      port: at.port,
      method,
      path,
      headers: { host, ...headers },
      agent: false,
      localAddress: '127.0.0.1',
      timeout: DEADLINE_MS,
    };
    const secure: RequestOptions = { ...options, servername: host, rejectUnauthorized: false, ...(tls as RequestOptions | undefined) };
    const sent = tls === undefined ? requestHttp(options) : requestHttps(secure);
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const session = tls === undefined ? {} : sessionOf(response.socket as TLSSocket);
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.on('error', reject);
      response.on('end', () => resolve({ ...replyOf(response.statusCode ?? 0, response.headers, body), ...session }));
    });
    sent.end();
  });
}

async function overHttp2(at: At, { host, path = '/', method = 'GET', headers = {}, tls }: OutsideCall): Promise<OutsideReply> {
  const socket = tls === undefined ? undefined : await handshake(at, { servername: host, ALPNProtocols: ['h2'], ...tls });
  const secure = socket === undefined ? {} : { createConnection: () => socket };
  const session = connectHttp2(`${socket === undefined ? 'http' : 'https'}://${at.address}:${at.port}`, secure);
  try {
    return await new Promise<OutsideReply>((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':method': method, ':path': path, ':authority': host, ...headers });
      stream.setTimeout(DEADLINE_MS, () => reject(new Error('no answer in time')));
      let [body, head]: [string, NodeJS.Dict<string | string[] | number>] = ['', {}];
      stream.on('response', (received) => {
        head = received;
      });
      stream.on('data', (part: Buffer) => {
        body += part.toString();
      });
      stream.on('error', reject);
      stream.on('end', () =>
        resolve({ ...replyOf(Number(head[':status'] ?? 0), head, body), ...(socket === undefined ? {} : sessionOf(socket)) }),
      );
    });
  } finally {
    session.destroy();
  }
}

function replyOf(status: number, head: NodeJS.Dict<string | string[] | number>, body: string): OutsideReply {
  const headers = Object.fromEntries(Object.entries(head).map(([name, value]) => [name, String(value)]));
  const servedBy = headers['x-served-by'] ?? '';
  const got = servedBy !== '' && body.startsWith('{') ? (JSON.parse(body) as Received) : undefined;
  return { status, headers, body, servedBy, got };
}

function sessionOf(socket: TLSSocket): Pick<OutsideReply, 'certificate' | 'version' | 'cipher'> {
  const { subjectaltname = '', asn1Curve, fingerprint256 } = socket.getPeerCertificate();
  const certificate = { names: subjectaltname, type: asn1Curve === undefined ? 'rsa' : 'ecdsa', fingerprint: fingerprint256 };
  return { certificate, version: socket.getProtocol() ?? '', cipher: socket.getCipher().name };
}
