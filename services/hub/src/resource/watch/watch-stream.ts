/** One watch: where it begins, what it is told, how it ends. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { type LabelSelector, matchesSelector } from '@hawser/model/label-selector.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import { StatusError, statusOf } from '../../http/status.ts';
import { type Change, eventOf } from '../history-store.ts';
import type { ListPage, ListQuery } from '../resource-listing.ts';
import { type StatusBoard, signatureOf } from './status-board.ts';
import type { WatchSource } from './watch-source.ts';

/** What to watch. */
export interface WatchQuery {
  readonly kind: KindDescriptor;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly selector: LabelSelector;
  /** The client knows everything up to this one; undefined: it knows nothing. */
  readonly after?: number | undefined;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
}

/** Where events go. */
export interface WatchOutput {
  /** Resolves when more may be written; false when there is nobody to write to, or who is too slow. */
  write(lines: string): Promise<boolean>;
  /** Aborts when the client has gone or the hub is stopping. */
  readonly ended: AbortSignal;
}

/** What a watch is made from. */
export interface WatchStreamParts {
  readonly source: WatchSource;
  readonly list: (query: ListQuery) => Promise<ListPage>;
  /** How often a watcher that wants bookmarks gets one, milliseconds. */
  readonly bookmarkMs: number;
}

const PAGE = 500;
/** About what a watcher has in memory of its own, characters; one line may be longer. */
const CHUNK = 256 * 1024;

/** A watch that may begin. */
export interface OpenWatch {
  /** Runs until the time is over, the client goes, or it must list again; never throws. */
  run(output: WatchOutput): Promise<void>;
  /** Gives back what `openWatch` took, whether or not it ran. */
  close(): void;
}

