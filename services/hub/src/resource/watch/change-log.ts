/** The hub's one reader of the committed log, for all watchers: woken by a hint, kept honest by a poll; PostgreSQL is the truth. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Change, LogBounds } from '../history-store.ts';
import type { ListenOutbox } from '../resource-read-model.ts';

/** One read of the log: writes after a revision, oldest first, and its bounds, of the same instant. */
export interface LogRead extends LogBounds {
  readonly changes: readonly Change[];
}

/** What the log is read by. */
export interface ChangeLogParts {
  /** Resources in `changes` carry their status. */
  readonly read: (after: number, limit: number) => Promise<LogRead>;
  readonly bounds: () => Promise<LogBounds>;
  readonly listen: ListenOutbox;
  readonly log: Logger;
  /** Called with what was read, in order, before watchers are told. */
  readonly onChanges: (read: LogRead) => void;
}

const POLL_MS = 1000;
/** Writes that come in a rush are read together. */
const LEAST_PAUSE_MS = 10;
const BATCH = 500;
/** What is remembered for watchers that lag or resume; older writes are read from the database. */
const REMEMBERED = 4096;
const REMEMBERED_BYTES = 32 * 1024 * 1024;

interface Entry {
  readonly change: Change;
  /** JSON of the resource, made once for all watchers. */
  readonly json: string;
}

/** The newest part of the log. `life` changes when the log did not go on from where it was: watchers must list again. */
export class ChangeLog {
  readonly #parts: ChangeLogParts;
  readonly #aborter = new AbortController();
  readonly #waiting = new Set<() => void>();
  #entries: Entry[] = [];
  #bytes = 0;
  #position: number | undefined;
  #epoch = 0;
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #starting: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  life = 0;

  constructor(parts: ChangeLogParts) {
    this.#parts = parts;
  }

  /** The last revision that was read; 0 before `ready`. */
  get position(): number {
    return this.#position ?? 0;
  }

  /** Begins to follow the log, once. Throws when PostgreSQL cannot be reached. */
  async ready(): Promise<void> {
    if (this.#position !== undefined) return;
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /** Writes after a revision that are remembered; undefined when some are not. */
  after(revision: number): readonly Entry[] | undefined {
    const first = this.#entries[0]?.change.revision ?? this.position + 1;
    if (revision + 1 < first) return undefined;
    return this.#entries.slice(Math.max(0, revision + 1 - first));
  }

  /** Reads the log now, so that everything committed before the call is known. */
  async catchUp(): Promise<void> {
    await this.#reading;
    await this.#readOn();
  }

  /** Calls back when there is more. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #begin(): Promise<void> {
    const { revision, epoch } = await this.#parts.bounds();
    this.#position = revision;
    this.#epoch = epoch;
    this.#running ??= this.#follow();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#aborter;
    const listening = this.#parts.listen(() => this.#wake.abort());
    while (!signal.aborted) {
      await sleep(POLL_MS, this.#wake.signal);
      await sleep(LEAST_PAUSE_MS, signal);
      if (!signal.aborted) this.#wake = new AbortController();
      await this.catchUp().catch((error: unknown) => this.#parts.log.warn({ error: messageOf(error) }, 'the log of writes was not read'));
    }
    await listening.stop();
  }

  #readOn(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    for (let more = true; more && !this.#aborter.signal.aborted; ) {
      const after = this.position;
      const read = await this.#parts.read(after, BATCH);
      if (read.epoch !== this.#epoch || read.revision < after || !isWhole(after, read)) return this.#restart(read);
      if (read.changes.length > 0) this.#remember(read);
      more = this.position < read.revision;
    }
  }

  /** The database went back to an earlier life, or was without us for so long that writes are missing. */
  #restart({ epoch, revision }: LogBounds): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#epoch = epoch;
    this.#position = revision;
    this.life += 1;
    this.#parts.log.warn({ epoch, revision }, 'the log of writes does not go on from where it was: watchers list again');
    this.#tell();
  }

  #remember(read: LogRead): void {
    this.#parts.onChanges(read);
    for (const change of read.changes) {
      const entry = { change, json: JSON.stringify(change.resource) };
      this.#entries.push(entry);
      this.#bytes += entry.json.length;
      this.#position = change.revision;
    }
    let gone = Math.max(0, this.#entries.length - REMEMBERED);
    for (const { json } of this.#entries.slice(0, gone)) this.#bytes -= json.length;
    for (; this.#bytes > REMEMBERED_BYTES && gone < this.#entries.length; gone += 1) this.#bytes -= this.#entries[gone]?.json.length ?? 0;
    this.#entries.splice(0, gone);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#waiting) listener();
  }
}

/** Revisions are gap-free, so a gap is a loss. */
function isWhole(after: number, { changes, revision }: LogRead): boolean {
  if (changes.length === 0) return revision === after;
  return changes.every((change, index) => change.revision === after + 1 + index);
}
