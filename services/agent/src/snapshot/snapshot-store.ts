/** The served state: every layer's resources by type and name, changed in place by batches of changes. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Change, LayerName, XdsResource } from './resource.ts';

/** A batch that was applied. `generation` rises by one with each. */
export interface Applied {
  readonly generation: number;
  /** Only what differs from the state before; a put of an equal version is left out. */
  readonly changes: readonly Change[];
}

/** Holds what is served. Work is proportional to the batch, never to the state. */
export class SnapshotStore {
  #generation = 0;
  readonly #layers = new Map<LayerName, Map<XdsType, Map<string, XdsResource>>>();
  readonly #listeners = new Set<(applied: Applied) => void>();

  get generation(): number {
    return this.#generation;
  }

  /** Applies a batch and tells the listeners, in the same turn. Nothing happens when nothing differs; returns what did. */
  apply(batch: readonly Change[]): Applied {
    const changes = batch.filter((change) => this.#applyOne(change));
    if (changes.length > 0) this.#generation += 1;
    const applied = { generation: this.#generation, changes };
    if (changes.length > 0) for (const listener of this.#listeners) listener(applied);
    return applied;
  }

  get(layer: LayerName, type: XdsType, name: string): XdsResource | undefined {
    return this.#layers.get(layer)?.get(type)?.get(name);
  }

  /** All resources of one type in one layer, by name. */
  all(layer: LayerName, type: XdsType): ReadonlyMap<string, XdsResource> {
    return this.#layers.get(layer)?.get(type) ?? EMPTY;
  }

  /** Calls back after every batch that changed something. Returns how to stop. */
  subscribe(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #applyOne(change: Change): boolean {
    if ('put' in change) {
      const names = this.#names(change.layer, change.put.type);
      if (names.get(change.put.name)?.version === change.put.version) return false;
      names.set(change.put.name, change.put);
      return true;
    }
    return this.#layers.get(change.layer)?.get(change.remove.type)?.delete(change.remove.name) ?? false;
  }

  #names(layer: LayerName, type: XdsType): Map<string, XdsResource> {
    const types = this.#layers.get(layer) ?? new Map<XdsType, Map<string, XdsResource>>();
    this.#layers.set(layer, types);
    const names = types.get(type) ?? new Map<string, XdsResource>();
    types.set(type, names);
    return names;
  }
}

const EMPTY: ReadonlyMap<string, XdsResource> = new Map();
