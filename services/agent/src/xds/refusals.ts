/** What a client refused of one type, and which parts of refused responses are yet to be tried apart. */

/** A version that was refused, and what the client said. */
export interface Refusal {
  readonly version: string;
  readonly message: string;
}

/** The standing refusals of one type on one stream. */
export class Refusals {
  readonly #byName = new Map<string, Refusal>();
  /** Parts of refused responses, name → version. */
  readonly #parts: ReadonlyMap<string, string>[] = [];

  /** Whether something that is still what the client should have is refused. */
  get any(): boolean {
    return this.#byName.size > 0;
  }

  /** What the client said of the first of them. */
  get first(): string | undefined {
    return this.#byName.values().next().value?.message;
  }

  /** Those that are certain: nothing that the client said them of is yet to be tried in a smaller part. */
  get standing(): readonly (Refusal & { readonly name: string })[] {
    return [...this.#byName].filter(([name]) => !this.retries(name)).map(([name, refusal]) => ({ name, ...refusal }));
  }

  /** Whether parts wait to be tried. */
  get hasParts(): boolean {
    return this.#parts.length > 0;
  }

  get names(): IterableIterator<string> {
    return this.#byName.keys();
  }

  get(name: string): Refusal | undefined {
    return this.#byName.get(name);
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }

  /**
   * Notes a refused response. A response of one resource is not tried again; one of several may hold good ones that the
   * client skipped, so its halves are tried apart until the bad one stands alone.
   */
  add(refused: readonly (readonly [string, string])[], message: string): void {
    for (const [name, version] of refused) this.#byName.set(name, { version, message });
    if (refused.length < 2) return;
    const middle = Math.ceil(refused.length / 2);
    this.#parts.push(new Map(refused.slice(0, middle)), new Map(refused.slice(middle)));
  }

  /** The next part to try. */
  takePart(): ReadonlyMap<string, string> | undefined {
    return this.#parts.shift();
  }

  /** Whether the name is yet to be tried in a smaller part. */
  retries(name: string): boolean {
    const refusal = this.#byName.get(name);
    return refusal !== undefined && this.#parts.some((part) => part.get(name) === refusal.version);
  }

  /** Gives up trying the parts: what was refused stays so until it changes. */
  dropParts(): void {
    this.#parts.length = 0;
  }
}
