/**
 * The generations on disk, in the cluster's identity folder, which replicas share: `ca/NNNNNN.json` (0600), one file per state,
 * the highest number in force. The next number is made exclusively, so of two replicas that change the same state one does, and
 * the other looks again. A file is there whole or not at all.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import { Compile } from 'typebox/compile';
import { createExclusively } from './exclusive-file.ts';
import { StoredAuthority } from './generation.ts';

const FOLDER = 'ca';
const shape = Compile(StoredAuthority);

/** A state and its number; 0 before the first. */
export interface NumberedState {
  readonly number: number;
  readonly stored: StoredAuthority;
}

/** Reads and replaces the state of one identity folder. */
export class GenerationStore {
  readonly #folder: string;

  constructor(identityDir: string) {
    this.#folder = join(identityDir, FOLDER);
  }

  /** The number in force; 0 when there is no state yet. */
  async newest(): Promise<number> {
    return Math.max(0, ...(await this.#numbers()));
  }

  /** The state in force; undefined before the first. Throws `ca-unusable` for one that cannot be read. */
  async read(): Promise<NumberedState | undefined> {
    for (;;) {
      const number = await this.newest();
      if (number === 0) return undefined;
      const text = await readIfThere(this.#path(number));
      // Another replica has replaced it in the meantime.
      if (text === undefined) continue;
      return { number, stored: parsed(text, this.#path(number)) };
    }
  }

  /** Replaces the state `number`; false when another replica was faster. Throws `ca-read-only` when the folder takes nothing. */
  async replace(number: number, stored: StoredAuthority): Promise<boolean> {
    const next = number + 1;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      if (!(await createExclusively(this.#path(next), `${JSON.stringify(stored, undefined, 2)}\n`))) return false;
    } catch (error) {
      throw new AppError(
        'ca-read-only',
        `${this.#folder} cannot be written (${messageOf(error)}): give the agent a folder that it may write`,
        {
          cause: error,
        },
      );
    }
    const numbers = await this.#numbers();
    // A number that was removed already could be made once more; what is higher is in force.
    if (Math.max(...numbers) !== next) {
      await rm(this.#path(next), { force: true });
      return false;
    }
    for (const old of numbers) if (old < next) await rm(this.#path(old), { force: true });
    return true;
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    });
    return names.flatMap((name) => (/^\d{6,}\.json$/.test(name) ? [Number.parseInt(name, 10)] : []));
  }

  #path(number: number): string {
    return join(this.#folder, `${String(number).padStart(6, '0')}.json`);
  }
}

function parsed(text: string, path: string): StoredAuthority {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('ca-unusable', `${path} is damaged (${messageOf(error)}): restore the folder`, { cause: error });
  }
  if (shape.Check(value)) return value;
  const [problem] = shape.Errors(value);
  throw new AppError(
    'ca-unusable',
    `${path}: ${problem?.message ?? 'not the shape of an authority'}: restore the folder, or run the release that wrote it`,
  );
}
