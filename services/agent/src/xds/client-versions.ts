/** Which version of each name a client was sent last, and which it accepted. */
import type { LayerSet } from './layer-sets.ts';
import { VersionTable } from './version-table.ts';

/** The version of a resource that the client has in some unknown state: it refused a response, or only says that it has one. */
export const UNKNOWN = '';
/** A table that says this much otherwise than its base looks for a new one. */
const MOST_OWN = 128;

/** The versions of one type on one stream. */
export class ClientVersions {
  readonly #sent = new VersionTable();
  readonly #accepted = new VersionTable();

  /** What was sent and what was accepted, each as 16 hex digits over names and versions; empty for nothing. */
  get digests(): { readonly sent: string; readonly acked: string } {
    return { sent: this.#sent.digest, acked: this.#accepted.digest };
  }

  /** Of names that were sent. */
  get size(): number {
    return this.#sent.size;
  }

  has(name: string): boolean {
    return this.#sent.has(name);
  }

  sent(name: string): string | undefined {
    return this.#sent.get(name);
  }

  /** Whether the client may be without the name: it never had it, or what it has is in doubt. */
  mayLack(name: string): boolean {
    return (this.#sent.get(name) ?? UNKNOWN) === UNKNOWN;
  }

  accepted(name: string): string | undefined {
    return this.#accepted.get(name);
  }

  keys(): Iterable<string> {
    return this.#sent.keys();
  }

  /** The client was sent this version, or a removal. */
  send(name: string, version: string | undefined): void {
    this.#sent.set(name, version);
  }

  /** The client accepted this version, or a removal. */
  accept(name: string, version: string | undefined): void {
    this.#accepted.set(name, version);
  }

  /** The client, which had nothing, was sent all of this. */
  sendAll(set: LayerSet): void {
    this.#sent.share(set.versions);
  }

  /** The client accepted all of this, and has nothing else. */
  acceptAll(set: LayerSet): void {
    this.#accepted.share(set.versions);
  }

  /** The client has nothing to do with the name any more. */
  forget(name: string): void {
    this.#sent.set(name, undefined);
    this.#accepted.set(name, undefined);
  }

  /** Keeps what the client has by reference to what is served, when that is the same: memory goes with what differs. */
  compact(served: () => LayerSet | undefined): void {
    if (this.#sent.ownSize + this.#accepted.ownSize < MOST_OWN || this.#sent.digest !== this.#accepted.digest) return;
    const set = served();
    if (set?.versions.digest !== this.#sent.digest) return;
    this.#sent.share(set.versions);
    this.#accepted.share(set.versions);
  }
}
