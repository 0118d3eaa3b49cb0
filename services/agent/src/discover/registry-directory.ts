/**
 * A live directory of registry files. inotify says what changed and a change is taken at once; a scan every 30 s is the
 * safety net. What a read cannot tell is never taken for a removal: a directory that is gone or unreadable holds everything.
 */
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { DirectoryWatch, isRegistryFile } from './directory-watch.ts';
import { RegistryFiles } from './registry-files.ts';
import type { OpenRegistry, RegistrySource, RegistrySourceOptions } from './registry-source.ts';

/** How a registry directory is watched. */
export interface RegistryOptions extends RegistrySourceOptions {
  readonly root: string;
}

/** Larger files are refused like any other fault. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Permissions of anybody but the file's owner. */
const OTHERS = 0o077;
/** A faulty or perhaps unfinished file is read once more after this time, should no event come. */
const RETRY_MS = 100;
/** A file that is gone is looked for once more after this time: something may be taking its place. */
const SECOND_LOOK_MS = 2;
/** For this time after a removal, a directory or a faulty file under the same name is no removal after all. */
const MOMENT_MS = 1000;
/** How often the directory's identity is looked at, and every how many looks everything is read. */
const LOOK_MS = 1000;
const LOOKS_PER_SCAN = 30;

/** What reading a file came to. */
type Outcome = 'changed' | 'same' | 'gone';

/** The source that reads this directory. */
export function registryDirectory(root: string): OpenRegistry {
  return (options) => new RegistryDirectory({ root, ...options });
}

