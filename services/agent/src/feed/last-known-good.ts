/** The last good state on disk, so that an agent starts with the hub and NATS dead (RELIABILITY R1): three generations, checksummed. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';

/** Where the state is kept and what makes it. */
export interface LastKnownGoodParts<State> {
  readonly folder: string;
  readonly log: Logger;
  /** The state to be saved, JSON; called when it is written. */
  current(): State;
  /** Why the state could not be written; undefined when it was. */
  readonly onProblem?: (problem: string | undefined) => void;
  /** The state as JSON text in pieces, the same ones each time; `JSON.stringify` unless there is a cheaper way. */
  readonly encode?: (state: State) => Iterable<string>;
  /** Least time between two writes. */
  readonly spacingMs?: number;
}

const GENERATIONS = 3;
const CHUNK_CHARS = 64 * 1024;
const SPACING_MS = 1_000;
/** A change after a quiet time is written this soon: proxies have it first, and a crash can hardly come between. */
const PROMPT_MS = 50;

/** Reads the newest intact generation. `accept` may refuse one (throw), then the next older is tried; undefined when none is left. */
export async function loadLastKnownGood<State>(
  folder: string,
  accept: (content: unknown) => State,
  log: Logger,
): Promise<State | undefined> {
  for (let generation = 0; generation < GENERATIONS; generation += 1) {
    const path = pathOf(folder, generation);
    try {
      const text = await readIfThere(path);
      if (text !== undefined) return accept(JSON.parse(intact(text)));
    } catch (error) {
      log.error({ path, error: messageOf(error) }, 'last good state is damaged, trying the one before');
    }
  }
  return undefined;
}

/** Writes the state soon after a change, and at most once in `spacingMs`; each write moves the older ones one generation down. */
export class LastKnownGood<State> {
  readonly #parts: LastKnownGoodParts<State>;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written = '';
  #notBefore = 0;

  constructor(parts: LastKnownGoodParts<State>) {
    this.#parts = parts;
  }

  /** The state differs from what is on disk: it is written soon. */
  changed(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        void this.#write();
      },
      Math.max(PROMPT_MS, this.#notBefore - performance.now()),
    ).unref();
  }

  /** Writes what is pending, now; call it before the process ends. */
  async flush(): Promise<void> {
    const pending = this.#timer !== undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await (pending ? this.#write() : this.#writing);
  }

  #write(): Promise<void> {
    this.#notBefore = performance.now() + (this.#parts.spacingMs ?? SPACING_MS);
    this.#writing = this.#writing.then(() => this.#save());
    return this.#writing;
  }

  /** A disk that is full or read-only must not stop the agent: it serves from memory, and says so. */
  async #save(): Promise<void> {
    const { folder, log, onProblem, encode = whole } = this.#parts;
    try {
      const state = this.#parts.current();
      const checksum = checksumOf(encode(state));
      if (checksum === this.#written) return;
      const next = join(folder, 'last-known-good.next');
      await writeDurably(next, inChunks(`${checksum}\n`, encode(state)));
      await this.#shift();
      await rename(next, pathOf(folder, 0));
      this.#written = checksum;
      onProblem?.(undefined);
    } catch (error) {
      log.error({ folder, error: messageOf(error) }, 'last good state was not saved; a restart would begin from an older one');
      onProblem?.(`the last good state cannot be written: ${messageOf(error)}; a restart would begin from an older one`);
      this.changed();
    }
  }

  /** A crash in between leaves a gap, which loading passes over. */
  async #shift(): Promise<void> {
    const { folder } = this.#parts;
    for (let generation = GENERATIONS - 1; generation > 0; generation -= 1) {
      const newer = pathOf(folder, generation - 1);
      if (existsSync(newer)) await rename(newer, pathOf(folder, generation));
    }
  }
}

function* whole(state: unknown): Generator<string> {
  yield JSON.stringify(state);
}

/** That of the pieces as one text. */
function checksumOf(pieces: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** Small pieces are written together. */
function* inChunks(first: string, pieces: Iterable<string>): Generator<string> {
  let chunk = first;
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function pathOf(folder: string, generation: number): string {
  return join(folder, `last-known-good.${generation}`);
}

/** The content behind the checksum line; throws when they do not belong together. */
function intact(text: string): string {
  const line = text.indexOf('\n');
  const content = text.slice(line + 1);
  if (line < 0 || sha256(content) !== text.slice(0, line)) throw new Error('its checksum does not match');
  return content;
}
