/** A small server that speaks list and watch as an API server does, and fails as it is told to. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One object, as JSON. */
export type Raw = Readonly<Record<string, unknown>>;

/** What a request is answered with in place of the truth; undefined: with the truth. */
export type Fault = (url: URL, response: ServerResponse) => boolean;

interface Collection {
  readonly objects: Map<string, Raw>;
  readonly watches: Set<ServerResponse>;
  readonly events: { readonly version: number; readonly line: string }[];
}

/** The collections by path, their versions, and who watches. */
export class ScriptedApiServer {
  readonly asked: string[] = [];
  readonly #collections = new Map<string, Collection>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #version = 100;
  #compacted = 0;
  /** Asked for every request; true: it was answered there. */
  fault: Fault = () => false;
  /** What a POST is answered with. */
  post: (body: unknown) => unknown = () => ({});

  async start(): Promise<URL> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Has a collection, even with nothing in it; the store is at least at this version. */
  have(path: string, version = 0): void {
    this.#collection(path);
    this.#version = Math.max(this.#version, version);
  }

  /** Is as it was at an earlier version, without these objects; nobody is told. */
  restore(version: number, without: readonly string[]): void {
    this.#version = version;
    for (const { objects, events } of this.#collections.values()) {
      for (const name of without) objects.delete(name);
      events.length = 0;
    }
  }

  /** Puts an object under a key of its own. */
  put(path: string, name: string, object: Raw): void {
    const collection = this.#collection(path);
    const type = collection.objects.has(name) ? 'MODIFIED' : 'ADDED';
    const made = this.#made(name, object);
    collection.objects.set(name, made);
    this.#tell(collection, type, made);
  }

  delete(path: string, name: string): void {
    const collection = this.#collection(path);
    const object = collection.objects.get(name) ?? {};
    collection.objects.delete(name);
    this.#tell(collection, 'DELETED', this.#made(name, object));
  }

  /** Events so far are forgotten: who comes with an older version is told 410 Gone. */
  compact(): void {
    this.#compacted = this.#version;
    for (const { events } of this.#collections.values()) events.length = 0;
  }

  /** How many watches of a collection are open. */
  watches(path: string): number {
    return this.#collection(path).watches.size;
  }

  /** Writes as it is into the open watches of a collection, and cuts them off then if told to. */
  inject(path: string, text: string, cut = false): void {
    for (const watch of this.#collection(path).watches) {
      watch.write(text);
      if (cut) watch.destroy();
    }
  }

  /** Ends all watches of a collection as a server does that was asked to. */
  endWatches(path: string): void {
    for (const watch of this.#collection(path).watches) watch.end();
  }

  #collection(path: string): Collection {
    const known = this.#collections.get(path);
    if (known !== undefined) return known;
    const made = { objects: new Map(), watches: new Set<ServerResponse>(), events: [] };
    this.#collections.set(path, made);
    return made;
  }

  #made(name: string, object: Raw): Raw {
    this.#version += 1;
    return { ...object, metadata: { name, ...(object['metadata'] as Raw | undefined), resourceVersion: `${this.#version}` } };
  }

  #tell(collection: Collection, type: string, object: Raw): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    collection.events.push({ version: this.#version, line });
    for (const watch of collection.watches) watch.write(line);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://server');
    this.asked.push(`${request.method} ${url.pathname}${url.search}`);
    if (this.fault(url, response)) return;
    if (request.method === 'POST') void this.#take(request, response);
    else if (!this.#collections.has(url.pathname)) json(response, 404, { kind: 'Status', code: 404, message: 'no such kind' });
    else if (url.searchParams.get('watch') === '1') this.#watch(url, response);
    else this.#list(url, response);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    json(response, 201, this.post(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
  }

  #list(url: URL, response: ServerResponse): void {
    const all = [...this.#collection(url.pathname).objects.values()];
    const start = Number(url.searchParams.get('continue') ?? 0);
    const end = start + Number(url.searchParams.get('limit') ?? all.length);
    const metadata = { resourceVersion: `${this.#version}`, ...(end < all.length ? { continue: `${end}` } : {}) };
    json(response, 200, { kind: `${kindOf(url.pathname)}List`, metadata, items: all.slice(start, end) });
  }

  #watch(url: URL, response: ServerResponse): void {
    const { watches, events } = this.#collection(url.pathname);
    const from = Number(url.searchParams.get('resourceVersion'));
    if (from < this.#compacted) {
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watches.add(response);
    response.on('close', () => watches.delete(response));
    for (const { version, line } of events) if (version > from) response.write(line);
  }
}

/** `/api/v1/pods` → `Pod`. */
function kindOf(path: string): string {
  const plural = path.slice(path.lastIndexOf('/') + 1);
  const [found] = ['EndpointSlice', 'ServiceExport', 'ServiceImport', 'Namespace', 'VirtualService'].filter(
    (kind) => `${kind.toLowerCase()}s` === plural,
  );
  return found ?? `${plural.charAt(0).toUpperCase()}${plural.slice(1, -1)}`;
}

/** Answers with JSON; true, as a fault that has answered. */
export function json(response: ServerResponse, status: number, body: unknown): true {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return true;
}
