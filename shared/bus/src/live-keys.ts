import { createHash } from 'node:crypto';
import type { Digest } from '@hawser/wire/messages.ts';

/** Keys with their revisions, and the digest over them. The order of keys is kept between digests, for it seldom changes. */
export class LiveKeys {
  readonly #revisions = new Map<string, number>();
  #sorted: string[] | undefined;

  has(key: string): boolean {
    return this.#revisions.has(key);
  }

  set(key: string, revision: number): void {
    if (!this.#revisions.has(key)) this.#sorted = undefined;
    this.#revisions.set(key, revision);
  }

  delete(key: string): void {
    if (this.#revisions.delete(key)) this.#sorted = undefined;
  }

  clear(): void {
    this.#revisions.clear();
    this.#sorted = undefined;
  }

  /** As `Digest` of `@hawser/wire` says. */
  digest(): Digest {
    this.#sorted ??= [...this.#revisions.keys()].sort();
    const hash = createHash('sha256');
    for (const key of this.#sorted) hash.update(`${key} ${this.#revisions.get(key)}\n`);
    return { count: this.#revisions.size, root: hash.digest('hex') };
  }
}
