/**
 * The set of resources that a state-of-the-world client has if it accepts what it was sent: clusters and listeners are
 * always told whole, so what is kept back of a change must be told in its earlier version, or it would count as deleted.
 */
import type { XdsResource } from '../snapshot/resource.ts';

/** One type of one stream; one response at a time is unanswered. */
export class OfferedSet {
  readonly #offered = new Map<string, XdsResource>();
  /** What was offered before the response in flight, of the names that it changed. */
  readonly #before = new Map<string, XdsResource | undefined>();
  #unknownPast = false;
  /** Told in their earlier version from the next response on. */
  #restored: XdsResource[] = [];

  get resources(): Iterable<XdsResource> {
    return this.#offered.values();
  }

  /** The client came with a set of an earlier stream that nobody here knows, until it accepts one of this stream. */
  get unknownPast(): boolean {
    return this.#unknownPast;
  }

  versionOf(name: string): string | undefined {
    return this.#offered.get(name)?.version;
  }

  /** The client has exactly these, from an earlier stream. */
  claim(resources: Iterable<XdsResource>): void {
    for (const resource of resources) this.#offered.set(resource.name, resource);
  }

  /** The client has something, from an earlier stream. */
  claimUnknown(): void {
    this.#unknownPast = true;
  }

  /** Applies what a response changes. */
  offer(puts: readonly XdsResource[], removed: readonly string[]): void {
    this.#before.clear();
    if (puts.length > 0) for (const name of [...puts.map((put) => put.name), ...removed]) this.#before.set(name, this.#offered.get(name));
    for (const put of puts) this.#offered.set(put.name, put);
    for (const name of removed) this.#offered.delete(name);
  }

  /** The client took the response. */
  accepted(): void {
    this.#before.clear();
    this.#unknownPast = false;
  }

  /** The client refused the response: what it changed is told as it was before. A past that nobody knows cannot be told. */
  refused(): void {
    if (!this.#unknownPast) {
      for (const [name, before] of this.#before) {
        if (before === undefined) this.#offered.delete(name);
        else {
          this.#offered.set(name, before);
          this.#restored.push(before);
        }
      }
    }
    this.#before.clear();
  }

  /** What a refusal took back, each time only once: a client that refused one part may have taken another, and now goes back. */
  takeRestored(): readonly XdsResource[] {
    const restored = this.#restored;
    this.#restored = [];
    return restored;
  }

  /** Drops what the client does not want any more. */
  keep(wanted: (name: string) => boolean): void {
    for (const names of [this.#offered, this.#before]) for (const name of names.keys()) if (!wanted(name)) names.delete(name);
  }
}
