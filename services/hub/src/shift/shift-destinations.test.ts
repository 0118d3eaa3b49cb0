import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import { contextOf } from '../drain/drain-fixture.ts';
import { memberOf, policyOf } from '../fleet/fleet-fixture.ts';
import { destinationFacts, subsetLabels } from './shift-destinations.ts';

const MEMBERS = [memberOf('east'), memberOf('west-1', { region: 'west' }), memberOf('west-2', { region: 'west' })];
const SHIFT = {
  services: ['reviews'],
  destinations: [
    { name: 'one', cluster: 'west-1' },
    { name: 'all', region: 'west' },
  ],
  steps: [],
} as unknown as SteppedShift;

function declaring(capacity: object, name = 'order', clusters?: string): Resource {
  const annotations = clusters === undefined ? undefined : { 'hawser.dev/clusters': clusters };
  return policyOf('FailoverPolicy', name, { order: ['east'], capacity }, annotations);
}

it.each<[string, Resource[], (number | undefined)[]]>([
  ['counts everywhere where it goes everywhere', [declaring({ regions: { west: 100 }, clusters: { 'west-1': 60 } })], [60, 100]],
  [
    'counts for its own cluster alone where a cluster owns it',
    [declaring({ regions: { west: 100 }, clusters: { 'west-1': 60 } }, 'order@west-1', 'cluster=west-1')],
    [60, undefined],
  ],
  [
    'says nothing of clusters that it does not go to',
    [declaring({ clusters: { 'west-1': 60 } }, 'order', 'region=east')],
    [undefined, undefined],
  ],
  [
    'is the least of a region whose clusters differ',
    [declaring({ regions: { west: 100 } }), declaring({ regions: { west: 80 } }, 'order@west-2', 'cluster=west-2')],
    [undefined, 80],
  ],
])('declared capacity %s', (_name, resources, capacities) => {
  const { one, all } = destinationFacts(contextOf({ members: MEMBERS, resources }), {
    metadata: { name: 'x', namespace: 'bookinfo' },
    spec: SHIFT,
  });
  expect([one?.capacity, all?.capacity]).toEqual(capacities);
});

function rule(name: string, spec: object, clusters?: string): Resource {
  const annotations = clusters === undefined ? undefined : { 'hawser.dev/clusters': clusters };
  return policyOf('DestinationRule', name, { host: 'reviews', ...spec }, annotations);
}

const v2 = (version = 'v2'): object => ({ subsets: [{ name: 'v2', labels: { version } }] });

it.each<[string, Resource[], string | undefined, object | undefined]>([
  ['that goes everywhere counts', [rule('one', v2())], undefined, { version: 'v2' }],
  ['that one cluster owns does not', [rule('one@east', v2(), 'cluster=east')], undefined, undefined],
  [
    'that one cluster owns counts for a shift that goes there alone',
    [rule('one@east', v2(), 'cluster=east')],
    'cluster=east',
    { version: 'v2' },
  ],
  [
    'that goes before the one of the hub in a cluster has to say the same',
    [rule('one', v2()), rule('one@east', v2('2'), 'cluster=east')],
    undefined,
    undefined,
  ],
  ['that does is as good', [rule('one', v2()), rule('one@east', v2(), 'cluster=east')], undefined, { version: 'v2' }],
  [
    'that takes its place in a cluster without naming the subset hides it',
    [rule('one', v2()), rule('one@east', {}, 'cluster=east')],
    undefined,
    undefined,
  ],
  ['for certain callers does not', [rule('one', { ...v2(), workloadSelector: { matchLabels: { app: 'web' } } })], undefined, undefined],
  [
    'with a wildcard counts where none names the service',
    [rule('one', { ...v2(), host: '*.bookinfo.svc.cluster.local' })],
    undefined,
    { version: 'v2' },
  ],
])('a subset of a DestinationRule %s', (_name, resources, clusters, labels) => {
  const annotations = clusters === undefined ? {} : { 'hawser.dev/clusters': clusters };
  const { desired } = contextOf({ members: MEMBERS, resources }).distribution;
  const shift = { metadata: { name: 'x', namespace: 'bookinfo', annotations } };
  expect(subsetLabels(desired, { shift, service: 'bookinfo/reviews', subset: 'v2' })).toEqual(labels);
});
