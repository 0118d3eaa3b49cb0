/** What holds of every order of places, whatever is shifted and drained. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Diversion } from './diversion.ts';
import type { FailoverPolicySpec } from './failover-policy.ts';
import { type LocalityInput, type LocalityPriority, localityPriorities, type ServingPlace } from './locality-priorities.ts';

const REGIONS = ['a', 'b', 'c'];
const ORDER: FailoverPolicySpec = { order: ['a', 'c', 'b'] };
const places = fc
  .uniqueArray(fc.nat({ max: 11 }), { minLength: 1, maxLength: 8 })
  .chain((names) => fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), endpoints: fc.integer({ min: 1, max: 40 }) }))))
  .map((all): ServingPlace[] =>
    all.map(({ name, endpoints }) => ({
      cluster: `k${name}`,
      region: REGIONS[name % 3] ?? '',
      zone: `z${name % 2}`,
      endpoints,
      throughGateway: name > 3,
    })),
  );
const scope = fc.oneof(
  fc.constantFrom(...REGIONS).map((region) => ({ region })),
  fc.nat({ max: 11 }).map((name) => ({ cluster: `k${name}` })),
  fc.constantFrom(...REGIONS).map((region) => ({ zone: `${region}/z0` })),
  fc.nat({ max: 11 }).map((name) => ({ gateway: `k${name}` })),
);
const diversion = fc.record({
  from: scope,
  percent: fc.oneof(fc.constant(100), fc.integer({ min: 1, max: 99 })),
  to: fc.option(fc.constantFrom([{ region: 'b' }], [{ region: 'c', weight: 3 }, { cluster: 'k1' }]), { nil: undefined }),
  isLastResort: fc.boolean(),
  closes: fc.constant(false),
});
const shift = fc.option(
  fc.oneof(
    fc.integer({ min: 0, max: 100 }).map((share) => ({ services: ['s'], regions: { a: share, b: 100 - share } })),
    fc
      .integer({ min: 0, max: 10_000 })
      .map((share) => ({ services: ['s'], clusters: { k0: share, k1: 10_000 - share }, totalWeight: 10_000 })),
  ),
  { nil: undefined },
);
const inputs = fc.record({
  from: fc.constant({ cluster: 'k0', region: 'a', zone: 'z0' }),
  serving: places,
  failover: fc.option(fc.constant(ORDER), { nil: undefined }),
  shift,
  diversions: fc.array(diversion, { maxLength: 3 }),
});

/** Share of the first level, by cluster. */
function shares(order: readonly LocalityPriority[]): Map<string, number> {
  const first = order.filter(({ priority }) => priority === 0);
  const total = first.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(first.map(({ cluster, weight }) => [cluster, weight / total]));
}

function matches(from: Diversion['from'], place: ServingPlace): boolean {
  return (
    from.region === place.region ||
    from.cluster === place.cluster ||
    from.zone === `${place.region}/${place.zone}` ||
    (from.gateway === place.cluster && place.throughGateway === true)
  );
}

const whole = (input: LocalityInput, place: ServingPlace): readonly Diversion[] =>
  (input.diversions ?? []).filter(({ from, percent }) => percent === 100 && matches(from, place));

it('priorities are contiguous, weights are whole numbers from 1, no place is there twice, and weights fit Envoy', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const order = localityPriorities(input);
      const priorities = [...new Set(order.map(({ priority }) => priority))].sort((a, b) => a - b);
      expect(priorities).toEqual(priorities.map((_, index) => index));
      expect(order.every(({ weight }) => Number.isInteger(weight) && weight >= 1)).toBe(true);
      expect(new Set(order.map(({ cluster }) => cluster)).size).toBe(order.length);
      for (const priority of priorities) {
        const sum = order.filter((one) => one.priority === priority).reduce((all, { weight }) => all + weight, 0);
        expect(sum).toBeLessThan(2 ** 32);
      }
    }),
  );
});

