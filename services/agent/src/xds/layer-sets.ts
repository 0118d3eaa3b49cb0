/** Whole layers, encoded once for all streams that read them, until something in them changes. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { LayerName } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { encodeSet } from './sotw-frame.ts';
import { keyOf } from './stream-index.ts';
import { digestOf, type VersionSum, VersionTable } from './version-table.ts';

/** Everything of one type that a proxy sees. */
export interface WholeSet {
  /** Stands for names and versions, as `VersionTable.digest` of the same content does. */
  readonly digest: string;
  readonly encoded: readonly Uint8Array[];
}

interface LayerSet {
  readonly sum: VersionSum;
  readonly bytes: Uint8Array;
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
      for (const change of changes) this.#sets.delete(`${keyOf(change).type} ${change.layer}`);
    });
  }

  /** The two layers together; undefined when the second hides a name of the first. */
  whole(type: XdsType, shared: LayerName, own: LayerName): WholeSet | undefined {
    const hidden = this.#store.all(shared, type);
    for (const name of this.#store.all(own, type).keys()) if (hidden.has(name)) return undefined;
    const sets = [this.#set(type, shared), this.#set(type, own)];
    return { digest: digestOf(...sets.map(({ sum }) => sum)), encoded: sets.map(({ bytes }) => bytes) };
  }

  stop(): void {
    this.#stop();
  }

  #set(type: XdsType, layer: LayerName): LayerSet {
    const key = `${type} ${layer}`;
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const resources = this.#store.all(layer, type);
    const versions = new VersionTable();
    for (const { name, version } of resources.values()) versions.set(name, version);
    const set = { sum: versions.sum, bytes: Buffer.concat(encodeSet(resources.values())) };
    this.#sets.set(key, set);
    return set;
  }
}
