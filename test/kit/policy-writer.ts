/** Somebody who writes policies without a pause through one address, and remembers what was answered. */
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Resource } from '@hawser/model/resource.ts';

/** One write; without `timeout` it was a removal. */
export interface Write {
  readonly name: string;
  /** The timeout that this write alone gives, such as `10042ms`. */
  readonly timeout: string | undefined;
  /** `refused` was not done; without an answer it may have been. */
  readonly outcome: 'acked' | 'refused' | 'unanswered';
  /** The revision of an acknowledged write. */
  readonly revision?: number;
}

/** Where and what is written. */
export interface WriterOptions {
  readonly url: string;
  readonly token: string;
  /** Policies that always are, by the service that they are of: changed by PUT and PATCH in turn. */
  readonly kept: readonly string[];
  /** Policies that come and go. */
  readonly passing: readonly string[];
}

const PATH = '/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices';
const DEADLINE_MS = 4_000;
const PAUSE_MS = 100;
/** Requests go through these policies: their timeouts must be long. */
const LEAST_TIMEOUT_MS = 10_000;

interface Answer {
  readonly status: number;
  readonly body: Resource | undefined;
}

/** Writes one after the other, each name in its turn, until stopped. */
export class PolicyWriter {
  readonly writes: Write[] = [];
  readonly #options: WriterOptions;
  readonly #there = new Set<string>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Begins; the policies are made first. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when the last write is over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** How many writes were acknowledged so far. */
  get acked(): number {
    return this.writes.filter(({ outcome }) => outcome === 'acked').length;
  }

  /** All that the hub remembers of a policy, oldest first; without a timeout it was removed. */
  async history(name: string): Promise<{ readonly revision: number; readonly timeout: string | undefined }[]> {
    const items: { revision: number; action: string; resource: Resource }[] = [];
    for (let page = ''; ; ) {
      const { status, body } = await this.#send('GET', `/${name}/history?limit=1000${page}`);
      if (status !== 200) throw new Error(`the history of ${name}: ${status} ${JSON.stringify(body)}`);
      const list = body as unknown as { items: typeof items; metadata: { continue?: string } };
      items.push(...list.items);
      if (list.metadata.continue === undefined) break;
      page = `&continue=${list.metadata.continue}`;
    }
    return items
      .map(({ revision, action, resource }) => ({ revision, timeout: action === 'delete' ? undefined : timeoutOf(resource) }))
      .reverse();
  }

  async #run(): Promise<void> {
    const { kept, passing } = this.#options;
    const names = [...kept, ...passing];
    const { signal } = this.#stopping;
    for (let count = 1; !signal.aborted; count += 1) {
      const name = names[count % names.length] ?? '';
      await this.#write(name, { timeout: `${LEAST_TIMEOUT_MS + count}ms`, patch: count % 3 === 0 });
      await wait(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #write(name: string, { timeout, patch }: { timeout: string; patch: boolean }): Promise<void> {
    const body = policyOf(name, timeout);
    const isThere = this.#there.has(name);
    if (isThere && this.#options.passing.includes(name)) return this.#note(name, undefined, await this.#send('DELETE', `/${name}`));
    if (!isThere) return this.#note(name, timeout, await this.#send('POST', '?allowUnresolved=true', body));
    const change = patch ? { spec: body.spec } : body;
    this.#note(name, timeout, await this.#send(patch ? 'PATCH' : 'PUT', `/${name}?allowUnresolved=true`, change));
  }

  #note(name: string, timeout: string | undefined, { status, body }: Answer): void {
    if (status === 200 || status === 201) {
      if (timeout === undefined) this.#there.delete(name);
      else this.#there.add(name);
      this.writes.push({ name, timeout, outcome: 'acked', revision: Number(body?.metadata.resourceVersion) });
      return;
    }
    // What an unanswered write did is seen by the next one.
    if (status === 409) this.#there.add(name);
    if (status === 404) this.#there.delete(name);
    this.writes.push({ name, timeout, outcome: status === 0 || status === 504 || status === 500 ? 'unanswered' : 'refused' });
  }

  /** Status 0: no answer. Each request has a connection of its own, so that all hubs have their turn. */
  #send(method: string, path: string, body?: unknown): Promise<Answer> {
    const { url, token } = this.#options;
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) };
    return new Promise((resolve) => {
      const none = (): void => resolve({ status: 0, body: undefined });
      const sent = request(url + PATH + path, { method, headers, agent: false }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', none);
        response.on('close', none);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(parts).toString()) }));
      });
      sent.on('error', none);
      const timer = setTimeout(() => sent.destroy(), DEADLINE_MS);
      sent.on('close', () => {
        clearTimeout(timer);
        none();
      });
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/** The timeout of such a policy. */
export function timeoutOf({ spec }: Pick<Resource, 'spec'>): string | undefined {
  return (spec as { http?: readonly { timeout?: string }[] }).http?.[0]?.timeout;
}

function policyOf(name: string, timeout: string) {
  const http = [{ timeout, route: [{ destination: { host: name } }] }];
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name }, spec: { hosts: [name], http } };
}

function parsed(text: string): Resource | undefined {
  try {
    return JSON.parse(text) as Resource;
  } catch {
    return undefined;
  }
}
