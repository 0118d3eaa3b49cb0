/** Clients of a sidecar: HTTP/1.1, HTTP/2, TCP and TLS. None of them repeats anything. */
import { type Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Received, WantedReply } from './echo-app.ts';

const DEADLINE_MS = 10_000;

/** A request through a sidecar. */
export interface CallOptions {
  /** `reviews.bookinfo.svc.clusterset.local` and path `/` unless given; a port goes behind the host. */
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  /** A list is a header that comes several times. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** How the application shall answer. */
  readonly reply?: WantedReply;
  /** HTTP/2 with prior knowledge instead of HTTP/1.1. */
  readonly http2?: boolean;
  readonly agent?: Agent;
}

/** Its answer. */
export interface Reply {
  /** 0: no answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Name of the application; empty when an Envoy answered itself. */
  readonly servedBy: string;
  /** What the application received; undefined when an Envoy answered itself. */
  readonly got: Received | undefined;
  /** From the beginning of the request to the end of the answer. */
  readonly ms: number;
}

/** An address of a proxy. */
export interface At {
  readonly address: string;
  readonly port: number;
}

/** Sends one request to a sidecar, in absolute form as to a proxy. */
export async function callHttp(at: At, options: CallOptions): Promise<Reply> {
  const started = performance.now();
  const headers = { ...options.headers, ...(options.reply === undefined ? {} : { 'x-reply': JSON.stringify(options.reply) }) };
  const answer = options.http2 === true ? await http2Answer(at, options, headers) : await http1Answer(at, options, headers);
  const servedBy = answer.headers['x-served-by'] ?? '';
  return { ...answer, servedBy, got: receivedIn(answer.body, servedBy), ms: performance.now() - started };
}

type Answer = Pick<Reply, 'status' | 'headers' | 'body'>;
type Headers = Readonly<Record<string, string>>;
type Sent = NonNullable<CallOptions['headers']>;

/** The host that is called unless another is named. */
export const DEFAULT_HOST = 'reviews.bookinfo.svc.clusterset.local';

function http1Answer(at: At, options: CallOptions, headers: Sent): Promise<Answer> {
  const { host = DEFAULT_HOST, path = '/', method = 'GET', body, agent = false } = options;
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve({ status: 0, headers: {}, body: error.message });
    const target = { host: at.address, port: at.port, path: `http://${host}${path}` };
    const sent = request({ ...target, method, headers: { host, ...headers }, agent, timeout: DEADLINE_MS }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString();
      });
      response.on('error', failed);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: plain(response.headers), body: text }));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', failed);
    sent.end(body);
  });
}

function http2Answer(at: At, options: CallOptions, headers: Sent): Promise<Answer> {
  const { host = DEFAULT_HOST, path = '/', method = 'GET', body } = options;
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${at.address}:${at.port}`);
    const done = (answer: Answer): void => {
      resolve(answer);
      session.destroy();
    };
    const failed = (error: Error): void => done({ status: 0, headers: {}, body: error.message });
    session.on('error', failed);
    const stream = session.request({ ':method': method, ':path': path, ':authority': host, ...headers }, { endStream: body === undefined });
    let [text, head]: [string, Headers] = ['', {}];
    stream.on('response', (received) => {
      head = plain(received);
    });
    stream.on('data', (part: Buffer) => {
      text += part.toString();
    });
    stream.on('error', failed);
    stream.setTimeout(DEADLINE_MS, () => failed(new Error('no answer in time')));
    stream.on('end', () => done({ status: Number(head[':status'] ?? 0), headers: head, body: text }));
    if (body !== undefined) stream.end(body);
  });
}

function plain(headers: NodeJS.Dict<string | string[] | number>): Headers {
  const entries = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)] as const);
  return Object.fromEntries(entries);
}

function receivedIn(body: string, servedBy: string): Received | undefined {
  if (servedBy === '' || !body.startsWith('{')) return undefined;
  try {
    return JSON.parse(body) as Received;
  } catch {
    return undefined;
  }
}

/** Connects, sends a line, and gives the lines that come back: the application's name, then the echo. Empty when it was refused. */
export function callTcp(at: At, line: string, tls?: { readonly servername: string }): Promise<string[]> {
  return new Promise((resolve) => {
    const to = { host: at.address, port: at.port };
    const socket = tls === undefined ? connect(to) : connectTls({ ...to, servername: tls.servername, rejectUnauthorized: false });
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(text.split('\n').filter((part) => part !== ''));
    };
    socket.setTimeout(DEADLINE_MS, done);
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(`${line}\n`));
    socket.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.endsWith(`${line}\n`)) done();
    });
    socket.on('error', done);
    socket.on('close', done);
  });
}
