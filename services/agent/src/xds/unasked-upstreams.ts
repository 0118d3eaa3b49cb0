/**
 * What a proxy that fetches upstreams by itself is sent unasked (decision 0017): of many upstreams those that policy of its namespace
 * and recent use call for. Any other one comes when it is asked for by name, at the first request that needs it.
 */
import type { LayerName, ResourceKey } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { parseUpstreamName } from '../translate/names.ts';

/** Which upstreams are called for, as whoever composes the server knows it. */
export interface UpstreamUse {
  /** Up to so many upstreams, every proxy is sent them all. */
  readonly sendsAllUpTo: number;
  /** Keys of the services that policy of a namespace names; the same object while they are the same. */
  named(namespace: string): ReadonlySet<string>;
  /** Whether an upstream is of one of these services. */
  isOf(upstream: string, services: ReadonlySet<string>): boolean;
  /** Whether proxies of a namespace used an upstream not long ago. */
  isRecent(namespace: string, upstream: string): boolean;
  /** A proxy of a namespace needs an upstream that it was not sent, and asked for it by name. */
  asked(namespace: string, upstream: string): void;
}

/** What one proxy's choice is made of. */
export interface UnaskedOptions {
  readonly store: SnapshotStore;
  readonly own: LayerName;
  readonly namespace: string;
  readonly use: UpstreamUse;
  /** Whether it calls for many: what bounds it is then no choice of what it needs. */
  readonly callsForOthers?: boolean;
}

/** The choice for one stream; it grows as more is called for, and what was sent is never taken back. */
export class UnaskedUpstreams {
  readonly #options: UnaskedOptions;
  #copied: ReadonlySet<string>;
  #named: ReadonlySet<string>;
  /** What it asked for by name on this stream. */
  readonly #noted = new Set<string>();

  constructor(options: UnaskedOptions) {
    this.#options = options;
    this.#copied = this.#copiedTo();
    this.#named = options.use.named(options.namespace);
  }

  /** Whether there is a choice: what a Sidecar bounds is sent whole, and so is what is not much. */
  get isBounded(): boolean {
    const { store, own, use, callsForOthers = false } = this.#options;
    const [, ...shared] = store.layersOf(own);
    if (!shared.includes('sidecar') && !callsForOthers) return false;
    return shared.reduce((count, layer) => count + store.all(layer, 'CDS').size, 0) > use.sendsAllUpTo;
  }

  /** Whether an upstream is sent unasked. */
  offers(upstream: string): boolean {
    if (!isOfService(upstream) || !this.isBounded || this.#copied.has(upstream)) return true;
    const { namespace, use } = this.#options;
    return use.isRecent(namespace, upstream) || use.isOf(upstream, this.#named);
  }

  /** The upstreams that are called for since these changes were made, and were not before. */
  follow(changes: readonly ResourceKey[]): ResourceKey[] {
    const { store, own, namespace, use } = this.#options;
    const [copied, named] = [this.#copied, this.#named];
    if (changes.some(({ type }) => type === 'RDS')) this.#copied = this.#copiedTo();
    this.#named = use.named(namespace);
    const fresh = [...this.#copied.difference(copied)];
    const services = this.#named === named ? NONE : this.#named.difference(named);
    if (services.size > 0) {
      const upstreams = store.layersOf(own).flatMap((layer) => [...store.all(layer, 'CDS').keys()]);
      fresh.push(...upstreams.filter((name) => use.isOf(name, services)));
    }
    return fresh.map((name) => ({ type: 'CDS', name }));
  }

  /** The proxy asks for these by name. */
  note(asked: ReadonlySet<string>): void {
    const { store, own, namespace, use } = this.#options;
    for (const name of asked) {
      if (this.#noted.has(name) || !isOfService(name)) continue;
      if (!store.layersOf(own).some((layer) => store.get(layer, 'CDS', name) !== undefined)) continue;
      this.#noted.add(name);
      use.asked(namespace, name);
    }
  }

  /** A request waits for the upstream that it goes to, but not for one that is only sent a copy. */
  #copiedTo(): ReadonlySet<string> {
    const { store, own } = this.#options;
    const routes = store.layersOf(own).flatMap((layer) => [...store.all(layer, 'RDS').values()]);
    return new Set(routes.flatMap(({ copiesTo = [] }) => copiesTo));
  }
}

/** Upstreams of services, by whatever protocol; all others are few, and listeners and routes need them from the start. */
function isOfService(upstream: string): boolean {
  return parseUpstreamName(upstream) !== undefined;
}

const NONE: ReadonlySet<string> = new Set();
