/**
 * What every Bookinfo workload has in common: it knows its place from its flags, names itself in every answer,
 * and writes down each POST it received, so that a test can count deliveries.
 */
import { openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';

/** A workload's place, from its flags. */
export interface Place {
  readonly service: string;
  readonly version: string;
  readonly cluster: string;
  readonly region: string;
  readonly address: string;
  /** Where its sidecar takes its calls, at 15001: on a network on loopback alone. */
  readonly sidecar: string;
  readonly port: number;
  /** Ids of received POSTs are appended here, a line each. */
  readonly postsFile: string | undefined;
}

/** One answer: JSON, unless `html` is given. Status 200 unless told otherwise. */
export interface Answer {
  readonly status?: number;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly html?: string;
}

/** What a service does with one request; `path` is without the query, `body` is at most 64 KiB. */
export type Handler = (request: { readonly method: string; readonly path: string; readonly body: string }) => Answer | Promise<Answer>;

const MAX_BODY = 65_536;
/** Requests a second that the application answers, if it is to have a limit; what is more gets 503. */
const CAPACITY = Number(process.env['HAWSER_APP_CAPACITY'] ?? Number.POSITIVE_INFINITY);
const taken = { second: 0, requests: 0 };
/** SIGUSR2 makes a bad version of it, which answers 500, and a good one again. */
let isBad = false;
process.on('SIGUSR2', () => {
  isBad = !isBad;
});

/** Reads `--version --cluster --region --address [--sidecar] [--port] [--posts-file]`. */
export function placeFromFlags(service: string): Place {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      version: { ...text, default: 'v1' },
      cluster: text,
      region: text,
      address: { ...text, default: '127.0.0.1' },
      sidecar: text,
      port: { ...text, default: '9080' },
      'posts-file': text,
    },
  });
  const cluster = values.cluster ?? 'none';
  return {
    service,
    version: values.version,
    cluster,
    region: values.region ?? cluster,
    address: values.address,
    sidecar: values.sidecar ?? (values.address.startsWith('127.') ? values.address : '127.0.0.1'),
    port: Number(values.port),
    postsFile: values['posts-file'],
  };
}

/** Serves until SIGTERM; then it stops accepting, finishes what is in flight and exits. */
export function serve(place: Place, handler: Handler): void {
  const { service, version, cluster, region } = place;
  const posts = place.postsFile === undefined ? undefined : openSync(place.postsFile, 'a', 0o600);
  const self = { service, version, region, cluster };
  const headers = {
    'x-hawser-service': service,
    'x-hawser-version': version,
    'x-hawser-region': region,
    'x-hawser-cluster': cluster,
    'x-hawser-instance': place.address,
  };
  const server = createServer(async (request, response) => {
    const answer = await answered(request, handler, posts).catch(
      (error: unknown): Answer => ({ status: 500, body: { error: String(error) } }),
    );
    const text = answer.html ?? JSON.stringify({ ...self, ...answer.body });
    const type = answer.html === undefined ? 'application/json' : 'text/html; charset=utf-8';
    response.writeHead(answer.status ?? 200, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
  });
  server.keepAliveTimeout = 0; // the sidecar decides when to close; an idle close from here would race with a POST
  server.listen(place.port, place.address, 1_024);
  server.on('error', (error) => {
    console.error(`${service} cannot listen on ${place.address}:${place.port}: ${error.message}`);
    process.exit(1);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
      setTimeout(() => process.exit(0), 3_000).unref();
    });
}

async function answered(request: IncomingMessage, handler: Handler, posts: number | undefined): Promise<Answer> {
  const method = request.method ?? 'GET';
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (path === '/healthz') return {};
  if (isBad) return { status: 500, body: { error: 'a bad version' } };
  if (isBeyondCapacity()) return { status: 503, body: { error: 'more than this application can take' } };
  const body = await readBody(request);
  if (body === undefined) return { status: 413, body: { error: `a body may have ${MAX_BODY} bytes` } };
  const id = request.headers['x-post-id'];
  if (method === 'POST' && typeof id === 'string' && posts !== undefined) writeSync(posts, `${id}\n`);
  return handler({ method, path, body });
}

function isBeyondCapacity(): boolean {
  const second = Math.floor(performance.now() / 1_000);
  if (second !== taken.second) Object.assign(taken, { second, requests: 0 });
  taken.requests += 1;
  return taken.requests > CAPACITY;
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  for await (const part of request) {
    text += part;
    if (text.length > MAX_BODY) return undefined;
  }
  return text;
}
