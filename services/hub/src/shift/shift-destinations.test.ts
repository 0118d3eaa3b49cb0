import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import { contextOf } from '../drain/drain-fixture.ts';
import { memberOf, policyOf } from '../fleet/fleet-fixture.ts';
import { destinationFacts } from './shift-destinations.ts';

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
  const { one, all } = destinationFacts(contextOf({ members: MEMBERS, resources }), SHIFT, 'bookinfo');
  expect([one?.capacity, all?.capacity]).toEqual(capacities);
});
