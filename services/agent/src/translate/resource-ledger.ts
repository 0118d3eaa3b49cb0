/** What was given so far, by the unit it came from: turns newly compiled units into changes. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Change, LayerName, XdsResource } from '../snapshot/resource.ts';

/** A resource in its layer. */
export interface Placed {
  readonly layer: LayerName;
  readonly resource: XdsResource;
}

/** Newly compiled units; a unit without resources is gone. */
export type StagedUnits = ReadonlyMap<string, readonly Placed[]>;

/** Puts resources into a layer. */
export function placed(layer: LayerName, resources: readonly XdsResource[]): Placed[] {
  return resources.map((resource) => ({ layer, resource }));
}

/** Keeps the given state. `changes` only looks; `commit` replaces. */
export class ResourceLedger {
  readonly #units = new Map<string, ReadonlyMap<string, Placed>>();
  readonly #owners = new Map<string, string>();

  /** What differs from what was given, in a fixed order: puts, then removals, by layer, type and name. */
  changes(staged: StagedUnits): Change[] {
    const puts: Placed[] = [];
    const removals = new Map<string, Placed>();
    const put = new Set<string>();
    for (const [unit, resources] of staged) {
      const before = this.#units.get(unit) ?? EMPTY;
      for (const item of resources) {
        const id = idOf(item);
        put.add(id);
        if (before.get(id)?.resource.version !== item.resource.version) puts.push(item);
      }
      for (const [id, item] of before) removals.set(id, item);
    }
    for (const id of put) removals.delete(id);
    return [
      ...puts.sort(byId).map(({ layer, resource }) => ({ layer, put: resource })),
      ...[...removals.values()].sort(byId).map(({ layer, resource: { type, name } }) => ({ layer, remove: { type, name } })),
    ];
  }

  /** Names that two units claim, or one unit twice. */
  conflicts(staged: StagedUnits): string[] {
    const claimed = new Map<string, string>();
    const found: string[] = [];
    for (const [unit, resources] of staged) {
      for (const item of resources) {
        const id = idOf(item);
        const owner = this.#owners.get(id);
        const isTaken = owner !== undefined && owner !== unit && !staged.has(owner);
        if (claimed.has(id) || isTaken) found.push(`${id} comes from ${unit} and from ${claimed.get(id) ?? owner}`);
        claimed.set(id, unit);
      }
    }
    return found;
  }

  /** Finds out whether a resource is there once `staged` is committed. */
  lookup(staged: StagedUnits): (of: { layer: LayerName; type: XdsType; name: string }) => boolean {
    const ids = new Set([...staged.values()].flatMap((items) => items.map(idOf)));
    return ({ layer, type, name }) => {
      const id = `${layer} ${type} ${name}`;
      const owner = this.#owners.get(id);
      return ids.has(id) || (owner !== undefined && !staged.has(owner));
    };
  }

  commit(staged: StagedUnits): void {
    for (const unit of staged.keys()) for (const id of this.#units.get(unit)?.keys() ?? []) this.#owners.delete(id);
    for (const [unit, resources] of staged) {
      if (resources.length === 0) this.#units.delete(unit);
      else this.#units.set(unit, new Map(resources.map((item) => [idOf(item), item])));
      for (const item of resources) this.#owners.set(idOf(item), unit);
    }
  }
}

const EMPTY: ReadonlyMap<string, Placed> = new Map();

function idOf({ layer, resource }: Placed): string {
  return `${layer} ${resource.type} ${resource.name}`;
}

function byId(a: Placed, b: Placed): number {
  const [aId, bId] = [idOf(a), idOf(b)];
  return aId < bId ? -1 : aId > bId ? 1 : 0;
}
