import { ownerOf } from '@hawser/model/adoption.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberOf, policyOf } from '../fleet/fleet-fixture.ts';
import { adoptedIn } from './adopted.ts';
import { type Documents, place, placementChanges, policiesOn, type ResourceChange } from './place.ts';

const MEMBERS: readonly RosterMember[] = [
  memberOf('a1', { region: 'a', labels: { tier: 'gold' } }),
  memberOf('a2', { region: 'a', zone: '' }),
  memberOf('b1', { region: 'b', provider: 'aws', labels: { region: 'forged', cluster: 'forged' } }),
];

function shift(name: string, clusters?: string): Resource {
  const annotations = clusters === undefined ? undefined : { 'hawser.dev/clusters': clusters };
  return policyOf('TrafficShift', name, { services: ['reviews'], regions: { a: 1 } }, annotations);
}

/** Names of the clusters that get the policy. */
function clustersOf(policy: Resource): string[] {
  return [...place({ resources: [policy], members: MEMBERS })].filter(([, documents]) => documents.size > 1).map(([name]) => name);
}

describe('place', () => {
  const cases: [string, string | undefined, string[]][] = [
    ['everywhere by default', undefined, ['a1', 'a2', 'b1']],
    ['everywhere with an empty selector', '', ['a1', 'a2', 'b1']],
    ['by region', 'region=a', ['a1', 'a2']],
    ['by region, which a label cannot forge', 'region=forged', []],
    ['by label', 'tier=gold', ['a1']],
    ['by name', 'name in (a1,b1)', ['a1', 'b1']],
    ['by cluster', 'cluster=a1', ['a1']],
    ['by cluster and region, both', 'cluster=a1,region=b', []],
    ['by a cluster that is none', 'cluster=forged', []],
    ['by exclusion', 'provider!=aws', ['a1', 'a2']],
    ['by the absence of a zone', '!zone', ['a2']],
    ['nowhere when the selector cannot be read', 'region=(', []],
  ];
  it.each(cases)('places %s', (_name, selector, clusters) => {
    expect(clustersOf(shift('x', selector))).toEqual(clusters);
  });

  it('gives every member the roster, even without a policy', () => {
    const placed = place({ resources: [], members: [...MEMBERS].reverse() });
    for (const member of MEMBERS) expect(placed.get(member.name)).toEqual(new Map([['roster', { members: MEMBERS }]]));
  });

  it('places no cluster, token or import', () => {
    const others = ['Cluster', 'JoinToken', 'ServiceImport'].map((kind) => policyOf(kind, 'x', {}));
    expect(place({ resources: others, members: MEMBERS }).get('a1')?.size).toBe(1);
  });

  it('leaves out what changes though the meaning does not', () => {
    const policy = shift('x');
    const changed = { ...policy, metadata: { ...policy.metadata, resourceVersion: '9', uid: 'u', generation: 4 }, status: { a: 1 } };
    expect(bytesOf(place({ resources: [changed], members: MEMBERS }))).toBe(bytesOf(place({ resources: [policy], members: MEMBERS })));
    expect(
      place({ resources: [changed], members: MEMBERS })
        .get('a1')
        ?.get('policy.trafficshifts.bookinfo.x'),
    ).toEqual({
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrafficShift',
      metadata: { name: 'x', namespace: 'bookinfo', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: policy.spec,
    });
  });

  it('gives what is in force in place of the spec, and nothing while an operation has not said it', () => {
    const specOf = (policy: Resource): unknown =>
      (
        place({ resources: [policy], members: MEMBERS })
          .get('a1')
          ?.get('policy.trafficshifts.bookinfo.x') as Resource | undefined
      )?.spec;
    const moved = policyOf('TrafficShift', 'x', { services: ['reviews'], steps: [] });
    expect(specOf(shift('x'))).toEqual({ services: ['reviews'], regions: { a: 1 } });
    expect(specOf(moved)).toBeUndefined();
    expect(specOf({ ...moved, inForce: { services: ['reviews'], regions: { b: 1 } } })).toEqual({
      services: ['reviews'],
      regions: { b: 1 },
    });
  });

  it('gives the same bytes for the same input in any order', () => {
    const resource = fc
      .tuple(fc.constantFrom('TrafficShift', 'FailoverPolicy'), fc.stringMatching(/^[a-z]{1,6}$/), fc.constantFrom('region=a', '', 'tier'))
      .map(([kind, name, clusters]) => policyOf(kind, name, { name }, { 'hawser.dev/clusters': clusters }));
    const resources = fc.uniqueArray(resource, { selector: (one) => `${one.kind}/${one.metadata.name}` });
    const shuffled = fc.tuple(resources, fc.infiniteStream(fc.nat()));
    fc.assert(
      fc.property(shuffled, ([drawn, keys]) => {
        const other = shuffle(drawn, keys);
        const placed = place({ resources: drawn, members: MEMBERS });
        expect(bytesOf(place({ resources: other, members: shuffle(MEMBERS, keys) }))).toBe(bytesOf(placed));
      }),
    );
  });
});

describe('what a cluster owns', () => {
  const own = policyOf('FailoverPolicy', 'reviews', { order: ['b'] });
  const theirs = policyOf('FailoverPolicy', 'reviews@a1', { order: ['a'] }, { 'hawser.dev/clusters': 'cluster=a1' });
  const KEY = 'policy.failoverpolicies.bookinfo.reviews';
  const orders = (resources: readonly Resource[]) =>
    MEMBERS.map(({ name }) => (place({ resources, members: MEMBERS }).get(name)?.get(KEY) as Resource<object> | undefined)?.spec);

  it('goes there alone, by the name that it has there, before what the hub has', () => {
    expect(orders([theirs])).toEqual([{ order: ['a'] }, undefined, undefined]);
    expect(orders([own, theirs])).toEqual([{ order: ['a'] }, { order: ['b'] }, { order: ['b'] }]);
    expect(orders([theirs, own])).toEqual(orders([own, theirs]));
    expect(
      place({ resources: [theirs], members: MEMBERS })
        .get('a1')
        ?.get(KEY),
    ).toMatchObject({ metadata: { name: 'reviews' } });
  });

  it('is what counts there', () => {
    const [a1, a2] = MEMBERS as [RosterMember, RosterMember];
    expect([policiesOn([own, theirs], a1), policiesOn([own, theirs], a2)]).toEqual([[theirs], [own]]);
  });
});

describe('placementChanges', () => {
  it('leads from one placement to the next, whatever was written', () => {
    const resource = fc
      .record({
        kind: fc.constantFrom('TrafficShift', 'FailoverPolicy', 'JoinToken'),
        name: fc.constantFrom('a', 'b', 'c', 'd', 'a@a1', 'a@b1', 'b@a1', 'c@gone'),
        clusters: fc.constantFrom('region=a', 'tier=gold', '', 'region=('),
        spec: fc.constantFrom<object>({ spec: 1 }, { spec: 2 }, { steps: [] }),
        inForce: fc.constantFrom(undefined, { form: 1 }, { form: 2 }),
      })
      .map(({ kind, name, clusters, spec, inForce }) => {
        const owner = ownerOf(name)?.cluster;
        // What clusters own goes to them, and is never moved in steps.
        const theirs = 'steps' in spec ? {} : spec;
        if (owner !== undefined) return policyOf(kind, name, theirs, { 'hawser.dev/clusters': `cluster=${owner}` });
        const policy = policyOf(kind, name, spec, { 'hawser.dev/clusters': clusters });
        return inForce === undefined ? policy : { ...policy, inForce };
      });
    const state = fc.uniqueArray(resource, { selector: (one) => `${one.kind}/${one.metadata.name}` });
    fc.assert(
      fc.property(state, state, ([...before], [...after]) => {
        const placed = new Map([...place({ resources: before, members: MEMBERS })].map(([name, documents]) => [name, new Map(documents)]));
        const find = (kind: string, _namespace: string, name: string) =>
          after.find((one) => one.kind === kind && one.metadata.name === name);
        const beside = { adopted: adoptedIn(after), find };
        for (const [cluster, documents] of placementChanges(changesOf(before, after), MEMBERS, beside)) {
          for (const [key, body] of documents) {
            if (body === null) expect(placed.get(cluster)?.delete(key)).toBe(true);
            else placed.get(cluster)?.set(key, body);
          }
        }
        const sorted = new Map(
          [...placed].map(([name, documents]) => [name, new Map([...documents].sort(([a], [b]) => (a < b ? -1 : 1)))]),
        );
        expect(bytesOf(sorted)).toBe(bytesOf(place({ resources: after, members: MEMBERS })));
      }),
      { numRuns: 300 },
    );
  });
});

function changesOf(before: readonly Resource[], after: readonly Resource[]): ResourceChange[] {
  const key = (one: Resource): string => `${one.kind}/${one.metadata.name}`;
  const [old, now] = [new Map(before.map((one) => [key(one), one])), new Map(after.map((one) => [key(one), one]))];
  return [...new Set([...old.keys(), ...now.keys()])].map((one) => ({ before: old.get(one), after: now.get(one) }));
}

function shuffle<T>(values: readonly T[], keys: Iterator<number>): T[] {
  return values
    .map((value) => ({ value, key: keys.next().value ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

function bytesOf(placed: ReadonlyMap<string, Documents>): string {
  return canonicalJson([...placed].map(([cluster, documents]) => [cluster, [...documents]]));
}
