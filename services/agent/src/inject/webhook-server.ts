/**
 * The door that API servers ask at (HTTPS, `POST /inject`). Who asks is not checked: the answer is the asker's own Pod with what everybody
 * may know, and nothing is kept. Bodies, requests in progress and time are bounded.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { boundedText, TooLong } from '@hawser/runtime/bounded-text.ts';
import { type LiveCertificate, TLS_FLOOR } from '@hawser/runtime/live-certificate.ts';
import type { AdmissionAnswer } from './admission.ts';

/** What it serves. */
export interface WebhookServerParts {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certificate: LiveCertificate;
  /** Undefined for what is no review. */
  readonly answer: (content: unknown) => AdmissionAnswer | undefined;
  readonly onOutcome: (outcome: AdmissionAnswer['outcome'] | 'refused') => void;
}

/** A running one. */
export interface WebhookServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** The path of it. */
export const WEBHOOK_PATH = '/inject';
/** An object is at most 1.5 MiB in etcd; a review bears it once, as JSON. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_REQUESTS = 64;
const MAX_CONNECTIONS = 256;
/** Of the webhook's 5 s. */
const REQUEST_MS = 4_000;

/** Binds and serves; throws `port-taken` naming the port. */
export async function startWebhookServer(parts: WebhookServerParts): Promise<WebhookServer> {
  const { address, port, certificate } = parts;
  const open = { requests: 0 };
  const server = createServer({ ...certificate.current, ...TLS_FLOOR }, (request, response) => {
    if (open.requests >= MAX_REQUESTS) return refuse(response, 503, `${MAX_REQUESTS} requests are in progress: come again`, parts);
    open.requests += 1;
    response.once('close', () => {
      open.requests -= 1;
    });
    void serve(request, response, parts).catch((error: unknown) =>
      refuse(response, error instanceof TooLong ? 413 : 400, messageOf(error), parts),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  Object.assign(server, { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, keepAliveTimeout: 65_000, timeout: 70_000 });
  const stopFollowing = certificate.onChange((next) => server.setSecureContext({ ...next, ...TLS_FLOOR }));
  const bound = await listen(server, address, port);
  return {
    port: bound,
    stop: async () => {
      stopFollowing();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, parts: WebhookServerParts): Promise<void> {
  const path = request.url?.split('?')[0];
  if (path === '/livez') return send(response, 200, { alive: true });
  if (path !== WEBHOOK_PATH) return refuse(response, 404, `there is ${WEBHOOK_PATH} here, and nothing else`, parts);
  if (request.method !== 'POST') return refuse(response, 405, 'expected POST', parts);
  const answer = parts.answer(JSON.parse(await boundedText(request, MAX_BODY_BYTES)));
  if (answer === undefined) return refuse(response, 400, 'this is no AdmissionReview of admission.k8s.io/v1', parts);
  parts.onOutcome(answer.outcome);
  send(response, 200, answer.review);
}

function refuse(response: ServerResponse, code: number, message: string, { onOutcome }: WebhookServerParts): void {
  onOutcome('refused');
  // What is not read of the body would be taken for the next request.
  response.setHeader('connection', 'close');
  send(response, code, { message });
}

function send(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function listen(server: Server | ReturnType<typeof createServer>, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `the injection webhook cannot listen on ${host}:${port}: ${error.message}; free the port or choose another one`;
      reject(new AppError('port-taken', message, { cause: error }));
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}
