/** Who is connected, and which streams read which layer: a change reaches exactly those that see it. */
import { type Change, keysOf, type LayerName, ownLayer, type ResourceKey } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { ProxyStream } from './proxy-stream.ts';

/** The connected streams, by proxy and by layer. */
export class StreamIndex {
  readonly #store: SnapshotStore;
  readonly #byLayer = new Map<LayerName, Set<ProxyStream>>();
  /** The layers under which each stream is found. */
  readonly #layers = new Map<ProxyStream, readonly LayerName[]>();

  constructor(store: SnapshotStore) {
    this.#store = store;
  }

  add(stream: ProxyStream): void {
    const layers = this.#store.layersOf(ownLayer(stream.proxy));
    this.#layers.set(stream, layers);
    for (const layer of layers) {
      const streams = this.#byLayer.get(layer) ?? new Set();
      this.#byLayer.set(layer, streams.add(stream));
    }
  }

  /** Returns whether the proxy has no other stream. */
  remove(stream: ProxyStream): boolean {
    for (const layer of this.#layers.get(stream) ?? []) {
      const streams = this.#byLayer.get(layer);
      streams?.delete(stream);
      if (streams?.size === 0) this.#byLayer.delete(layer);
    }
    this.#layers.delete(stream);
    return !this.#byLayer.has(ownLayer(stream.proxy));
  }

  get all(): ReadonlySet<ProxyStream> {
    return new Set(this.#layers.keys());
  }

  get size(): number {
    return this.#layers.size;
  }

  /** The newest stream of each proxy, by name: an old one may linger until its connection is found dead. */
  get newest(): ReadonlyMap<string, ProxyStream> {
    return new Map(this.#layers.keys().map((stream) => [stream.proxy.name, stream]));
  }

  /** What each stream sees of a batch of changes that the store has applied. */
  affected(changes: readonly Change[]): ReadonlyMap<ProxyStream, readonly ResourceKey[]> {
    for (const change of changes) if ('reads' in change) this.#follow(change.layer);
    const seen = new Map<ProxyStream, ResourceKey[]>();
    for (const change of changes) {
      const changed = keysOf(change);
      for (const stream of this.#byLayer.get(change.layer) ?? []) {
        const keys = seen.get(stream) ?? [];
        seen.set(stream, keys);
        for (const key of changed) keys.push(key);
      }
    }
    return seen;
  }

  /** The proxy that owns a layer reads others now. */
  #follow(own: LayerName): void {
    for (const stream of [...(this.#byLayer.get(own) ?? [])]) {
      this.remove(stream);
      this.add(stream);
    }
  }
}
