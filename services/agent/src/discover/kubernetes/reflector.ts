/**
 * Follows one collection of an API server: lists it, watches from there, and begins anew where the server says that it has to
 * (410 Gone) or the watch cannot be trusted. Nothing is removed but by a whole list or a DELETED event.
 */

import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type ApiClient, ApiRefusal, refusalOf } from './api-client.ts';
import type { ObjectReader, ReadObject } from './object-facts.ts';
import { listWhole } from './watched-list.ts';

/** How long things may take; tests want them short. */
export interface ReflectorTimes {
  readonly listMs: number;
  readonly openMs: number;
  /** The server sends a bookmark about every minute. */
  readonly silenceMs: number;
  /** A watch is asked to end by itself after this time, up to half more. */
  readonly watchMs: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** How often a kind is looked for that the server does not have. */
  readonly absentMs: number;
}

export const REFLECTOR_TIMES: ReflectorTimes = {
  ...{ listMs: 30_000, openMs: 15_000, silenceMs: 150_000, watchMs: 300_000, absentMs: 30_000 },
  backoff: { baseMs: 500, maxMs: 30_000 },
};

/** What is followed, and who is told. */
export interface ReflectorOptions<Facts> {
  readonly api: ApiClient;
  /** The same collection in different versions of its API: the first that the server has is followed. */
  readonly paths: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  readonly read: ObjectReader<Facts>;
  readonly times?: ReflectorTimes;
  /** Everything there is. Also called, with nothing, where the server does not have the kind and never had. */
  onList(objects: readonly ReadObject<Facts>[]): void;
  onPut(object: ReadObject<Facts>): void;
  onRemove(key: string): void;
  /** Why it cannot be read now; undefined when it can. */
  onProblem(problem: string | undefined): void;
}

const Event = Compile(
  Type.Object({
    type: Type.String(),
    object: Type.Object({ metadata: Type.Optional(Type.Object({ resourceVersion: Type.Optional(Type.String()) })) }),
  }),
);

/** So many watches in a row that came to nothing, and the list is read anew: its version may be one that the server never had. */
const FRUITLESS = 3;
/** A watch that lasted so long was a good one, even if nothing happened. */
const LASTED_MS = 5_000;

/** Follows until it is stopped. */
export class Reflector<Facts> {
  readonly #options: ReflectorOptions<Facts>;
  readonly #times: ReflectorTimes;
  readonly #stop = new AbortController();
  /** Ends the present watch or pause, so that everything is listed again. */
  #again = new AbortController();
  #waiters: ((listed: boolean) => void)[] = [];
  #running: Promise<void> | undefined;
  #path: string | undefined;
  /** Of the last object heard of; undefined when everything has to be listed. */
  #version: string | undefined;
  #listed = false;
  #held = 0;
  #attempt = 0;

  constructor(options: ReflectorOptions<Facts>) {
    this.#options = options;
    this.#times = options.times ?? REFLECTOR_TIMES;
  }

  /** Whether everything was listed once. */
  get listed(): boolean {
    return this.#listed;
  }

  /** Lists everything once more; resolves after the attempt, with whether it was one. The first call begins to follow. */
  list(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#again.abort();
      this.#running ??= this.#run();
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#again.abort();
    for (const waiter of this.#waiters.splice(0)) waiter(false);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        this.#again = new AbortController();
        if (this.#version === undefined || this.#waiters.length > 0) await this.#list();
        else await this.#watch(this.#version);
      } catch (error) {
        await this.#failed(error);
      }
    }
  }

