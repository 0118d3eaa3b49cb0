/** A TLS proxy in front of an API server, which answers as no API server should: what stands there when a network, a load balancer or the server itself is not good. */
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, Agent as HttpsAgent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { forge, forgeRoot } from './forge.ts';
import type { TestKubeApiserver } from './kube-apiserver.ts';

/**
 * What it does. `cut`: every answer ends in the middle of its bytes, a watch in the middle of its next event. `busy`: 429. `broken`: 500. `lost`: 404.
 * `page`: HTML with 200. `garbage`: what is no JSON with 200, in open watches too. `truncated`: half of a list with a length to match. `empty`: 200
 * and no byte. `hollow`: an empty list of no version. `frozen`: no byte more, connections stay. `trickle`: byte by byte. `older`: lists as they were
 * asked for before.
 */
export const API_FAULTS = [
  ...(['cut', 'busy', 'broken', 'lost', 'page', 'garbage', 'truncated', 'empty', 'hollow', 'frozen', 'trickle', 'older'] as const),
];
export type ApiFault = (typeof API_FAULTS)[number];

/** A running proxy. */
export interface ApiFaultProxy {
  readonly url: string;
  /** PEM of who signed its certificate. */
  readonly ca: string;
  /** From now on it does this, to open watches too; undefined: nothing. */
  set(fault: ApiFault | undefined): void;
  /** Ends all watches as a broken network does. */
  cutWatches(): void;
  /** Answers `older` with nothing from before now: the store was restored, and what it had since its backup never was. */
  forgetLists(): void;
  stop(): Promise<void>;
}

interface KeptList {
  readonly status: number;
  readonly body: Buffer;
}

const TRICKLE_MS = 5;

/** Starts one; it holds no rights of its own and passes on who asks. */
export async function startApiFaultProxy(kube: Pick<TestKubeApiserver, 'url' | 'ca'>): Promise<ApiFaultProxy> {
  const root = await forgeRoot('fault-proxy');
  const { certificate, key } = await forge(root, { names: [{ type: 'ip', value: '127.0.0.1' }], until: 24 });
  const proxy = new FaultingProxy(kube);
  const server = createServer(
    { cert: certificate, key },
    (asked, response) => void proxy.answer(asked, response).catch(() => response.destroy()),
  );
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: `${root.certificate.toString('pem')}\n`,
    set: (fault) => proxy.set(fault),
    cutWatches: () => proxy.cutWatches(),
    forgetLists: () => proxy.forgetLists(),
    stop: async () => {
      proxy.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class FaultingProxy {
  readonly #kube: Pick<TestKubeApiserver, 'url' | 'ca'>;
  readonly #upstream = new HttpsAgent({ keepAlive: true });
  readonly #turns = new EventEmitter().setMaxListeners(0);
  readonly #watches = new Set<ServerResponse>();
  /** The last whole answer to the first page of each collection. */
  readonly #lists = new Map<string, KeptList>();
  #fault: ApiFault | undefined;

  constructor(kube: Pick<TestKubeApiserver, 'url' | 'ca'>) {
    this.#kube = kube;
  }

  set(fault: ApiFault | undefined): void {
    this.#fault = fault;
    this.#turns.emit('turn');
    if (fault === 'garbage') for (const watch of this.#watches) watch.write('\0<garbage>\n');
    else if (fault !== undefined && !['cut', 'frozen', 'trickle'].includes(fault)) this.cutWatches();
  }

  cutWatches(): void {
    for (const watch of this.#watches) watch.socket?.destroy();
  }

  forgetLists(): void {
    this.#lists.clear();
  }

  stop(): void {
    this.set(undefined);
    this.cutWatches();
    this.#upstream.destroy();
  }

  async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    while (this.#fault === 'frozen') await once(this.#turns, 'turn');
    const url = new URL(asked.url ?? '/', this.#kube.url);
    const isWatch = url.searchParams.has('watch');
    const kept = this.#lists.get(url.pathname);
    if (this.#fault === 'older' && !isWatch && !url.searchParams.has('continue') && kept !== undefined)
      say(response, kept.status, kept.body);
    else if (!this.#misbehaves(response)) await this.#pass(asked, response, { url, isWatch });
  }

  /** Whether it answered by itself. */
  #misbehaves(response: ServerResponse): boolean {
    const status = (code: number, reason: string): string =>
      JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: reason });
    if (this.#fault === 'busy') say(response.setHeader('retry-after', '1'), 429, status(429, 'TooManyRequests'));
    else if (this.#fault === 'broken') say(response, 500, status(500, 'InternalError'));
    else if (this.#fault === 'lost') say(response, 404, 'default backend - 404');
    else if (this.#fault === 'page') say(response, 200, '<html><body>Sign in</body></html>');
    else if (this.#fault === 'garbage') say(response, 200, '\0<garbage>\n');
    else if (this.#fault === 'empty') say(response, 200, '');
    else if (this.#fault === 'hollow') say(response, 200, JSON.stringify({ kind: 'List', metadata: {}, items: [] }));
    else return false;
    return true;
  }

  async #pass(asked: IncomingMessage, response: ServerResponse, { url, isWatch }: { url: URL; isWatch: boolean }): Promise<void> {
    const { ca } = this.#kube;
    const headers = { ...asked.headers, host: url.host };
    const upstream = request(url, { method: asked.method, headers, ca, agent: this.#upstream });
    response.once('close', () => upstream.destroy());
    asked.pipe(upstream);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    if (isWatch && answer.statusCode === 200) {
      this.#watches.add(response);
      response.once('close', () => this.#watches.delete(response));
      response.writeHead(200, answer.headers).flushHeaders();
      for await (const chunk of answer as AsyncIterable<Buffer>) await this.#relay(response, chunk);
      response.end();
    } else await this.#hand(response, answer, { url, isWatch });
  }

  /** A list, or a refusal. */
  async #hand(response: ServerResponse, answer: IncomingMessage, { url, isWatch }: { url: URL; isWatch: boolean }): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    const [status, body] = [answer.statusCode ?? 502, Buffer.concat(chunks)];
    const isFirst = !isWatch && status === 200 && !url.searchParams.has('continue') && url.searchParams.get('limit') !== '1';
    if (isFirst && this.#fault !== 'older') this.#lists.set(url.pathname, { status, body });
    if (this.#fault === 'truncated') return void say(response, status, body.subarray(0, body.length >> 1));
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(body.length) });
    await this.#relay(response, body);
    response.end();
  }

  /** Hands a piece on, or what the fault leaves of it. */
  async #relay(response: ServerResponse, chunk: Buffer): Promise<void> {
    while (this.#fault === 'frozen') await once(this.#turns, 'turn');
    let sent = 0;
    for (; this.#fault === 'trickle' && sent < chunk.length; sent += 1) {
      response.write(chunk.subarray(sent, sent + 1));
      await wait(TRICKLE_MS);
    }
    if (this.#fault === 'cut') {
      response.write(chunk.subarray(sent, chunk.length >> 1));
      await wait(1); // what was written is on its way
      response.socket?.destroy();
      throw new Error('cut');
    }
    response.write(chunk.subarray(sent));
  }
}

function say(response: ServerResponse, status: number, body: string | Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }).end(body);
}
