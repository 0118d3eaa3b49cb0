/** inotify on a directory and its sub-folders of one level, with the identity of the directory it was opened on. */
import { type FSWatcher, watch } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Whether a path names a file that a registry is read from. */
export function isRegistryFile(path: string): boolean {
  return /^[^.].*\.(ya?ml|json)$/.test(basename(path));
}

/** Calls back with the path (below the root) of a file that changed, or undefined when everything has to be read again. */
export class DirectoryWatch {
  readonly #root: string;
  readonly #onEvent: (path: string | undefined) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #identity: string | undefined;

  constructor(root: string, onEvent: (path: string | undefined) => void) {
    this.#root = root;
    this.#onEvent = onEvent;
  }

  /** Sub-folders that are watched. */
  get folders(): readonly string[] {
    return [...this.#watchers.keys()].filter((folder) => folder !== '');
  }

  /** Watches the directory that is there now; throws when there is none. */
  async open(): Promise<void> {
    const identity = await this.#look();
    if (identity === this.#identity) return;
    this.close();
    this.#add('');
    this.#identity = identity;
  }

  /** Whether the directory is still the one that is watched; throws when there is none. */
  async isUnchanged(): Promise<boolean> {
    return (await this.#look()) === this.#identity;
  }

  /** Watches a sub-folder too; one that cannot be watched is left to the scans. */
  addFolder(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      this.#add(folder);
    } catch {
      // It vanished between listing and watching: its own removal is an event of the root.
    }
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#identity = undefined;
  }

  async #look(): Promise<string> {
    const found = await stat(this.#root, { bigint: true });
    if (!found.isDirectory()) throw new Error('not a directory');
    return `${found.dev}:${found.ino}:${found.birthtimeNs}`;
  }

  #add(folder: string): void {
    const watcher = watch(join(this.#root, folder), { persistent: false }, (_event, name) => this.#event(folder, name));
    // After an error a watcher is silent: reading everything again finds out why.
    watcher.on('error', () => this.#drop(folder));
    this.#watchers.set(folder, watcher);
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    if (folder === '') this.#identity = undefined;
    this.#onEvent(undefined);
  }

  #event(folder: string, name: string | null): void {
    const path = name === null || name.startsWith('..') ? undefined : join(folder, name);
    if (path === undefined || isRegistryFile(path)) this.#onEvent(path);
    // The kernel reports the end of the watched directory itself under its own name.
    else if (name === basename(join(this.#root, folder))) this.#drop(folder);
    else if (folder === '' && name?.startsWith('.') === false) void this.#perhapsFolder(path);
  }

  async #perhapsFolder(path: string): Promise<void> {
    const found = await lstat(join(this.#root, path)).catch(() => undefined);
    if (found?.isDirectory() === true) this.#onEvent(undefined);
    else if (found === undefined && this.#watchers.has(path)) this.#drop(path);
  }
}
