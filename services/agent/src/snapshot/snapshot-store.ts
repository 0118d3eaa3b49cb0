/** The served state: every layer's resources by type and name, changed in place by batches of changes. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { type Change, defaultReads, keysOf, type LayerName, type ReadsChange, type ResourceKey, type XdsResource } from './resource.ts';

/** A batch that was applied. `generation` rises by one with each. */
export interface Applied {
  readonly generation: number;
  /** Only what differs from the state before; a put of an equal version is left out. */
  readonly changes: readonly Change[];
}

/** Holds what is served. Work is proportional to the batch, never to the state; only who reads other layers has them compared. */
export class SnapshotStore {
  #generation = 0;
  readonly #layers = new Map<LayerName, Map<XdsType, Map<string, XdsResource>>>();
  /** By own layer, where it is not the default. */
  readonly #reads = new Map<LayerName, readonly LayerName[]>();
  readonly #listeners = new Set<(applied: Applied) => void>();

  get generation(): number {
    return this.#generation;
  }

  /** Applies a batch and tells the listeners, in the same turn. Nothing happens when nothing differs; returns what did. */
  apply(batch: readonly Change[]): Applied {
    const before = new Map(batch.filter(isReads).map(({ layer }) => [layer, this.layersOf(layer)]));
    const changes = batch.filter((change) => this.#applyOne(change));
    const applied = { generation: this.#generation, changes: before.size === 0 ? changes : this.#withDiffering(changes, before) };
    if (changes.length === 0) return applied;
    this.#generation += 1;
    const told = { ...applied, generation: this.#generation };
    for (const listener of this.#listeners) listener(told);
    return told;
  }

  get(layer: LayerName, type: XdsType, name: string): XdsResource | undefined {
    return this.#layers.get(layer)?.get(type)?.get(name);
  }

  /** All resources of one type in one layer, by name. */
  all(layer: LayerName, type: XdsType): ReadonlyMap<string, XdsResource> {
    return this.#layers.get(layer)?.get(type) ?? EMPTY;
  }

  /** The layers that the owner of a layer sees: its own first, then those it reads. A resource is the first layer's that has it. */
  layersOf(own: LayerName): readonly LayerName[] {
    return [own, ...(this.#reads.get(own) ?? defaultReads(own))];
  }

  /** Calls back after every batch that changed something. Returns how to stop. */
  subscribe(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #applyOne(change: Change): boolean {
    if ('reads' in change) return this.#applyReads(change);
    if ('put' in change) {
      const names = this.#names(change.layer, change.put.type);
      if (names.get(change.put.name)?.version === change.put.version) return false;
      names.set(change.put.name, change.put);
      return true;
    }
    return this.#remove(change.layer, change.remove);
  }

  #applyReads({ layer, reads }: ReadsChange): boolean {
    const [, ...known] = this.layersOf(layer);
    if (known.join() === reads.join()) return false;
    if (defaultReads(layer).join() === reads.join()) this.#reads.delete(layer);
    else this.#reads.set(layer, reads);
    return true;
  }

  /** Layers come and go with those who read them: nothing is left of an empty one. */
  #remove(layer: LayerName, { type, name }: ResourceKey): boolean {
    const types = this.#layers.get(layer);
    const names = types?.get(type);
    if (types === undefined || names?.delete(name) !== true) return false;
    if (names.size === 0) types.delete(type);
    if (types.size === 0) this.#layers.delete(layer);
    return true;
  }

  /**
   * Who reads other layers now sees otherwise what differs between them and what changed, in the same batch, in those it read
   * before; what changed in those it reads now is told like every change of them.
   */
  #withDiffering(changes: readonly Change[], before: ReadonlyMap<LayerName, readonly LayerName[]>): Change[] {
    return changes.map((change) => {
      const known = 'reads' in change ? before.get(change.layer) : undefined;
      if (known === undefined || !('reads' in change)) return change;
      const moved = changes.filter((other) => !('reads' in other) && known.includes(other.layer)).flatMap(keysOf);
      const differing = new Map(
        [...this.#differing(known, this.layersOf(change.layer)), ...moved].map((key) => [`${key.type} ${key.name}`, key]),
      );
      return { ...change, differing: [...differing.values()] };
    });
  }

  /** What two lists of layers show differently; the layers that both end with, nobody has to look at. */
  #differing(a: readonly LayerName[], b: readonly LayerName[]): ResourceKey[] {
    let common = 0;
    while (common < Math.min(a.length, b.length) && a.at(-1 - common) === b.at(-1 - common)) common += 1;
    const apart = new Set([...a.slice(0, a.length - common), ...b.slice(0, b.length - common)]);
    const found: ResourceKey[] = [];
    for (const layer of apart) {
      for (const [type, names] of this.#layers.get(layer) ?? []) {
        for (const name of names.keys())
          if (this.#first(a, type, name)?.version !== this.#first(b, type, name)?.version) found.push({ type, name });
      }
    }
    return found;
  }

  #first(layers: readonly LayerName[], type: XdsType, name: string): XdsResource | undefined {
    for (const layer of layers) {
      const resource = this.get(layer, type, name);
      if (resource !== undefined) return resource;
    }
    return undefined;
  }

  #names(layer: LayerName, type: XdsType): Map<string, XdsResource> {
    const types = this.#layers.get(layer) ?? new Map<XdsType, Map<string, XdsResource>>();
    this.#layers.set(layer, types);
    const names = types.get(type) ?? new Map<string, XdsResource>();
    types.set(type, names);
    return names;
  }
}

function isReads(change: Change): change is ReadsChange {
  return 'reads' in change;
}

const EMPTY: ReadonlyMap<string, XdsResource> = new Map();
