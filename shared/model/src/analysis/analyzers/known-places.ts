/** Places that policies name, and whether a cluster is there. */
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

/** A place and where it is named; zones as REGION/ZONE. */
export interface NamedPlace {
  readonly field: string;
  readonly sort: 'region' | 'zone' | 'cluster';
  readonly name: string;
}

/** HW0503 for regions and zones, HW0506 for clusters. */
export function unknownPlaces(subject: Subject, places: readonly NamedPlace[], world: World): Finding[] {
  const { clusters } = world.facts;
  if (clusters === undefined) return [];
  const known = {
    region: new Set(clusters.map(({ region }) => region)),
    zone: new Set(clusters.map(({ region, labels }) => `${region}/${labels['zone'] ?? ''}`)),
    cluster: new Set(clusters.map(({ name }) => name)),
  };
  const there = (names: ReadonlySet<string>): string =>
    clusters.length === 0 ? 'no cluster has joined yet' : `there are ${[...names].sort().join(', ')}`;
  return places.flatMap(({ field, sort, name }) => {
    if (known[sort].has(name)) return [];
    if (sort === 'cluster') return [finding('HW0506', { at: subject, field }, `no cluster ${name} has joined; ${there(known.cluster)}`)];
    return [finding('HW0503', { at: subject, field }, `no cluster is in the ${sort} ${name}; ${there(known[sort])}`)];
  });
}
