/** Services by those that their rules lead to: whose shape changes, changes the routes of all that lead to it. */
export class LeadingServices {
  readonly #leading = new Map<string, Set<string>>();

  /** Keys of services that lead to any of these. */
  to(keys: Iterable<string>): ReadonlySet<string> {
    const found = new Set<string>();
    for (const key of keys) for (const leading of this.#leading.get(key) ?? []) found.add(leading);
    return found;
  }

  /** The service `key` led to `before` and leads to `after`. */
  replace(key: string, before: ReadonlySet<string>, after: ReadonlySet<string>): void {
    if (before === after) return;
    for (const target of before) {
      const leading = this.#leading.get(target);
      leading?.delete(key);
      if (leading?.size === 0) this.#leading.delete(target);
    }
    for (const target of after) {
      const leading = this.#leading.get(target) ?? new Set<string>();
      this.#leading.set(target, leading.add(key));
    }
  }
}
