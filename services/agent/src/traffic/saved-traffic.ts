/**
 * The ledger on disk, so that an agent that was killed goes on counting where it was. It is written each second and not flushed: a
 * killed process loses nothing of it, a machine that loses power begins a new count.
 */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { SavedLedger, TrafficLedger } from './traffic-ledger.ts';

const FILE = 'traffic-counts.json';
/** A checksum, a line feed, JSON. */
const CHECKSUM = 64;

/** Where it lies. */
export class SavedTraffic {
  readonly #path: string;
  readonly #log: Logger;
  #written = -1;
  #isBroken = false;

  constructor(folder: string, log: Logger) {
    this.#path = join(folder, FILE);
    this.#log = log;
  }

  /** What was saved; undefined when there is none that is whole. */
  async read(): Promise<SavedLedger | undefined> {
    try {
      const text = await readIfThere(this.#path);
      if (text === undefined) return undefined;
      const body = text.slice(CHECKSUM + 1);
      if (sha256(body) !== text.slice(0, CHECKSUM)) throw new Error('its checksum does not fit');
      return JSON.parse(body) as SavedLedger;
    } catch (error) {
      this.#log.warn({ path: this.#path, error: messageOf(error) }, 'saved counts of traffic are not usable: a new count begins');
      return undefined;
    }
  }

  /** Replaces it. A disk that refuses it is no reason not to count. */
  async write(ledger: TrafficLedger): Promise<void> {
    const { version } = ledger;
    if (version === this.#written) return;
    const body = JSON.stringify(ledger.saved());
    try {
      await writeFile(`${this.#path}.tmp`, `${sha256(body)}\n${body}`, { mode: 0o600 });
      await rename(`${this.#path}.tmp`, this.#path);
      this.#written = version;
      this.#isBroken = false;
    } catch (error) {
      if (!this.#isBroken) this.#log.warn({ path: this.#path, error: messageOf(error) }, 'counts of traffic cannot be saved');
      this.#isBroken = true;
    }
  }
}