it('what is wholly drained serves nowhere, or last of all; everything else is there', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const order = localityPriorities(input);
      const last = Math.max(...order.map(({ priority }) => priority));
      for (const place of input.serving) {
        const drained = whole(input, place);
        const found = order.find(({ cluster }) => cluster === place.cluster);
        if (drained.length === 0) expect(found).toBeDefined();
        else if (drained.some(({ isLastResort }) => !isLastResort)) expect(found).toBeUndefined();
        else expect(found?.priority).toBe(last);
      }
    }),
  );
});

it('nothing is empty that was not, unless all of it is asked to fail', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const isAsked = input.serving.every((place) => whole(input, place).some(({ isLastResort }) => !isLastResort));
      expect(localityPriorities(input).length === 0).toBe(isAsked);
    }),
  );
});

it('a place that is drained in part keeps its part of what it had, wherever somebody else can take the rest', () => {
  fc.assert(
    fc.property(inputs, fc.integer({ min: 1, max: 99 }), (input, percent) => {
      const before = shares(localityPriorities({ ...input, diversions: [] }));
      const from = { region: 'a' };
      const after = localityPriorities({ ...input, diversions: [{ from, percent, to: undefined, isLastResort: true, closes: false }] });
      const isFree = input.serving.some(({ region }) => region !== 'a');
      const kept = shares(after);
      for (const place of input.serving.filter(({ region }) => region === 'a')) {
        const had = before.get(place.cluster) ?? 0;
        const expected = isFree ? (had * (100 - percent)) / 100 : had;
        if (had > 0) expect(kept.get(place.cluster) ?? 0).toBeCloseTo(expected, 4);
      }
    }),
  );
});

it('without a diversion from any of its places an order is as it was', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const elsewhere = [{ from: { region: 'nowhere' }, percent: 100, to: undefined, isLastResort: false, closes: false }];
      expect(localityPriorities({ ...input, diversions: elsewhere })).toEqual(localityPriorities({ ...input, diversions: [] }));
    }),
  );
});

it('shares of regions and of clusters are exact, however many clusters a region has', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9_999 }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 90 }),
      (share, sizes) => {
        const many = sizes.map((endpoints, index) => ({ cluster: `b${index}`, region: 'b', endpoints }));
        const serving = [{ cluster: 'k0', region: 'a', endpoints: 7 }, ...many];
        const regions = { services: ['s'], regions: { a: 10_000 - share, b: share }, totalWeight: 10_000 };
        const of = shares(localityPriorities({ from: { cluster: 'k0', region: 'a' }, serving, shift: regions }));
        expect(of.get('k0')).toBeCloseTo(1 - share / 10_000, 9);
        const clusters = { services: ['s'], clusters: { k0: 10_000 - share, b0: share }, totalWeight: 10_000 };
        const two = shares(localityPriorities({ from: { cluster: 'k0', region: 'a' }, serving, shift: clusters }));
        expect(two.get('b0')).toBeCloseTo(share / 10_000, 9);
      },
    ),
  );
});

it('what is moved goes where the diversion says, by its weights', () => {
  const serving = ['a', 'b', 'c', 'd'].map((region) => ({ cluster: region, region, endpoints: 5 }));
  const to = [
    { region: 'c', weight: 3 },
    { cluster: 'd', weight: 1 },
    { region: 'none', weight: 9 },
  ];
  const diversions = [{ from: { region: 'a' }, percent: 40, to, isLastResort: false, closes: false }];
  const order = localityPriorities({ from: { cluster: 'a', region: 'a' }, serving, failover: { order: ['a', 'b'] }, diversions });
  expect(order.map(({ cluster, priority, weight }) => [cluster, priority, weight])).toEqual([
    ['a', 0, 6],
    ['c', 0, 3],
    ['d', 0, 1],
    ['b', 1, 5],
  ]);
});
