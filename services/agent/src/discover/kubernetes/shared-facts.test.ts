/** Several readers of one collection: each hears of what concerns it, and of nothing else. */
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { KnownFacts } from './known-facts.ts';
import { objectReader } from './object-facts.ts';
import { type FactsReader, sharedFacts } from './shared-facts.ts';

const readSize = objectReader('Thing', Type.Object({ size: Type.Integer() }), ({ size }) => size);
const thing = (name: string, labels?: unknown, size: unknown = 1) => ({ metadata: { name, namespace: 'shop', labels }, size });

function reader(concerns?: FactsReader<number>['concerns']) {
  const sink = new KnownFacts<number>(() => undefined);
  return { sink, read: readSize, ...(concerns && { concerns }), keys: () => [...sink.keys()] };
}

/** Those with a label, those without it, and all. */
function three() {
  const readers = [reader(({ labels }) => 'own' in labels), reader(({ labels }) => !('own' in labels)), reader()] as const;
  const { read, sink } = sharedFacts(readers);
  const take = (raw: unknown) => {
    const object = read(raw);
    if (object !== undefined) sink.put(object);
  };
  return { readers, read, sink, take, keys: () => readers.map(({ keys }) => keys()) };
}

describe('readers of one collection', () => {
  it('have what concerns them, and lose what does not any more', () => {
    const { take, keys, sink } = three();
    take(thing('a', { own: 'yes' }));
    take(thing('b', null));
    expect(keys()).toEqual([['shop/a'], ['shop/b'], ['shop/a', 'shop/b']]);
    take(thing('a', {}));
    expect(keys()).toEqual([[], ['shop/b', 'shop/a'], ['shop/a', 'shop/b']]);
    sink.remove('shop/b');
    expect(keys()).toEqual([[], ['shop/a'], ['shop/a']]);
  });

  it('lose by a list what is not in it, or concerns them no more', () => {
    const { take, keys, read, sink } = three();
    for (const name of ['a', 'b', 'c']) take(thing(name, { own: 'yes' }));
    sink.replace([thing('a', { own: 'yes' }), thing('b')].map((raw) => read(raw) ?? { key: '' }));
    expect(keys()).toEqual([['shop/a'], ['shop/b'], ['shop/a', 'shop/b']]);
  });

  it('keep the last good facts of what cannot be read, and say so', () => {
    const { take, readers, keys } = three();
    take(thing('a', { own: 'yes' }));
    take(thing('a', { own: 'yes' }, 'large'));
    take(thing('a', 'no labels', 'large'));
    expect(keys()).toEqual([['shop/a'], [], ['shop/a']]);
    expect([...readers[0].sink.problems()]).toEqual([expect.stringMatching(/^Thing shop\/a: size: /)]);
  });

  it('refuse what has no name, as each alone does', () => {
    expect(three().read({ metadata: {} })).toBeUndefined();
  });
});
