/** Who is connected, and which streams read which layer: a change reaches exactly those that see it. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Change, LayerName } from '../snapshot/resource.ts';
import type { ProxyStream } from './proxy-stream.ts';
import { layersOf } from './resource-view.ts';

/** Type and name of a resource that changed. */
export interface ResourceKey {
  readonly type: XdsType;
  readonly name: string;
}

/** The resource that a change concerns. */
export function keyOf(change: Change): ResourceKey {
  return 'put' in change ? change.put : change.remove;
}

/** The connected streams, by proxy and by layer. */
export class StreamIndex {
  readonly #byLayer = new Map<LayerName, Set<ProxyStream>>();
  readonly #all = new Set<ProxyStream>();

  add(stream: ProxyStream): void {
    this.#all.add(stream);
    for (const layer of layersOf(stream.proxy)) {
      const streams = this.#byLayer.get(layer) ?? new Set();
      this.#byLayer.set(layer, streams.add(stream));
    }
  }

  /** Returns whether the proxy has no other stream. */
  remove(stream: ProxyStream): boolean {
    this.#all.delete(stream);
    for (const layer of layersOf(stream.proxy)) {
      const streams = this.#byLayer.get(layer);
      streams?.delete(stream);
      if (streams?.size === 0) this.#byLayer.delete(layer);
    }
    const [, own] = layersOf(stream.proxy);
    return !this.#byLayer.has(own);
  }

  get all(): ReadonlySet<ProxyStream> {
    return this.#all;
  }

  /** The newest stream of each proxy, by name: an old one may linger until its connection is found dead. */
  get newest(): ReadonlyMap<string, ProxyStream> {
    return new Map(this.#all.values().map((stream) => [stream.proxy.name, stream]));
  }

  /** What each stream sees of a batch of changes. */
  affected(changes: readonly Change[]): ReadonlyMap<ProxyStream, readonly ResourceKey[]> {
    const seen = new Map<ProxyStream, ResourceKey[]>();
    for (const change of changes) {
      for (const stream of this.#byLayer.get(change.layer) ?? []) {
        const keys = seen.get(stream);
        if (keys === undefined) seen.set(stream, [keyOf(change)]);
        else keys.push(keyOf(change));
      }
    }
    return seen;
  }
}
