/** What a client asks for of one type: names, the wildcard, or both. */
export class AskedNames {
  wildcard = false;
  #names: ReadonlySet<string> = new Set();
  /** The same set, while nobody else has it. */
  #own: Set<string> | undefined;

  /** The wildcard left out. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  covers(name: string): boolean {
    return this.wildcard || this.#names.has(name);
  }

  add(name: string): void {
    this.#writable().add(name);
  }

  /** Tells whether it was asked for. */
  delete(name: string): boolean {
    return this.#names.has(name) && this.#writable().delete(name);
  }

  /** Asks for exactly these; the set is not copied before it has to differ. */
  share(names: ReadonlySet<string>): void {
    this.#names = names;
    this.#own = undefined;
  }

  #writable(): Set<string> {
    this.#own ??= new Set(this.#names);
    this.#names = this.#own;
    return this.#own;
  }
}
