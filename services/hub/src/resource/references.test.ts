import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePatch } from './merge-patch.ts';
import { checkReferences, type ReferenceWorld, resolvedRefs, subsetsOf } from './references.ts';

const rule = (host: string, namespace: string, ...subsets: readonly string[]) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace },
  spec: { host, subsets: subsets.map((name) => ({ name })) },
});
const world: ReferenceWorld = {
  services: new Map(['bookinfo/reviews', 'bookinfo/details', 'other/ratings'].map((key) => [key, new Set([9080, 80])])),
  regions: new Set(['us-east', 'eu-west']),
  clusters: new Set(['us-east-1']),
  subsets: subsetsOf([rule('reviews', 'bookinfo', 'v1'), rule('reviews.bookinfo.svc.clusterset.local', 'other', 'v2')]),
};
const resource = (kind: string, spec: unknown) => ({ apiVersion: 'x/v1', kind, metadata: { name: 'x', namespace: 'bookinfo' }, spec });
const route = (host: string, subset?: string, port?: number) => ({
  hosts: ['reviews'],
  http: [
    {
      route: [
        { destination: { host, ...(subset === undefined ? {} : { subset }), ...(port === undefined ? {} : { port: { number: port } }) } },
      ],
    },
  ],
});

describe('references', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['VirtualService', route('reviews', 'v1'), []],
    ['VirtualService', route('reviews.bookinfo', 'v2'), []],
    [
      'VirtualService',
      route('reviews', 'v3'),
      ['spec.http[0].route[0].destination.subset is v3, which no DestinationRule for bookinfo/reviews defines: they have v1, v2'],
    ],
    [
      'VirtualService',
      route('details', 'v1'),
      ['spec.http[0].route[0].destination.subset is v1, which no DestinationRule for bookinfo/details defines: apply one first'],
    ],
    ['VirtualService', route('reviews', 'v1', 9080), []],
    [
      'VirtualService',
      route('reviews', 'v3', 81),
      [
        'spec.http[0].route[0].destination.port.number is 81, which bookinfo/reviews does not have; it has 80, 9080',
        'spec.http[0].route[0].destination.subset is v3, which no DestinationRule for bookinfo/reviews defines: they have v1, v2',
      ],
    ],
    [
      'VirtualService',
      route('ratings'),
      ['spec.http[0].route[0].destination.host names the service bookinfo/ratings, which no cluster exports; there is other/ratings'],
    ],
    [
      'TrafficShift',
      { services: ['reviews'], clusters: { 'us-east-1': 50, mars: 50 } },
      ['spec.clusters.mars is the cluster mars, which has not joined; there are us-east-1'],
    ],
    [
      'TrafficShift',
      { services: ['reviews'], subsets: { v1: 50, v9: 50 }, mirror: { destination: 'v8', percent: 1 } },
      [
        'spec.subsets.v9 is v9, which no DestinationRule for bookinfo/reviews defines: they have v1, v2',
        'spec.mirror.destination is v8, which no DestinationRule for bookinfo/reviews defines: they have v1, v2',
      ],
    ],
    [
      'TrafficShift',
      {
        services: ['reviews'],
        destinations: [
          { name: 'a', region: 'us-east' },
          { name: 'b', region: 'mars' },
        ],
        steps: [],
      },
      ['spec.destinations[1].region is the region mars, which no cluster is in; there are eu-west, us-east'],
    ],
    [
      'DestinationRule',
      { host: 'nothing' },
      ['spec.host names the service bookinfo/nothing, which no cluster exports; namespace bookinfo has details, reviews'],
    ],
    [
      'DestinationRule',
      { host: 'a.empty' },
      ['spec.host names the service empty/a, which no cluster exports; namespace empty has no service at all'],
    ],
    [
      'FailoverPolicy',
      { order: ['us-east', 'mars'] },
      ['spec.order[1] is the region mars, which no cluster is in; there are eu-west, us-east'],
    ],
    [
      'TrafficShift',
      { services: ['reviews', 'x'], regions: { mars: 100 } },
      [
        'spec.services[1] names the service bookinfo/x, which no cluster exports; namespace bookinfo has details, reviews',
        'spec.regions.mars is the region mars, which no cluster is in; there are eu-west, us-east',
      ],
    ],
    ['Cluster', { region: 'anywhere' }, []],
  ])('of a %s %j', (kind, spec, expected) => {
    expect(checkReferences(resource(kind, spec), world).issues.map(({ path, message }) => `${path} ${message}`)).toEqual(expected);
  });

  it('while the fleet is unknown, only what the database knows is refused', () => {
    const unknown = { ...world, services: undefined };
    expect(checkReferences(resource('VirtualService', route('nothing')), unknown)).toEqual({ issues: [], complete: false });
    expect(checkReferences(resource('VirtualService', route('reviews', 'v9')), unknown).issues).toHaveLength(1);
    expect(resolvedRefs({ issues: [], complete: false }, 3)).toMatchObject({ status: 'Unknown', observedGeneration: 3 });
  });
});

describe('merge patches', () => {
  /** RFC 7386, appendix A. */
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected);
  });

  it('applied twice are the same as once, and change neither argument', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
        expect(JSON.stringify([target, patch])).toBe(before);
      }),
    );
  });
});
