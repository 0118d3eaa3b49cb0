/** What the owner of a layer sees, and what it is told when that becomes something else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, keysOf, type LayerName, type XdsResource } from './resource.ts';
import { SnapshotStore } from './snapshot-store.ts';

const OWN: LayerName = 'sidecar:10.0.0.1';
const LAYERS: readonly LayerName[] = ['sidecar', 'scope:a:1', 'scope:b:2', OWN];

function resource(name: string, version: string): XdsResource {
  return { type: 'CDS', name, version, bytes: new Uint8Array() };
}

/** Name → version, as the owner of the layer sees it. */
function seen(store: SnapshotStore): Record<string, string> {
  const layers = [...store.layersOf(OWN)].reverse();
  return Object.fromEntries(layers.flatMap((layer) => [...store.all(layer, 'CDS').values()].map(({ name, version }) => [name, version])));
}

describe('the owner of a layer', () => {
  test('reads the layer of its role, until a change says otherwise', () => {
    const store = new SnapshotStore();
    store.apply([
      { layer: 'sidecar', put: resource('a', '1') },
      { layer: 'scope:a:1', put: resource('b', '1') },
      { layer: OWN, put: resource('own', '1') },
    ]);
    expect(seen(store)).toEqual({ a: '1', own: '1' });
    const { changes } = store.apply([{ layer: OWN, reads: ['scope:a:1'] }]);
    expect(seen(store)).toEqual({ b: '1', own: '1' });
    expect(
      changes
        .flatMap(keysOf)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['a', 'b']);
    expect(store.apply([{ layer: OWN, reads: ['scope:a:1'] }]).changes).toEqual([]);
    expect(store.apply([{ layer: 'gateway:10.0.0.9', reads: ['gateway'] }]).changes).toEqual([]);
  });

  test('is told in one batch of everything that it sees otherwise, whatever moved where (property)', () => {
    const change = fc.oneof(
      fc.record({
        layer: fc.constantFrom(...LAYERS),
        put: fc.record({ name: fc.constantFrom('a', 'b', 'c'), version: fc.constantFrom('1', '2') }),
      }),
      fc.record({
        layer: fc.constantFrom(...LAYERS),
        remove: fc.record({ type: fc.constant('CDS' as const), name: fc.constantFrom('a', 'b', 'c') }),
      }),
      fc.record({ layer: fc.constant(OWN), reads: fc.subarray(['scope:a:1', 'scope:b:2', 'sidecar'] as LayerName[]) }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 8 }), (batches) => {
        const store = new SnapshotStore();
        for (const batch of batches) {
          const before = seen(store);
          const changes = batch.map((one): Change => ('put' in one ? { ...one, put: resource(one.put.name, one.put.version) } : one));
          const applied = store.apply(changes);
          const layers = store.layersOf(OWN);
          const told = new Set(
            applied.changes
              .filter(({ layer }) => layers.includes(layer))
              .flatMap(keysOf)
              .map(({ name }) => name),
          );
          const after = seen(store);
          for (const name of ['a', 'b', 'c']) if (before[name] !== after[name]) expect(told).toContain(name);
        }
      }),
      { numRuns: 500 },
    );
  });
});
