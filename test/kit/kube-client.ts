/** One user's client of an API server, for tests: JSON over TLS, and no library of the product's, which it helps to judge. */

import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { Inbox } from './inbox.ts';

/** What came back, whatever it is. */
export interface KubeAnswer {
  readonly code: number;
  readonly body: unknown;
}

/** One event of a watch (API concepts, "Efficient detection of changes"). */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { readonly code?: number; readonly reason?: string };
}

/** An answer that is no success. */
export class KubeError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(what: string, { code, body }: KubeAnswer) {
    const { message = JSON.stringify(body), reason = '' } = (body ?? {}) as { readonly message?: string; readonly reason?: string };
    super(`${what}: ${code} ${message}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Where to ask, and as whom. */
export interface KubeAccess {
  readonly url: string;
  /** PEM of who signed the server's certificate. */
  readonly ca: string;
  readonly token: string;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const ANSWER_MS = 60_000;
const TYPES = { PATCH: 'application/merge-patch+json', APPLY: 'application/apply-patch+yaml' } as const;

/** Asks an API server. */
export class KubeClient {
  readonly #access: KubeAccess;
  /** What the server serves, by group and version. */
  readonly #resources = new Map<string, readonly Resource[]>();

  constructor(access: KubeAccess) {
    this.#access = access;
  }

  /** Any request; resolves with any answer. `APPLY` is a PATCH that applies (server-side apply). */
  async ask(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'APPLY' | 'DELETE', path: string, body?: unknown): Promise<KubeAnswer> {
    const type = method === 'PATCH' || method === 'APPLY' ? TYPES[method] : 'application/json';
    const asked = this.#request(method === 'APPLY' ? 'PATCH' : method, path, type);
    asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error(`${method} ${path}: no answer within ${ANSWER_MS / 1_000} s`)));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await answerTo(asked);
    let text = '';
    for await (const part of answer.setEncoding('utf8')) text += String(part);
    return { code: answer.statusCode ?? 0, body: parsed(text) };
  }

  /** The answer of a request that must succeed; else `KubeError`. */
  async must<T = KubeObject>(...[method, path, body]: Parameters<KubeClient['ask']>): Promise<T> {
    const answer = await this.ask(method, path, body);
    if (answer.code >= 400) throw new KubeError(`${method} ${path}`, answer);
    return answer.body as T;
  }

  /** Makes the object what this says, whether it is there or not (server-side apply); unknown fields are refused. */
  async apply(object: KubeObject, options: { readonly dryRun?: boolean } = {}): Promise<KubeObject> {
    const query = `fieldManager=test&force=true&fieldValidation=Strict${options.dryRun === true ? '&dryRun=All' : ''}`;
    return this.must('APPLY', `${await this.pathOf(object)}?${query}`, object);
  }

  /** The object as it is now; undefined when there is none. */
  async read(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<KubeObject | undefined> {
    const answer = await this.ask('GET', await this.pathOf(object));
    if (answer.code === 404) return undefined;
    if (answer.code >= 400) throw new KubeError(`GET ${object.kind} ${object.metadata.name}`, answer);
    return answer.body as KubeObject;
  }

  /** Deletes it; nothing when there is none. */
  async remove(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<void> {
    const answer = await this.ask('DELETE', await this.pathOf(object));
    if (answer.code >= 400 && answer.code !== 404) throw new KubeError(`DELETE ${object.kind} ${object.metadata.name}`, answer);
  }

  /** Where the object is, by what the server serves. */
  async pathOf({ apiVersion, kind, metadata }: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<string> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const { name, namespaced } = await this.#resource(base, kind);
    return `${base}${namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : ''}/${name}/${metadata.name}`;
  }

  /** Opens a watch of a list's path, with its query; resolves when the server has agreed to it. Ends with `close`, or when the server ends it. */
  async watch(path: string): Promise<{ readonly events: Inbox<WatchEvent>; close(): void }> {
    const asked = this.#request('GET', `${path}${path.includes('?') ? '&' : '?'}watch=true`);
    asked.end();
    const answer = await answerTo(asked);
    const events = new Inbox<WatchEvent>();
    asked.on('error', ({ message }) => events.end(message));
    const lines = createInterface(answer.setEncoding('utf8'));
    for (const one of [answer, lines]) one.on('error', ({ message }: Error) => events.end(message)); // readline passes it on
    lines.on('line', (line) => events.put(eventOf(line, answer.statusCode ?? 0)));
    lines.on('close', () => events.end('the watch has ended'));
    return { events, close: () => void asked.destroy() };
  }

  async #resource(base: string, kind: string): Promise<Resource> {
    const known = this.#resources.get(base)?.find((one) => one.kind === kind);
    if (known !== undefined) return known;
    const listed = await this.ask('GET', base); // anew: a CRD may have come since
    const { resources = [] } = (listed.code === 200 ? listed.body : {}) as { readonly resources?: readonly Resource[] };
    this.#resources.set(
      base,
      resources.filter(({ name }) => !name.includes('/')),
    );
    const found = this.#resources.get(base)?.find((one) => one.kind === kind);
    if (found === undefined) throw new Error(`the API server serves no ${kind} at ${base}`);
    return found;
  }

  #request(method: string, path: string, type = 'application/json'): ClientRequest {
    const { url, ca, token } = this.#access;
    return request(`${url}${path}`, { method, ca, headers: { authorization: `Bearer ${token}`, 'content-type': type } });
  }
}

function answerTo(asked: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.once('response', resolve);
    asked.once('error', reject);
  });
}

/** A refused watch answers one Status, which is told like an error in the stream. */
function eventOf(line: string, code: number): WatchEvent {
  const value = JSON.parse(line) as WatchEvent | WatchEvent['object'];
  return code >= 400 || !('type' in value && 'object' in value) ? ({ type: 'ERROR', object: value } as WatchEvent) : (value as WatchEvent);
}

/** `/readyz` and its like answer text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