/** Watches one directory and its sub-folders of one level. */
export class RegistryDirectory implements RegistrySource {
  readonly #options: RegistryOptions;
  readonly #files: RegistryFiles;
  readonly #watch: DirectoryWatch;
  readonly #dirty = new Set<string>();
  readonly #retried = new Set<string>();
  #relist = false;
  #held: string | undefined;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#files = new RegistryFiles(options.seed);
    this.#watch = new DirectoryWatch(options.root, (path) => this.#changed(path));
  }

  /** Reads everything once and stays live. Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    await this.rescan();
    let looks = 0;
    this.#timer = setInterval(() => void this.#look(++looks % LOOKS_PER_SCAN === 0), LOOK_MS).unref();
  }

  /** Reads the whole directory again, as the confirmation of a held loss wants it. */
  async rescan(): Promise<void> {
    this.#relist = true;
    await this.#run();
  }

  /** Stops watching; no read is reported after it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#watch.close();
    await this.#running;
  }

  /** No event tells of a symbolic link that now leads elsewhere, or of a mount: the identity does. */
  async #look(scan: boolean): Promise<void> {
    const unchanged = await this.#watch.isUnchanged().catch(() => false);
    if (scan || !unchanged) await this.rescan();
  }

  #changed(path: string | undefined): void {
    if (path === undefined) this.#relist = true;
    else {
      this.#dirty.add(path);
      this.#retried.delete(path);
    }
    void this.#run();
  }

  /** One pass at a time; whatever comes meanwhile is taken by the next one, which starts at once. */
  #run(): Promise<void> {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    while (!this.#stopped && (this.#relist || this.#dirty.size > 0)) {
      const how = this.#relist ? 'relist' : 'live';
      const dirty = [...this.#dirty];
      this.#relist = false;
      this.#dirty.clear();
      try {
        if (how === 'relist') await this.#readAll();
        else if (!(await this.#readSome(dirty))) continue;
        this.#hold(undefined);
      } catch (error) {
        this.#watch.close();
        this.#hold(`${this.#options.root}: ${messageOf(error)}; everything it held is kept until it can be read again`);
        continue;
      }
      if (!this.#stopped) this.#options.onRead({ ...this.#files.merged(), byFile: new Map(this.#files.byFile), how });
    }
  }

  #hold(reason: string | undefined): void {
    if (this.#held === reason || this.#stopped) return;
    this.#held = reason;
    this.#options.onHold(reason);
  }

  async #readAll(): Promise<void> {
    const found = new Set(await this.#list());
    for (const file of found) await this.#readFile(file);
    for (const file of this.#files.names()) if (!found.has(file)) this.#remove(file);
  }

  /** Reads the files that events named; false when there is nothing to tell, or everything has to be read instead. */
  async #readSome(paths: readonly string[]): Promise<boolean> {
    let changed = false;
    let removed = 0;
    const outcomes = await this.#readTwice(paths);
    for (const [path, outcome] of outcomes) {
      if (outcome === 'gone') {
        if (!(await this.#watch.isUnchanged())) this.#relist = true;
        else if (this.#remove(path)) removed += 1;
      }
      changed ||= outcome !== 'same';
    }
    // Emptied of several files at once, the directory may be about to vanish itself: that wants a second look.
    if (removed > 1 && this.#files.names().size === 0) this.#relist = true;
    return changed && !this.#relist;
  }

  /** Reads files, those that are gone a second time. */
  async #readTwice(paths: readonly string[]): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const path of paths) outcomes.set(path, await this.#readFile(path));
    const gone = paths.filter((path) => outcomes.get(path) === 'gone');
    if (gone.length > 0) await sleep(SECOND_LOOK_MS);
    for (const path of gone) outcomes.set(path, await this.#readFile(path));
    return outcomes;
  }

  #remove(path: string): boolean {
    setTimeout(() => this.#files.forget(path), MOMENT_MS).unref();
    return this.#files.remove(path);
  }

  async #readFile(file: string): Promise<Outcome> {
    const path = join(this.#options.root, file);
    const wasFaulty = this.#files.isFaulty(file);
    try {
      const { size, mtimeMs, mode } = await stat(path);
      if (size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
      const text = await readFile(path, 'utf8');
      if (perhapsUnfinished(file, text) && Date.now() - mtimeMs < RETRY_MS && this.#retryOnce(file)) return 'same';
      const changed = this.#files.read(file, text, (mode & OTHERS) !== 0);
      if (this.#files.isFaulty(file)) this.#retryOnce(file);
      return changed || wasFaulty || this.#files.isFaulty(file) ? 'changed' : 'same';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return this.#files.names().has(file) ? 'gone' : 'same';
      const reason = codeOf(error) === 'EISDIR' ? 'is a directory, not a file' : messageOf(error);
      this.#files.fault(file, `${file}: ${reason}`);
      this.#retryOnce(file);
      return 'changed';
    }
  }

  /** Reads a file once more shortly; false when that was done already since its last event. */
  #retryOnce(file: string): boolean {
    if (this.#retried.has(file)) return false;
    this.#retried.add(file);
    setTimeout(() => {
      this.#dirty.add(file);
      void this.#run();
    }, RETRY_MS).unref();
    return true;
  }

  /** Opens the watches before it lists, so that nothing falls between. */
  async #list(): Promise<string[]> {
    await this.#watch.open();
    const names = await readdir(this.#options.root);
    for (const name of names) {
      if (!isRegistryFile(name) && !name.startsWith('.') && (await this.#isFolder(name))) this.#watch.addFolder(name);
    }
    const below = this.#watch.folders.map((folder) => this.#listFolder(folder));
    return [...names, ...(await Promise.all(below)).flat()].filter(isRegistryFile).sort();
  }

  /** A folder that vanished meanwhile holds nothing; one that cannot be read makes the whole read fail. */
  async #listFolder(folder: string): Promise<string[]> {
    try {
      return (await readdir(join(this.#options.root, folder))).map((name) => join(folder, name));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async #isFolder(name: string): Promise<boolean> {
    return (await lstat(join(this.#options.root, name)).catch(() => undefined))?.isDirectory() ?? false;
  }
}

/** YAML cut short can still be YAML: a finished text ends its last line. JSON needs no such sign. */
function perhapsUnfinished(file: string, text: string): boolean {
  return !file.endsWith('.json') && !text.endsWith('\n');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
