import { expect, it } from 'vitest';
import { learnedKey, learnedOf } from './learned-capacity.ts';

it('is the most that policies of a namespace saw a cluster answer', () => {
  const state = (learned: Readonly<Record<string, Readonly<Record<string, number>>>>) => ({ learned });
  const learned = learnedOf([
    { namespace: 'shop', state: state({ cart: { 'cluster east': 90, 'region west': 400 } }) },
    { namespace: 'shop', state: state({ cart: { 'cluster east': 70, 'cluster west': 10 } }) },
    { namespace: 'other', state: state({ cart: { 'cluster east': 500 } }) },
    { namespace: 'shop', state: state({}) },
  ]);
  expect([...learned]).toEqual([
    [learnedKey('shop/cart', 'east'), 90],
    [learnedKey('shop/cart', 'west'), 10],
    [learnedKey('other/cart', 'east'), 500],
  ]);
});
