/** What the files of a registry hold, file by file: a file's last good objects stay until it is good again or gone. Pure. */
import { type FileIssue, parseRegistryFile } from './registry-file.ts';
import { objectKey, type RegistryObject } from './registry-kinds.ts';

/** Why a file could not be taken. */
export interface FileWarning {
  readonly file: string;
  readonly message: string;
}

/** The objects last read from each file, by its path below the registry. */
export type ObjectsByFile = ReadonlyMap<string, readonly RegistryObject[]>;

/** `FILE:LINE: FIELD: MESSAGE` of the first fault, and how many more there are. */
export function describeIssues(file: string, issues: readonly FileIssue[]): string {
  const [first] = issues;
  if (first === undefined) return `${file}: not readable`;
  const field = first.field === '' ? '' : `${first.field}: `;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return `${file}:${first.line}: ${field}${first.message}${more}`;
}

const CUT_SHORT = 'ends in the middle of what it held before, as a file does that is being written';

/** A text that stops within a line of the one before it was not finished, even if it is good YAML. */
function isCutShort(text: string, before: string | undefined): boolean {
  return before?.startsWith(text) === true && !text.endsWith('\n') && before.slice(text.length).trim() !== '';
}

/** The files' state, changed by reads and removals of single files. */
export class RegistryFiles {
  readonly #objects: Map<string, readonly RegistryObject[]>;
  readonly #texts = new Map<string, string>();
  readonly #faults = new Map<string, string>();
  readonly #open = new Set<string>();
  /** What files held that were removed a moment ago. */
  readonly #removed = new Map<string, readonly RegistryObject[]>();

  /** `seed`: what the files held when the last good state was saved. */
  constructor(seed: ObjectsByFile = new Map()) {
    this.#objects = new Map(seed);
  }

  /** Takes a file's text, which others than its owner may read if it is `open`. Returns whether anything may have changed. */
  read(file: string, text: string, open = false): boolean {
    const wasOpen = this.#open.has(file);
    if (open) this.#open.add(file);
    else this.#open.delete(file);
    const before = this.#texts.get(file);
    if (before === text && !this.#faults.has(file)) return wasOpen !== open && this.#holdsSecret(file);
    const parsed = parseRegistryFile(text);
    if ('issues' in parsed || isCutShort(text, before)) {
      this.fault(file, 'issues' in parsed ? describeIssues(file, parsed.issues) : `${file}: ${CUT_SHORT}`);
      return false;
    }
    this.#texts.set(file, text);
    this.#faults.delete(file);
    this.#objects.set(file, parsed.objects);
    return true;
  }

  #holdsSecret(file: string): boolean {
    return (this.#objects.get(file) ?? []).some(({ kind }) => kind === 'Secret');
  }

  /** Notes that a file could not be read; its last good objects stay, and come back if it was removed a moment ago. */
  fault(file: string, message: string): void {
    this.#faults.set(file, message);
    const held = this.#removed.get(file);
    if (held !== undefined && !this.#objects.has(file)) this.#objects.set(file, held);
  }

  /** Takes out a file that its owner removed. Returns whether it held anything. */
  remove(file: string): boolean {
    this.#texts.delete(file);
    this.#faults.delete(file);
    const held = this.#objects.get(file);
    if (held !== undefined) this.#removed.set(file, held);
    return this.#objects.delete(file);
  }

  /** Ends the moment after a removal: whatever comes under this name now is something new. */
  forget(file: string): void {
    this.#removed.delete(file);
  }

  /** Paths known so far, faulty ones included. */
  names(): ReadonlySet<string> {
    return new Set([...this.#objects.keys(), ...this.#faults.keys()]);
  }

  isFaulty(file: string): boolean {
    return this.#faults.has(file);
  }

  /** Objects by file, for the last good state. */
  get byFile(): ObjectsByFile {
    return this.#objects;
  }

  /** All objects, each once: of two with one name the first file's (by name) wins. Faults and duplicates are the warnings. */
  merged(): { readonly objects: readonly RegistryObject[]; readonly warnings: readonly FileWarning[] } {
    const owners = new Map<string, string>();
    const objects: RegistryObject[] = [];
    const warnings: FileWarning[] = [...this.#faults].map(([file, message]) => ({ file, message }));
    for (const file of [...this.#objects.keys()].sort()) {
      if (this.#open.has(file) && this.#holdsSecret(file))
        warnings.push({ file, message: `${file}: it holds a Secret and others than its owner may read it; chmod 600 it` });
      for (const object of this.#objects.get(file) ?? []) {
        const key = keyOf(object);
        const owner = owners.get(key);
        if (owner === undefined) {
          owners.set(key, file);
          objects.push(object);
        } else warnings.push({ file, message: `${file}: ${key} is already defined in ${owner}; this one is ignored` });
      }
    }
    return { objects, warnings: warnings.sort((a, b) => (a.message < b.message ? -1 : 1)) };
  }
}

const keys = new WeakMap<RegistryObject, string>();

/** The key of an object, made once: objects are never changed in place. */
function keyOf(object: RegistryObject): string {
  const known = keys.get(object);
  if (known !== undefined) return known;
  const key = objectKey(object);
  keys.set(object, key);
  return key;
}
