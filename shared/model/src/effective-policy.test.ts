import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectiveFailover, effectiveShift } from './effective-policy.ts';
import type { Resource } from './resource.ts';

const REVIEWS = { namespace: 'bookinfo', service: 'reviews' };

function failover(name: string, order: string, options: { services?: string[]; created?: string; namespace?: string } = {}): Resource {
  return {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'FailoverPolicy',
    metadata: { name, namespace: options.namespace ?? 'bookinfo', creationTimestamp: options.created ?? '2026-01-01T00:00:00Z' },
    spec: { ...(options.services === undefined ? {} : { services: options.services }), order: [order] },
  };
}

function shift(name: string, services: string[], share: number): Resource {
  return {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'TrafficShift',
    metadata: { name, namespace: 'bookinfo', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { services, regions: { a: share } },
  };
}

describe('effectiveFailover', () => {
  const wide = failover('wide', 'wide', { created: '2020-01-01T00:00:00Z' });
  const named = failover('named', 'named', { services: ['reviews'] });
  const cases: [string, Resource[], string | undefined][] = [
    ['none', [], undefined],
    ['the namespace-wide one', [wide], 'wide'],
    ['one that names the service, before an older one that does not', [wide, named], 'named'],
    ['not one that names others', [failover('other', 'x', { services: ['ratings'] })], undefined],
    ['not one of another namespace', [failover('foreign', 'x', { namespace: 'shop' })], undefined],
    ['the oldest', [named, failover('older', 'older', { services: ['reviews'], created: '2025-01-01T00:00:00Z' })], 'older'],
    ['the first by name when they are of one age', [named, failover('a', 'a', { services: ['reviews'] })], 'a'],
    ['not a policy of another kind', [shift('s', ['reviews'], 1)], undefined],
  ];
  it.each(cases)('chooses %s', (_name, policies, order) => {
    expect(effectiveFailover(policies, REVIEWS)?.order[0]).toBe(order);
  });

  it('does not depend on the order of the policies', () => {
    const policy = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      order: fc.uuid(),
      wide: fc.boolean(),
      created: fc.constantFrom('2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z'),
    });
    const set = fc.uniqueArray(policy, { selector: (one) => one.name });
    fc.assert(
      fc.property(set, (drawn) => {
        const policies = drawn.map((one) =>
          failover(one.name, one.order, { ...(one.wide ? {} : { services: ['reviews'] }), created: one.created }),
        );
        expect(effectiveFailover(policies, REVIEWS)).toEqual(effectiveFailover(policies.toReversed(), REVIEWS));
      }),
    );
  });
});

describe('effectiveShift', () => {
  it('takes the shift that names the service and no other', () => {
    const policies = [shift('ratings', ['ratings'], 10), shift('reviews', ['details', 'reviews'], 20), failover('f', 'x')];
    expect(effectiveShift(policies, REVIEWS)?.regions).toEqual({ a: 20 });
    expect(effectiveShift(policies, { namespace: 'bookinfo', service: 'productpage' })).toBeUndefined();
  });
});
