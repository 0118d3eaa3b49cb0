/** Which roots this agent's proxies are told to trust, and which of them have acknowledged it. Costs a look at each proxy, whatever they hold. */
import { X509Certificate } from 'node:crypto';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { rootMark, type ServedBundle } from '@hawser/wire/trust.ts';
import type { PeerCluster } from '../state/world.ts';
import type { StreamState } from '../xds/stream-machine.ts';

/** A connected proxy, as far as its trust is concerned. */
export interface TrustingStream {
  readonly proxy: { readonly name: string };
  readonly machine: Pick<StreamState, 'idle' | 'subscription'>;
}

/** The connected proxies (`AdsStreams`), the newest stream of each. */
export interface TrustingStreams<Stream extends TrustingStream> {
  newest(): Iterable<Stream>;
  find(name: string): Stream | undefined;
  listen(listener: { changed(): void; settled(stream: Stream): void; gone(stream: Stream): void }): () => void;
}

/** What it works with. */
export interface ServedBundlesParts<Stream extends TrustingStream> {
  readonly streams: TrustingStreams<Stream>;
  /** Of what is served now (`SnapshotStore`). */
  readonly generation: () => number;
  /** Names of proxies that were connected when the last good state was saved. */
  readonly saved: Iterable<string>;
  /** Milliseconds of any clock that only rises. */
  readonly now?: () => number;
}

/** Its stream ended, but it may go on serving, with what it has: for so long it counts as one that has not acknowledged. */
export const BACK_WITHIN_MS = 60_000;
const NAMED = 10;

interface Served {
  readonly roots: readonly string[];
  /** Whoever has everything of this generation has the bundle. */
  readonly generation: number;
}

/** Follows the bundles that are compiled, and who has them. */
export class ServedBundles<Stream extends TrustingStream> {
  readonly #parts: ServedBundlesParts<Stream>;
  readonly #now: () => number;
  readonly #stop: () => void;
  #clusters: ReadonlyMap<string, PeerCluster> | undefined;
  #served: ReadonlyMap<string, Served> = new Map();
  /** The newest generation of which a proxy had every secret. */
  readonly #has = new WeakMap<Stream, number>();
  /** Proxies that are expected back, since when. */
  readonly #lost = new Map<string, number>();

  constructor(parts: ServedBundlesParts<Stream>) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
    for (const name of parts.saved) this.#lost.set(name, this.#now());
    const nothing = (): void => undefined;
    this.#stop = parts.streams.listen({ changed: nothing, settled: nothing, gone: ({ proxy }) => this.#gone(proxy.name) });
  }

  /** What was compiled of these clusters is in the store, and told to every stream that sees it. */
  served(clusters: ReadonlyMap<string, PeerCluster>): void {
    if (clusters === this.#clusters) return;
    this.#clusters = clusters;
    const generation = this.#parts.generation();
    const next = new Map<string, Served>();
    for (const [trustDomain, members] of Map.groupBy(clusters.values(), (cluster) => cluster.trustDomain)) {
      const roots = [...new Set(members.flatMap(({ trustBundle }) => trustBundle.map(markOf)))].sort();
      const before = this.#served.get(trustDomain);
      next.set(trustDomain, before?.roots.join() === roots.join() ? before : { roots, generation });
    }
    this.#served = next;
  }

  /** The account of every trust domain, sorted by name. */
  account(): ServedBundle[] {
    const has = this.#whoHasWhat();
    const oldest = Math.min(...has.values());
    return [...this.#served]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([trustDomain, { roots, generation }]) => {
        const missing = oldest >= generation ? [] : [...has].filter(([, had]) => had < generation).map(([name]) => name);
        const acked = has.size - missing.length;
        return { trustDomain, roots: [...roots], expected: has.size, acked, missing: missing.sort().slice(0, NAMED) };
      });
  }

  stop(): void {
    this.#stop();
  }

  #gone(name: string): void {
    if (this.#parts.streams.find(name) === undefined) this.#lost.set(name, this.#now());
  }

  /** By proxy, the newest generation of which it has every secret; -1 where that is not known. */
  #whoHasWhat(): ReadonlyMap<string, number> {
    const generation = this.#parts.generation();
    const has = new Map<string, number>();
    for (const stream of this.#parts.streams.newest()) {
      if (hasEverySecret(stream)) this.#has.set(stream, generation);
      const had = this.#has.get(stream) ?? -1;
      has.set(stream.proxy.name, had);
      // One that is back but has not said yet what it holds is no less missing.
      if (had >= 0) this.#lost.delete(stream.proxy.name);
    }
    for (const [name, since] of this.#lost) {
      if (this.#now() - since > BACK_WITHIN_MS) this.#lost.delete(name);
      else if (!has.has(name)) has.set(name, -1);
    }
    return has;
  }
}

/** Nothing of its secrets waits, is unanswered or was refused. One that asked for none has none, once it has all of what would name them. */
function hasEverySecret({ machine }: TrustingStream): boolean {
  const secrets = machine.subscription('SDS');
  if (secrets.started) return !secrets.inFlight && !secrets.hasWork && !secrets.refused;
  return machine.idle && machine.subscription('CDS').started && machine.subscription('LDS').started;
}

const marks = new Map<string, string>();
const MOST_MARKS = 10_000;

/** `rootMark` of a PEM certificate, worked out once. */
function markOf(pem: string): string {
  const known = marks.get(pem);
  if (known !== undefined) return known;
  if (marks.size >= MOST_MARKS) marks.clear();
  const mark = rootMark(fingerprintOf(pem));
  marks.set(pem, mark);
  return mark;
}

/** What is no certificate is still told from other such texts. */
function fingerprintOf(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
  } catch {
    return sha256(pem);
  }
}
