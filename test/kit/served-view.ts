/** A view over a map, filled in short words, for the state machines' tests. */
import type { ResourceKey, XdsResource } from '@hawser/agent/snapshot/resource.ts';
import { LayerSet } from '@hawser/agent/xds/layer-sets.ts';
import type { ResourceView } from '@hawser/agent/xds/resource-view.ts';
import type { XdsType } from '@hawser/wire/messages.ts';

/** What is served. */
export class ServedView implements ResourceView {
  readonly served = new Map<string, XdsResource>();
  generation = 0;
  /** Clusters that come only when they are asked for by name. */
  unoffered: ReadonlySet<string> = new Set();
  readonly #common = new Map<XdsType, LayerSet>();
  #commonAt = -1;

  get(type: XdsType, name: string): XdsResource | undefined {
    return this.served.get(`${type} ${name}`);
  }

  offers(type: XdsType, name: string): boolean {
    return type !== 'CDS' || !this.unoffered.has(name);
  }

  /** As the agent's view: the same object until something changes. */
  common(type: XdsType): LayerSet | undefined {
    if (type === 'CDS' && this.unoffered.size > 0) return undefined;
    if (this.#commonAt !== this.generation) this.#common.clear();
    this.#commonAt = this.generation;
    const set = this.#common.get(type) ?? new LayerSet([...this.served.values()].filter((resource) => resource.type === type));
    this.#common.set(type, set);
    return set;
  }

  names(type: XdsType): string[] {
    return [...this.served.values()].filter((resource) => resource.type === type).map(({ name }) => name);
  }

  /** Puts resources, `TYPE name@version` each, with `@names` of children as their content; or removes `-TYPE name`. */
  change(changes: readonly string[]): ResourceKey[] {
    this.generation += 1;
    return changes.map((change) => {
      const [head = '', name = '', ...children] = change.split(/[ @]/);
      if (head.startsWith('-')) {
        this.served.delete(`${head.slice(1)} ${name}`);
        return { type: head.slice(1) as XdsType, name };
      }
      const [version = '', ...named] = children;
      this.served.set(`${head} ${name}`, { type: head as XdsType, name, version, bytes: naming(named) });
      return { type: head as XdsType, name };
    });
  }
}

/** Bytes of a message whose field 1 is repeated with these strings. */
function naming(names: string[]): Uint8Array {
  return Buffer.concat(names.map((name) => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)])));
}
