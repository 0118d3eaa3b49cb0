/** Regions, clusters and subsets that policies divide traffic among, and whether they exist. Pure. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import { type DestinationSort, targetOf } from '@hawser/model/progressive-shift.ts';
import type { Issue, Resource } from '@hawser/model/resource.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { ReferenceWorld } from './references.ts';

interface PlaceReference {
  readonly path: string;
  readonly sort: DestinationSort;
  readonly name: string;
}

/** References to places and versions that are not there. */
export function placeIssues(resource: Resource, world: ReferenceWorld): readonly Issue[] {
  if (resource.kind === 'FailoverPolicy') {
    const { order } = resource.spec as FailoverPolicySpec;
    return order.flatMap((name, index) => missingPlace({ path: `spec.order[${index}]`, sort: 'region', name }, world));
  }
  if (resource.kind !== 'TrafficShift') return [];
  const spec = resource.spec as TrafficShiftSpec;
  return [
    ...divided(spec).flatMap((reference) =>
      reference.sort === 'subset' ? missingSubset(reference, resource, world) : missingPlace(reference, world),
    ),
  ];
}

function divided({
  regions = {},
  clusters = {},
  subsets = {},
  destinations = [],
  headerRoute,
  mirror,
}: TrafficShiftSpec): PlaceReference[] {
  const named = (sort: DestinationSort, field: string, shares: object): PlaceReference[] =>
    Object.keys(shares).map((name) => ({ path: `spec.${field}.${name}`, sort, name }));
  const single = (field: string, of: { readonly destination: string } | undefined): PlaceReference[] =>
    of === undefined ? [] : [{ path: `spec.${field}.destination`, sort: 'subset', name: of.destination }];
  return [
    ...named('region', 'regions', regions),
    ...named('cluster', 'clusters', clusters),
    ...named('subset', 'subsets', subsets),
    ...single('headerRoute', headerRoute),
    ...single('mirror', mirror),
    ...destinations.map((destination, index): PlaceReference => {
      const { sort, target } = targetOf(destination);
      return { path: `spec.destinations[${index}].${sort}`, sort, name: target };
    }),
  ];
}

function missingPlace({ path, sort, name }: PlaceReference, { regions, clusters }: ReferenceWorld): readonly Issue[] {
  const known = sort === 'region' ? regions : clusters;
  if (known.has(name)) return [];
  const there = known.size === 0 ? 'no cluster has joined yet' : `there are ${[...known].sort().join(', ')}`;
  const what = sort === 'region' ? `is the region ${name}, which no cluster is in` : `is the cluster ${name}, which has not joined`;
  return [{ path, code: 'FieldValueNotFound', message: `${what}; ${there}` }];
}

/** Of every service of the shift; hosts of ServiceEntries have subsets that are not looked up. */
function missingSubset({ path, name }: PlaceReference, { metadata, spec }: Resource, world: ReferenceWorld): readonly Issue[] {
  const { services } = spec as TrafficShiftSpec;
  const keys = services.filter((service) => !service.includes('.')).map((service) => `${metadata.namespace ?? ''}/${service}`);
  return keys.flatMap((key): Issue[] => {
    const known = [...(world.subsets.get(key) ?? [])].sort();
    if (known.includes(name)) return [];
    const way = known.length === 0 ? 'apply one first' : `they have ${known.join(', ')}`;
    return [{ path, code: 'FieldValueNotFound', message: `is ${name}, which no DestinationRule for ${key} defines: ${way}` }];
  });
}
