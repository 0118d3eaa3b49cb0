/**
 * Follows one collection of an API server: lists it, watches from there, and begins anew where the server says that it has to
 * (410 Gone) or the watch cannot be trusted. Nothing is removed but by a whole list or a DELETED event.
 */

import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type ApiClient, ApiRefusal, isForbidden, refusalOf, wayOut } from './api-client.ts';
import type { ObjectReader, ReadObject } from './object-facts.ts';
import { isOlder, newest } from './resource-version.ts';
import { type ListRequest, listWhole, presentVersion } from './watched-list.ts';

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
  /** For so long an answer older than one before it has to be repeated, before it counts as the truth of a restored store. */
  readonly restoredMs: number;
}

export const REFLECTOR_TIMES: ReflectorTimes = {
  ...{ listMs: 30_000, openMs: 15_000, silenceMs: 150_000, watchMs: 300_000, absentMs: 30_000, restoredMs: 30_000 },
  backoff: { baseMs: 500, maxMs: 30_000 },
};

/** What is followed, and who is told. */
export interface ReflectorOptions<Facts> {
  readonly api: ApiClient;
  /** The same collection in different versions of its API: the first that the server has is followed. */
  readonly paths: readonly string[];
  /** What an object of it is: `Pod`. */
  readonly kind: string;
  /** Whether there are servers without this kind. */
  readonly mayBeAbsent?: boolean;
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  /** How the agent comes to the right to read it, where that is not as with most. */
  readonly rightBy?: string;
  readonly read: ObjectReader<Facts>;
  readonly times?: ReflectorTimes;
  /** Everything there is. Also called, with nothing and not `isThere`, where the server does not have the kind and never had. */
  onList(objects: readonly ReadObject<Facts>[], isThere: boolean): void;
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
/** Nobody is left alone for longer, whatever they ask. */
const MAX_ASKED_MS = 120_000;

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
  #served: string | undefined;
  /** Of the last object heard of; undefined when everything has to be listed. */
  #version: string | undefined;
  /** The newest version ever heard of. */
  #newest: string | undefined;
  /** Since when the server answers with older ones. */
  #olderSince: number | undefined;
  /** Whether the version was the server's own a moment ago. */
  #isSure = false;
  /** Whether the last watch was refused as forbidden, or opened and told nothing but faults: a list that is answered proves nothing then. */
  #isDoubted = false;
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

  /** Of the version that the server has; undefined before it answered, and where it has none. */
  get path(): string | undefined {
    return this.#served;
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
      if (found !== undefined) this.#mustBeNew(found.version);
      const objects = found?.items ?? [];
      this.#held = objects.length;
      this.#listed = true;
      this.#options.onList(objects, found !== undefined);
      this.#answered();
      this.#version = found?.version;
      this.#served = found === undefined ? undefined : this.#path;
      this.#isSure = true;
      isWhole = true;
    } finally {
      for (const waiter of waiters) waiter(isWhole);
    }
    if (this.#version === undefined) await this.#pause(this.#times.absentMs);
  }

  /** Undefined where the server has no such kind. One that it had is not gone because its definition is away for a moment. */
  async #listAny() {
    const { api, paths, read, mayBeAbsent = false } = this.#options;
    for (const path of paths) {
      this.#path = path;
      try {
        return await listWhole(api, this.#request(), read);
      } catch (error) {
        if (!(error instanceof ApiRefusal) || error.status !== 404) throw error;
      }
    }
    if (this.#held > 0 || !mayBeAbsent) throw new ApiRefusal(404, `${paths[0]}: the API server does not have this kind`);
    return undefined;
  }

  #request(): ListRequest {
    const { kind, query, pageSize } = this.#options;
    return { path: this.#path ?? '', kind, query, pageSize, deadlineMs: this.#times.listMs, signal: this.#stop.signal };
  }

  /**
   * A list is of the present (API concepts, "Semantics for get and list"). One from before what was heard already is a wrong answer, unless
   * the store was restored from a backup: then it stays so.
   */
  #mustBeNew(version: string): void {
    const now = performance.now();
    if (isOlder(version, this.#newest)) {
      this.#olderSince ??= now;
      const left = this.#olderSince + this.#times.restoredMs - now;
      if (left > 0) throw new OlderAnswer(this.#path ?? '', { version, newest: this.#newest ?? '', left });
      this.#newest = undefined;
    }
    this.#olderSince = undefined;
    this.#newest = newest(this.#newest, version);
  }

  /** A watch from a version that the server never had, as after a restore, is one on which nothing is ever heard. */
  async #ascertain(version: string): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#again.signal]);
    const request = { ...this.#request(), signal };
    if (!this.#isSure && isOlder(await presentVersion(this.#options.api, request), version)) this.#version = undefined;
    this.#isSure = false;
  }

  async #watch(version: string): Promise<void> {
    await this.#ascertain(version);
    if (this.#version === undefined) return;
    const { api, query } = this.#options;
    const seconds = Math.ceil((this.#times.watchMs / 1_000) * (1 + Math.random() / 2));
    const began = performance.now();
    let heard = false;
    let lasting: NodeJS.Timeout | undefined;
    try {
      await api.lines({
        path: this.#path ?? '',
        query: { ...query, watch: '1', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds: String(seconds) },
        signal: AbortSignal.any([this.#stop.signal, this.#again.signal]),
        openMs: this.#times.openMs,
        silenceMs: this.#times.silenceMs,
        onOpen: () => {
          this.#answered();
          lasting = setTimeout(() => this.#trusted(), LASTED_MS).unref();
        },
        onLine: (line) => {
          this.#isDoubted = !heard;
          this.#event(line);
          if (!heard) this.#trusted();
          heard = true;
        },
      });
    } catch (error) {
      this.#isDoubted ||= isForbidden(error);
      throw error;
    } finally {
      clearTimeout(lasting);
      if (heard || performance.now() - began > LASTED_MS) this.#attempt = 0;
    }
    if (!heard && performance.now() - began < LASTED_MS && !this.#again.signal.aborted) throw new Error('the watch ended at once');
  }

  #trusted(): void {
    this.#isDoubted = false;
    this.#answered();
  }

  #answered(): void {
    if (!this.#isDoubted) this.#options.onProblem(undefined);
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
    this.#newest = newest(this.#newest, version);
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
    // The clock of a restored store runs while all that it answers is older.
    if (!(error instanceof OlderAnswer)) this.#olderSince = undefined;
    const gone = error instanceof ApiRefusal && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
    if (gone || this.#attempt >= FRUITLESS) this.#version = undefined;
    // One connection that broke is daily life.
    const isWorthAWord = this.#attempt > 0 || !this.#listed || error instanceof OlderAnswer;
    if (!gone && isWorthAWord) this.#options.onProblem(`${messageOf(error)}${wayOut(error, this.#options.rightBy)}`);
    const asked = error instanceof ApiRefusal ? Math.min(error.retryAfterMs, MAX_ASKED_MS) * (1 + Math.random() / 4) : 0;
    await this.#pause(Math.max(asked, backoffMs(this.#attempt, this.#times.backoff)));
    this.#attempt += 1;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, AbortSignal.any([this.#stop.signal, this.#again.signal]));
  }
}

/** An answer from before what was heard already. */
class OlderAnswer extends AppError {
  constructor(path: string, { version, newest, left }: { version: string; newest: string; left: number }) {
    const seconds = Math.ceil(left / 1_000);
    super(
      'kubernetes-refused',
      `${path}: the list is of version ${version}, older than ${newest}, which was heard of before; if the API server was restored from a backup, what it has counts in ${seconds} s`,
      { status: 503 },
    );
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
