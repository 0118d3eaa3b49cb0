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

/** The files' state, changed by reads and removals of single files. */
export class RegistryFiles {
  readonly #objects: Map<string, readonly RegistryObject[]>;
  readonly #texts = new Map<string, string>();
  readonly #faults = new Map<string, string>();

  /** `seed`: what the files held when the last good state was saved. */
  constructor(seed: ObjectsByFile = new Map()) {
    this.#objects = new Map(seed);
  }

  /** Takes a file's text. Returns whether its objects may have changed. */
  read(file: string, text: string): boolean {
    if (this.#texts.get(file) === text) return false;
    const parsed = parseRegistryFile(text);
    if ('issues' in parsed) {
      this.fault(file, describeIssues(file, parsed.issues));
      return false;
    }
    this.#texts.set(file, text);
    this.#faults.delete(file);
    this.#objects.set(file, parsed.objects);
    return true;
  }

  /** Notes that a file could not be read; its last good objects stay. */
  fault(file: string, message: string): void {
    this.#faults.set(file, message);
    this.#texts.delete(file);
  }

  /** Forgets a file that its owner removed. Returns whether it held anything. */
  remove(file: string): boolean {
    this.#texts.delete(file);
    this.#faults.delete(file);
    return this.#objects.delete(file);
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
      for (const object of this.#objects.get(file) ?? []) {
        const key = objectKey(object);
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