  async #list(): Promise<void> {
    const waiters = this.#waiters.splice(0);
    let isWhole = false;
    try {
      this.#version = undefined;
      const found = await this.#listAny();
      if (this.#stop.signal.aborted) return;
      const objects = (found?.items ?? []).filter((object) => object !== undefined);
      this.#held = objects.length;
      this.#listed = true;
      this.#options.onList(objects);
      this.#options.onProblem(undefined);
      this.#version = found?.version;
      isWhole = true;
    } finally {
      for (const waiter of waiters) waiter(isWhole);
    }
    if (this.#version === undefined) await this.#pause(this.#times.absentMs);
  }

  /** Undefined where the server has no such kind. One that it had is not gone because its definition is away for a moment. */
  async #listAny() {
    const { api, paths, query, pageSize, read } = this.#options;
    for (const path of paths) {
      this.#path = path;
      try {
        return await listWhole(api, { path, query, pageSize, deadlineMs: this.#times.listMs, signal: this.#stop.signal }, read);
      } catch (error) {
        if (!(error instanceof ApiRefusal) || error.status !== 404) throw error;
      }
    }
    if (this.#held > 0) throw new ApiRefusal(404, `${paths[0]}: the API server no longer has this kind`);
    return undefined;
  }

  async #watch(version: string): Promise<void> {
    const { api, query, onProblem } = this.#options;
    const seconds = Math.ceil((this.#times.watchMs / 1_000) * (1 + Math.random() / 2));
    const began = performance.now();
    let heard = false;
    try {
      await api.lines({
        path: this.#path ?? '',
        query: { ...query, watch: '1', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds: String(seconds) },
        signal: AbortSignal.any([this.#stop.signal, this.#again.signal]),
        openMs: this.#times.openMs,
        silenceMs: this.#times.silenceMs,
        onOpen: () => onProblem(undefined),
        onLine: (line) => {
          this.#event(line);
          heard = true;
        },
      });
    } finally {
      if (heard || performance.now() - began > LASTED_MS) this.#attempt = 0;
    }
    if (!heard && performance.now() - began < LASTED_MS && !this.#again.signal.aborted) throw new Error('the watch ended at once');
  }

  #event(line: string): void {
    const event = eventIn(line);
    if (event === undefined) throw new Error(`${this.#path}: an event that is none`);
    const { type, object } = event;
    if (type === 'ERROR') throw refusalOf(object, { status: 500, path: this.#path ?? '' });
    const version = object.metadata?.resourceVersion;
    if (version === undefined || version === '') throw new Error(`${this.#path}: an event without a resourceVersion`);
    if (type !== 'BOOKMARK') this.#change(type, object);
    this.#version = version;
  }

  #change(type: string, raw: unknown): void {
    const object = this.#options.read(raw);
    if (object === undefined) throw new Error(`${this.#path}: an event of an object without a name`);
    if (type === 'DELETED') {
      this.#held -= 1;
      this.#options.onRemove(object.key);
    } else if (type === 'ADDED' || type === 'MODIFIED') {
      if (type === 'ADDED') this.#held += 1;
      this.#options.onPut(object);
    } else throw new Error(`${this.#path}: an event of unknown type ${JSON.stringify(type.slice(0, 40))}`);
  }

  /** 410 Gone, and any fault that comes again and again, has everything listed anew; what is held stays until then. */
  async #failed(error: unknown): Promise<void> {
    if (this.#stop.signal.aborted || this.#again.signal.aborted) return;
    const gone = error instanceof ApiRefusal && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
    if (gone || this.#attempt >= FRUITLESS) this.#version = undefined;
    // One connection that broke is daily life.
    if (!gone && (this.#attempt > 0 || !this.#listed)) this.#options.onProblem(messageOf(error));
    const asked = error instanceof ApiRefusal ? error.retryAfterMs : 0;
    await this.#pause(Math.max(asked, backoffMs(this.#attempt, this.#times.backoff)));
    this.#attempt += 1;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, AbortSignal.any([this.#stop.signal, this.#again.signal]));
  }
}

function eventIn(line: string) {
  try {
    const event: unknown = JSON.parse(line);
    return Event.Check(event) ? event : undefined;
  } catch {
    return undefined;
  }
}
