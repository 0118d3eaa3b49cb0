/** Whole layers, put together once for all streams that read them, until something in them changes. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { keysOf, type LayerName, sizeOf, type XdsResource } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { encodeSet } from './sotw-frame.ts';
import { digestOf, VersionTable } from './version-table.ts';

/** Everything of one type that a proxy sees. */
export interface WholeSet {
  /** Stands for names and versions, as `VersionTable.digest` of the same content does. */
  readonly digest: string;
  readonly encoded: readonly Uint8Array[];
}

/** Everything of one type in one layer at one time; it never changes. */
export class LayerSet {
  readonly resources: readonly XdsResource[];
  readonly versions = new VersionTable();
  /** Of resources and names together. */
  readonly bytes: number;
  #names: ReadonlySet<string> | undefined;
  #sotw: Uint8Array | undefined;

  constructor(resources: Iterable<XdsResource>) {
    this.resources = [...resources];
    let bytes = 0;
    for (const resource of this.resources) {
      const { name, version } = resource;
      this.versions.set(name, version);
      bytes += sizeOf(resource) + name.length;
    }
    this.bytes = bytes;
  }

  get names(): ReadonlySet<string> {
    this.#names ??= new Set(this.resources.map(({ name }) => name));
    return this.#names;
  }

  /** As state of the world tells them. */
  get sotw(): Uint8Array {
    this.#sotw ??= Buffer.concat(encodeSet(this.resources));
    return this.#sotw;
  }
}

/** The sets of a store's layers. */
export class LayerSets {
  readonly #store: SnapshotStore;
  readonly #sets = new Map<string, LayerSet>();
  readonly #stop: () => void;

  /** Must be made before the streams of the store, so that a change is known here first. */
  constructor(store: SnapshotStore) {
    this.#store = store;
    this.#stop = store.subscribe(({ changes }) => {
      for (const change of changes) {
        // What is read changes no layer.
        if (!('reads' in change)) for (const { type } of keysOf(change)) this.#sets.delete(`${type} ${change.layer}`);
      }
    });
  }

  /** The layers together; undefined when one hides a name of another. */
  whole(type: XdsType, layers: readonly LayerName[]): WholeSet | undefined {
    const filled = layers.filter((layer) => this.#store.all(layer, type).size > 0);
    for (const [index, layer] of filled.entries()) {
      const others = filled.slice(index + 1).map((other) => this.#store.all(other, type));
      for (const name of this.#store.all(layer, type).keys()) if (others.some((names) => names.has(name))) return undefined;
    }
    const sets = filled.reverse().map((layer) => this.#of(type, layer));
    return { digest: digestOf(...sets.map(({ versions }) => versions.sum)), encoded: sets.map(({ sotw }) => sotw) };
  }

  /** The one layer that has anything of the type, if it is not the first: all that the proxy sees is what others see too. */
  common(type: XdsType, [own, ...shared]: readonly LayerName[]): LayerSet | undefined {
    if (own === undefined || this.#store.all(own, type).size > 0) return undefined;
    const filled = shared.filter((layer) => this.#store.all(layer, type).size > 0);
    const last = filled[0] ?? shared.at(-1);
    return filled.length > 1 || last === undefined ? undefined : this.#of(type, last);
  }

  stop(): void {
    this.#stop();
  }

  #of(type: XdsType, layer: LayerName): LayerSet {
    const key = `${type} ${layer}`;
    const set = this.#sets.get(key) ?? new LayerSet(this.#store.all(layer, type).values());
    this.#sets.set(key, set);
    return set;
  }
}
