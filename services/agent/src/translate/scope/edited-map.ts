/** A map that is replaced and not changed: copied by the first entry that differs, and the same object while none does. */
export class EditedMap<Value> {
  readonly #before: ReadonlyMap<string, Value>;
  #after: Map<string, Value> | undefined;

  constructor(before: ReadonlyMap<string, Value> = new Map()) {
    this.#before = before;
  }

  /** As it is now. */
  get now(): ReadonlyMap<string, Value> {
    return this.#after ?? this.#before;
  }

  get isEdited(): boolean {
    return this.#after !== undefined;
  }

  /** Undefined removes. */
  put(key: string, value: Value | undefined): void {
    if (this.now.get(key) === value) return;
    this.#after ??= new Map(this.#before);
    if (value === undefined) this.#after.delete(key);
    else this.#after.set(key, value);
  }
}
