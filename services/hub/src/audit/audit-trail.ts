/** What was refused or failed goes into the audit as well as it can: a bounded queue, written behind the answer. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import { type AuditNote, type AuditRow, auditRow, insertAudit } from './audit-store.ts';

/** Rows that wait for the database; more are dropped and counted. */
const LONGEST_QUEUE = 1_000;
/** Notes of callers who proved nothing, per minute: a guesser must not fill the disk. */
const STRANGERS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const RETRY_MS = 1_000;

/** What the trail needs. */
export interface AuditTrailParts {
  readonly database: Database;
  readonly log: Logger;
  /** Called for each note that is lost. */
  readonly onDropped: () => void;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

/** The queue of one hub. */
export class AuditTrail {
  readonly #parts: AuditTrailParts;
  readonly #queue: AuditRow[] = [];
  #writing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #strangers = 0;
  #minute = 0;

  constructor(parts: AuditTrailParts) {
    this.#parts = parts;
  }

  /** Notes a refusal or failure of the request under way; never throws and never waits. */
  note(note: AuditNote & { readonly verb: string }, isStranger: boolean): void {
    if ((isStranger && this.#tooManyStrangers()) || this.#queue.length >= LONGEST_QUEUE) {
      this.#parts.onDropped();
      return;
    }
    this.#queue.push({ ...auditRow(note, note.verb), at: new Date(this.#parts.now?.() ?? Date.now()) });
    this.#write();
  }

  /** Writes what waits, once; what cannot be written is lost. */
  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#writing;
    clearTimeout(this.#retry);
    if (this.#queue.length > 0) await this.#flush().catch(() => undefined);
  }

  #tooManyStrangers(): boolean {
    const minute = Math.floor((this.#parts.now?.() ?? Date.now()) / MINUTE_MS);
    if (minute !== this.#minute) this.#strangers = 0;
    this.#minute = minute;
    this.#strangers += 1;
    return this.#strangers > STRANGERS_PER_MINUTE;
  }

  #write(): void {
    if (this.#writing !== undefined || this.#retry !== undefined) return;
    this.#writing = this.#flush()
      .catch((error: unknown) => {
        this.#parts.log.warn({ waiting: this.#queue.length, error: messageOf(error) }, 'the audit could not be written, trying again');
        this.#retry = setTimeout(() => {
          this.#retry = undefined;
          this.#write();
        }, RETRY_MS).unref();
      })
      .finally(() => {
        this.#writing = undefined;
      });
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, 100);
      await this.#parts.database.transaction((tx) => insertAudit(tx, batch));
      this.#queue.splice(0, batch.length);
    }
  }
}
