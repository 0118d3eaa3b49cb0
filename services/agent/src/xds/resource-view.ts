/** What one proxy sees of the served state. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { LayerName, XdsResource } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { LayerSet, LayerSets, WholeSet } from './layer-sets.ts';
import type { UnaskedUpstreams } from './unasked-upstreams.ts';

/** The resources that a stream may serve at this moment. */
export interface ResourceView {
  /** Rises with every change of what is served. */
  readonly generation: number;
  get(type: XdsType, name: string): XdsResource | undefined;
  /** Whether a name that `get` does not know is made once it is asked for; none is when this is left out. */
  awaits?(type: XdsType, name: string): boolean;
  /** Names of everything of a type. */
  names(type: XdsType): Iterable<string>;
  /** Whether a client that asks for everything is sent this name unasked; all are when this is left out. */
  offers?(type: XdsType, name: string): boolean;
  /** Everything of a type encoded together, if the view is made of layers that others see too. */
  whole?(type: XdsType): WholeSet | undefined;
  /** Everything of a type, if it is what others see too; another object after every change. */
  common?(type: XdsType): LayerSet | undefined;
}

/** The name of a proxy's own certificate; every proxy asks for the same name and gets its own. */
export const IDENTITY_SECRET = 'identity';

/** What a proxy's view is made of. */
export interface ProxyViewOptions {
  readonly store: SnapshotStore;
  readonly sets: LayerSets;
  readonly own: LayerName;
  readonly identity: () => XdsResource | undefined;
  /** Which upstreams it is sent unasked; all of them without it. */
  readonly unasked?: UnaskedUpstreams | undefined;
}

/**
 * A proxy's own layer, which wins, those it reads at the time, and its certificate. `identity` is asked each time, so a renewed
 * certificate is seen at once, and not before it was issued; the name `identity` in a layer is never served.
 */
export function proxyView({ store, sets, own, identity, unasked }: ProxyViewOptions): ResourceView {
  return {
    get generation() {
      return store.generation;
    },
    get: (type, name) => {
      if (type === 'SDS' && name === IDENTITY_SECRET) return identity();
      for (const layer of store.layersOf(own)) {
        const resource = store.get(layer, type, name);
        if (resource !== undefined) return resource;
      }
      return undefined;
    },
    awaits: (type, name) => type === 'SDS' && name === IDENTITY_SECRET && identity() === undefined,
    names: (type) => {
      const names = new Set(store.layersOf(own).flatMap((layer) => [...store.all(layer, type).keys()]));
      if (type === 'SDS' && identity() !== undefined) names.add(IDENTITY_SECRET);
      return names;
    },
    offers: (type, name) => type !== 'CDS' || unasked?.offers(name) !== false,
    whole: (type) => (type === 'SDS' ? undefined : sets.whole(type, store.layersOf(own))),
    common: (type) =>
      type === 'SDS' || (type === 'CDS' && unasked?.isBounded === true) ? undefined : sets.common(type, store.layersOf(own)),
  };
}
