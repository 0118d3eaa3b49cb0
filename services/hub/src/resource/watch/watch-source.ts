/** What all watchers of a hub share: the log reader, and a board of statuses for every kind that is watched. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { KINDS } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database, Transaction } from '../../db/database.ts';
import { type Change, type ChangeQuery, changesAfter, type LogBounds, logBounds } from '../history-store.ts';
import type { ListenOutbox } from '../resource-read-model.ts';
import { resourceOf } from '../resource-row.ts';
import { type StatusParts, withStatuses } from '../resource-status.ts';
import { listRows } from '../resource-store.ts';
import { ChangeLog } from './change-log.ts';
import { StatusBoard } from './status-board.ts';

/** What it is made of. */
export interface WatchSourceParts extends StatusParts {
  readonly database: Database;
  readonly listenOutbox: ListenOutbox;
  readonly log: Logger;
}

const READ = { isolationLevel: 'repeatable read', accessMode: 'read only' } as const;
const BY_NAME: ReadonlyMap<string, KindDescriptor> = new Map(KINDS.map((kind) => [kind.kind, kind]));
/** Least time between two looks at statuses; a look that takes long is repeated less often. */
const LOOK_PAUSE_MS = 200;
const LOOK_SHARE = 20;
/** Conditions change with time alone, too: a silent cluster becomes stale. */
const LOOK_ANYWAY_MS = 3000;
/** A watcher that reconnects within this finds the statuses followed meanwhile. */
const LINGER_MS = 60_000;

interface WatchedKind {
  readonly board: StatusBoard;
  watchers: number;
  idleSince: number;
}

/** One hub's source of events. */
export class WatchSource {
  readonly #parts: WatchSourceParts;
  readonly #kinds = new Map<string, WatchedKind>();
  readonly #listeners = new Set<() => void>();
  readonly #aborter = new AbortController();
  #looking: Promise<void> | undefined;
  #isDue = false;
  readonly changes: ChangeLog;

  constructor(parts: WatchSourceParts) {
    this.#parts = parts;
    this.changes = new ChangeLog({
      read: (after, limit) => parts.database.transaction((tx) => this.#read(tx, { after, limit }), READ),
      bounds: () => parts.database.transaction(logBounds, READ),
      listen: parts.listenOutbox,
      log: parts.log,
      onChanges: ({ changes, revision }) => {
        this.#isDue = true;
        for (const change of changes) this.#kinds.get(change.kind)?.board.note(change, revision);
      },
    });
  }

  /** Begins to follow a kind's statuses for one watcher. Call `leave` once for each. */
  async join(kind: KindDescriptor): Promise<StatusBoard> {
    const watched = this.#kinds.get(kind.kind) ?? { board: new StatusBoard(), watchers: 0, idleSince: 0 };
    this.#kinds.set(kind.kind, watched);
    watched.watchers += 1;
    this.#looking ??= this.#keepLooking();
    if (!watched.board.known) await this.#look(kind.kind, watched.board).catch(() => undefined);
    return watched.board;
  }

  /** Ends what `join` began. */
  leave(kind: KindDescriptor): void {
    const watched = this.#kinds.get(kind.kind);
    if (watched === undefined) return;
    watched.watchers -= 1;
    watched.idleSince = Date.now();
  }

  /** The fleet has changed: conditions may have. */
  hint(): void {
    this.#isDue = true;
  }

  /** Calls back when there is something new, written or posted. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    const stop = this.changes.subscribe(listener);
    this.#listeners.add(listener);
    return () => {
      stop();
      this.#listeners.delete(listener);
    };
  }

  /** Older writes than the log remembers, of one kind. */
  olderChanges(query: ChangeQuery): Promise<LogBounds & { readonly changes: readonly Change[] }> {
    return this.#parts.database.transaction((tx) => this.#read(tx, query), READ);
  }

  /** The bounds of the log, asked of the database. */
  bounds(): Promise<LogBounds> {
    return this.#parts.database.transaction(logBounds, READ);
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    await this.changes.stop();
    await this.#looking;
  }

  async #read(tx: Transaction, query: ChangeQuery): Promise<LogBounds & { readonly changes: readonly Change[] }> {
    const bounds = await logBounds(tx);
    const changes = [...(await changesAfter(tx, query))];
    for (const name of new Set(changes.map(({ kind }) => kind))) {
      const kind = BY_NAME.get(name);
      if (kind === undefined) continue;
      const places = changes.flatMap((change, index) => (change.kind === name && isSound(change) ? [index] : []));
      const resources = places.flatMap((index) => changes[index]?.resource ?? []);
      const shown = await withStatuses(tx, kind, resources, this.#parts);
      for (const [order, index] of places.entries()) {
        const [change, resource] = [changes[index], shown[order]];
        if (change !== undefined && resource !== undefined) changes[index] = { ...change, resource };
      }
    }
    return { ...bounds, changes: changes.map((change) => (isSound(change) ? change : named(change))) };
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#aborter;
    let lookedAt = 0;
    for (let pause = LOOK_PAUSE_MS; !signal.aborted; ) {
      await sleep(pause, signal);
      if (signal.aborted || (!this.#isDue && Date.now() - lookedAt < LOOK_ANYWAY_MS)) continue;
      this.#isDue = false;
      lookedAt = Date.now();
      for (const [kind, watched] of this.#kinds) await this.#lookOrForget(kind, watched);
      pause = Math.max(LOOK_PAUSE_MS, LOOK_SHARE * (Date.now() - lookedAt));
    }
  }

  async #lookOrForget(kind: string, watched: WatchedKind): Promise<void> {
    if (watched.watchers === 0 && Date.now() - watched.idleSince > LINGER_MS) return watched.board.forget();
    if (watched.watchers === 0 && !watched.board.known) return;
    try {
      await this.#look(kind, watched.board);
    } catch (error) {
      this.#isDue = true;
      this.#parts.log.debug({ kind, error: messageOf(error) }, 'statuses were not looked at');
    }
  }

  async #look(name: string, board: StatusBoard): Promise<void> {
    const kind = BY_NAME.get(name);
    if (kind === undefined) return;
    const resources = await this.#parts.database.transaction(async (tx): Promise<readonly Resource[]> => {
      const rows = await listRows(tx, { kind: name });
      return withStatuses(tx, kind, rows.map(resourceOf), this.#parts);
    }, READ);
    if (board.look(resources, this.changes.position)) for (const listener of this.#listeners) listener();
  }
}

function isSound({ resource }: Change): boolean {
  return typeof resource === 'object' && resource !== null && typeof resource.metadata === 'object' && resource.metadata !== null;
}

/** A write whose resource is not readable is still told of, by what the log says of it. */
function named(change: Change): Change {
  const { kind, namespace, name, revision } = change;
  const descriptor = BY_NAME.get(kind);
  const apiVersion = descriptor === undefined ? 'unknown/unknown' : `${descriptor.group}/${descriptor.versions[0]}`;
  const place = namespace === '' ? {} : { namespace };
  return { ...change, resource: { apiVersion, kind, metadata: { name, ...place, resourceVersion: String(revision) }, spec: {} } };
}
