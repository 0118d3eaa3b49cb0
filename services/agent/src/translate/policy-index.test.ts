import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import { indexPolicies, type PolicyIndex } from './policy-index.ts';

const shift = (services: readonly string[], share: number): Resource =>
  ours('TrafficShift', { services, regions: { a: share, b: 100 - share } });
const drain = (spec: object): Resource => ({ ...ours('Drain', { scope: { region: 'a' }, percent: 50, ...spec }), metadata: { name: 'a' } });

const INJECT = { scope: { region: 'a' }, services: ['shop/cart'], fault: { refuse: true } };
const DIVERT = { scope: { region: 'a' }, services: { names: ['shop/pay'] }, percent: 50 };
const run = (form: object): Resource => ({ ...ours('DrillRun', { run: 'a', lease: '15s', ...form }), metadata: { name: 'a' } });

function ours(kind: string, spec: unknown): Resource {
  return { apiVersion: 'hawser.dev/v1alpha1', kind, metadata: { namespace: 'shop', name: kind.toLowerCase() }, spec };
}

/** The index after a policy took the place of another, all services looked up before. */
function after(before: Resource | undefined, now: Resource | undefined, keys: readonly string[] = []): PolicyIndex {
  const of = (one: Resource | undefined): Map<string, Resource> => new Map(one === undefined ? [] : [['it', one]]);
  const index = indexPolicies(of(before));
  for (const key of keys) index.of(key);
  return indexPolicies(of(now), index);
}

describe('what moves traffic touches the services that it names, and no other', () => {
  it.each<[string, Resource | undefined, Resource | undefined, readonly string[] | undefined]>([
    ['a step of a shift', shift(['cart'], 90), shift(['cart'], 80), ['*/cart', 'shop/cart']],
    ['a shift that takes in another', shift(['cart'], 90), shift(['cart', 'pay'], 90), ['*/cart', '*/pay', 'shop/cart', 'shop/pay']],
    ['an order that names some', undefined, ours('FailoverPolicy', { services: ['cart'], order: ['b'] }), ['*/cart', 'shop/cart']],
    ['an order for the namespace', undefined, ours('FailoverPolicy', { order: ['b'] }), undefined],
    ['a drain of services', undefined, drain({ services: { names: ['shop/cart'] } }), ['*/cart', 'shop/cart']],
    ['a drain of a namespace', undefined, drain({ services: { namespaces: ['shop'] } }), undefined],
    ['a drill that breaks services', undefined, run({ inject: INJECT }), ['shop/cart']],
    ['a drill that diverts a service', run({ inject: INJECT }), run({ divert: DIVERT }), ['*/pay', 'shop/cart', 'shop/pay']],
    ['a drill that diverts all', undefined, run({ divert: { ...DIVERT, services: undefined } }), undefined],
    ['a drill that cuts agents off', undefined, run({ partition: { clusters: ['a'], from: 'hub' } }), []],
    ['a drain of everything', drain({}), drain({ percent: 60 }), undefined],
  ])('%s', (_title, before, now, touched) => {
    const found = after(before, now).touched;
    expect(found === undefined ? undefined : [...found].sort()).toEqual(touched);
  });

  it('keeps the answers about others', () => {
    const [before, now] = [shift(['cart'], 90), shift(['cart'], 80)];
    const first = indexPolicies(new Map([['it', before]]));
    const [cart, pay] = [first.of('shop/cart'), first.of('shop/pay')];
    const second = indexPolicies(new Map([['it', now]]), first);
    expect(second.of('shop/pay')).toBe(pay);
    expect(second.of('shop/cart')).not.toBe(cart);
    expect(second.of('shop/cart').shift?.regions).toEqual({ a: 80, b: 20 });
  });
});

describe('shifts and diversions of a service', () => {
  it('are one among places and one among subsets, drains, and the spill of its order', () => {
    const spill = [{ service: 'cart', from: { region: 'b' }, percent: 30 }];
    const policies = [
      shift(['cart'], 90),
      { ...ours('TrafficShift', { services: ['cart'], subsets: { v1: 100 } }), metadata: { namespace: 'shop', name: 'versions' } },
      drain({ services: { namespaces: ['shop'] } }),
      ours('FailoverPolicy', { order: ['a'], spill }),
    ];
    const index = indexPolicies(new Map(policies.map((policy, at) => [String(at), policy])));
    const { shift: places, split, diversions } = index.of('shop/cart');
    expect(places?.regions).toEqual({ a: 90, b: 10 });
    expect(split?.metadata.name).toBe('versions');
    expect(diversions.map(({ from, percent }) => [from, percent])).toEqual([
      [{ region: 'a' }, 50],
      [{ region: 'b' }, 30],
    ]);
    expect(index.of('shop/pay').diversions).toHaveLength(1);
    expect(index.of('other/cart').diversions).toEqual([]);
  });

  it('are none of a drain without a share, and of a shift with steps alone', () => {
    const index = indexPolicies(
      new Map([
        ['d', drain({ percent: undefined })],
        ['s', ours('TrafficShift', { services: ['cart'] })],
      ]),
    );
    expect(index.of('shop/cart')).toMatchObject({ shift: undefined, split: undefined, diversions: [] });
  });
});
