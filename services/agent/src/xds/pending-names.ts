/** The names of one type on one stream that wait to be compared with what is served, or to be sent. */
import type { LayerSet } from './layer-sets.ts';

/** Name by name, or a whole set of which the client has nothing: what would else be a thousand names. */
export class PendingNames {
  /** True for a name that is sent whatever the client has. */
  readonly #names = new Map<string, boolean>();
  #whole: LayerSet | undefined;

  get size(): number {
    return this.#names.size + (this.#whole?.resources.length ?? 0);
  }

  /** Whether all of a set waits to be sent. */
  get hasWhole(): boolean {
    return this.#whole !== undefined;
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#whole?.versions.has(name) === true;
  }

  /** The names, and whether each is sent in any case; those of a whole set are not among them. */
  entries(): Iterable<readonly [string, boolean]> {
    return this.#names;
  }

  names(): IteratorObject<string> {
    return this.#names.keys();
  }

  owe(name: string): void {
    this.#names.set(name, true);
  }

  compare(name: string): void {
    if (!this.#names.has(name)) this.#names.set(name, false);
  }

  /** A name that waits is sent only if it differs. */
  disown(name: string): void {
    if (this.#names.has(name)) this.#names.set(name, false);
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  /** The client has nothing and wants exactly this. */
  oweAll(set: LayerSet): void {
    this.#whole = set;
  }

  /** The whole set, taken out. */
  takeWhole(): LayerSet | undefined {
    const set = this.#whole;
    this.#whole = undefined;
    return set;
  }
}