/** Finds where to begin. Throws `Expired` when the log does not reach back that far, or knows nothing of that revision. */
export async function openWatch(query: WatchQuery, parts: WatchStreamParts): Promise<OpenWatch> {
  const { source } = parts;
  await source.changes.ready();
  const board = await source.join(query.kind);
  const close = (): void => source.leave(query.kind);
  try {
    if (query.after !== undefined) await requireReach(source, query.after);
    const watch = new Watch(query, { ...parts, board });
    if (query.after === undefined) await watch.begin();
    return { run: (output) => watch.run(output), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function requireReach(source: WatchSource, after: number): Promise<void> {
  if (after > source.changes.position) await source.changes.catchUp();
  if (after > source.changes.position)
    throw expired(`resourceVersion ${after} is not of this database: it is at ${source.changes.position}`);
  if (source.changes.after(after) !== undefined) return;
  const { floor } = await source.bounds();
  if (after < floor) throw expired(`resourceVersion ${after} is too old: the log reaches back to ${floor}`);
}

function expired(message: string): StatusError {
  return new StatusError('Expired', `${message}; list again and watch from there`);
}

class Watch {
  readonly #query: WatchQuery;
  readonly #parts: WatchStreamParts & { readonly board: StatusBoard };
  readonly #life: number;
  #cursor: number;
  #order: number;
  #pending: string[] = [];
  #isLive: boolean;

  constructor(query: WatchQuery, parts: WatchStreamParts & { readonly board: StatusBoard }) {
    this.#query = query;
    this.#parts = parts;
    this.#life = parts.source.changes.life;
    this.#cursor = query.after ?? 0;
    this.#order = 0;
    this.#isLive = query.after === undefined;
  }

  /** Everything there is, as ADDED; and what became of its status while it was listed. */
  async begin(): Promise<void> {
    const { kind, namespace, name, selector } = this.#query;
    const { source, board } = this.#parts;
    const { revision, items } = await this.#parts.list({ kind, namespace, name, selector });
    this.#pending = items.map((item) => line('ADDED', JSON.stringify(item)));
    this.#cursor = revision;
    if (source.changes.position < revision) await source.changes.catchUp();
    const told = new Map(items.map((item) => [item.metadata.uid, item]));
    for (const resource of board.from(revision)) {
      const known = told.get(resource.metadata.uid);
      if (known === undefined || known.metadata.resourceVersion !== resource.metadata.resourceVersion) continue;
      if (signatureOf(known) !== signatureOf(resource)) this.#pending.push(line('MODIFIED', JSON.stringify(resource)));
    }
    this.#order = board.order;
  }

  async run(output: WatchOutput): Promise<void> {
    const deadline = Date.now() + this.#query.timeoutMs;
    let bookmarkAt = this.#nextBookmark();
    try {
      while (!output.ended.aborted && Date.now() < deadline) {
        if (!(await this.#flush(output))) return;
        if (this.#parts.source.changes.life !== this.#life) throw expired('the log does not go on from where it was');
        if (await this.#advance()) continue;
        if (this.#query.bookmarks && Date.now() >= bookmarkAt) {
          this.#pending.push(this.#bookmark());
          bookmarkAt = this.#nextBookmark();
          continue;
        }
        await this.#rest(output.ended, Math.min(deadline, this.#query.bookmarks ? bookmarkAt : deadline));
      }
      if (this.#query.bookmarks) this.#pending.push(this.#bookmark());
    } catch (error) {
      this.#pending.push(line('ERROR', JSON.stringify(statusOf(error))));
    }
    await this.#flush(output);
  }

  async #flush(output: WatchOutput): Promise<boolean> {
    while (this.#pending.length > 0) {
      let [count, length] = [0, 0];
      for (; count < this.#pending.length && length < CHUNK; count += 1) length += this.#pending[count]?.length ?? 0;
      // The lines share their JSON with every other watcher's; only what is written now is put together.
      if (!(await output.write(this.#pending.splice(0, count).join('')))) return false;
    }
    return true;
  }

  /** Takes what is new. Answers whether there was anything to read or to tell. */
  async #advance(): Promise<boolean> {
    const { source, board } = this.#parts;
    const entries = source.changes.after(this.#cursor);
    if (entries === undefined) return await this.#readOlder();
    for (const { change, json } of entries) this.#tell(change, () => json);
    this.#cursor = Math.max(this.#cursor, source.changes.position);
    const posted = this.#isLive ? board.since(this.#order) : board.from(this.#query.after ?? 0);
    this.#isLive = true;
    this.#order = board.order;
    for (const resource of posted) if (this.#wants(resource)) this.#pending.push(line('MODIFIED', JSON.stringify(resource)));
    return this.#pending.length > 0;
  }

  /** A watcher that resumes reads its first part from the database; one that lags so far behind later begins anew by its own cursor. */
  async #readOlder(): Promise<boolean> {
    const { source } = this.#parts;
    if (this.#isLive) throw new StatusError('TooManyRequests', 'the watch fell too far behind; resume it from its last resourceVersion');
    const upTo = source.changes.position;
    const read = await source.olderChanges({ after: this.#cursor, upTo, kind: this.#query.kind.kind, limit: PAGE });
    if (this.#cursor < read.floor) throw expired(`the log no longer reaches back to ${this.#cursor}`);
    for (const change of read.changes) this.#tell(change, () => JSON.stringify(change.resource));
    this.#cursor = read.changes.length < PAGE ? upTo : (read.changes.at(-1)?.revision ?? upTo);
    return true;
  }

  #tell(change: Change, json: () => string): void {
    const { kind, namespace, name, selector } = this.#query;
    if (change.kind !== kind.kind || (namespace !== undefined && change.namespace !== namespace)) return;
    if (name !== undefined && change.name !== name) return;
    const event = eventOf(change, selector);
    if (event !== undefined) this.#pending.push(line(event, json()));
  }

  #wants({ metadata }: Resource): boolean {
    const { namespace, name, selector } = this.#query;
    if (namespace !== undefined && metadata.namespace !== namespace) return false;
    return (name === undefined || metadata.name === name) && matchesSelector(selector, metadata.labels ?? {});
  }

  #bookmark(): string {
    const { kind } = this.#query;
    const bookmark = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { resourceVersion: String(this.#cursor) } };
    return line('BOOKMARK', JSON.stringify(bookmark));
  }

  /** Jittered, so that many watchers do not write at once. */
  #nextBookmark(): number {
    return Date.now() + this.#parts.bookmarkMs * (0.75 + Math.random() / 2);
  }

  /** Until there is something new, the time has come, or it has ended. */
  #rest(ended: AbortSignal, until: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop();
        clearTimeout(timer);
        ended.removeEventListener('abort', done);
        resolve();
      };
      const stop = this.#parts.source.subscribe(done);
      const timer = setTimeout(done, Math.max(0, until - Date.now()));
      ended.addEventListener('abort', done);
      if (ended.aborted) done();
    });
  }
}

function line(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}
