/** What freezes and safety rules are for, and whether a move of traffic is meant by them. */
import Type, { type Static } from 'typebox';
import { oneOf } from './one-of.ts';
import { LABEL_PATTERN, SERVICE_KEY_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const list = { minItems: 1, uniqueItems: true } as const;
const labels = (description: string) => Type.Optional(Type.Array(Type.String({ pattern: LABEL_PATTERN }), { ...list, description }));

/** What moves traffic. */
export const STEERING_VERBS = ['shift', 'drain', 'restore', 'drill'] as const;
export type SteeringVerb = (typeof STEERING_VERBS)[number];

/** Which moves of traffic; all fields that are given must fit. */
export const SteeringScope = Type.Object(
  {
    regions: labels('Only what takes traffic from these regions, or gives it back to them.'),
    clusters: labels('Only what takes traffic from these clusters, or gives it back to them.'),
    namespaces: labels('Only what moves requests to services of these namespaces.'),
    services: Type.Optional(
      Type.Array(Type.String({ pattern: SERVICE_KEY_PATTERN }), {
        ...list,
        description: 'Only what moves requests to these services, as NAMESPACE/NAME.',
      }),
    ),
    verbs: Type.Optional(
      Type.Array(oneOf(STEERING_VERBS, 'A way to move traffic.'), {
        ...list,
        description: 'Only these: shift, drain, restore (traffic is given back) or drill.',
      }),
    ),
  },
  { additionalProperties: false, description: 'Which moves of traffic it is for. Default: all.' },
);
export type SteeringScope = Static<typeof SteeringScope>;

/** A place that a move takes traffic from. */
export interface MovedPlace {
  readonly region: string;
  /** Only this cluster of it; none: all of the region. */
  readonly cluster?: string;
}

/** What of a move scopes are about. */
export interface ScopedMove {
  readonly verb: SteeringVerb;
  readonly from: readonly MovedPlace[];
  /** `NAMESPACE/NAME`; `all` means every service there is. */
  readonly services: 'all' | readonly string[];
}

/** Whether the move is meant. Of places and services one that both have is enough; `clusterRegion` tells in which region a cluster is. */
export function isInScope(
  scope: SteeringScope | undefined,
  move: ScopedMove,
  clusterRegion: (cluster: string) => string | undefined,
): boolean {
  const { regions, clusters, namespaces, services, verbs } = scope ?? {};
  if (verbs !== undefined && !verbs.includes(move.verb)) return false;
  if (regions !== undefined && !move.from.some(({ region }) => regions.includes(region))) return false;
  if (clusters !== undefined && !move.from.some((place) => clusters.some((cluster) => covers(place, cluster, clusterRegion)))) return false;
  if (move.services === 'all') return true;
  const keys = move.services;
  if (namespaces !== undefined && !keys.some((key) => namespaces.includes(key.split('/')[0] ?? ''))) return false;
  return services === undefined || keys.some((key) => services.includes(key));
}

/** A whole region is all of its clusters. */
function covers(place: MovedPlace, cluster: string, regionOf: (cluster: string) => string | undefined): boolean {
  return place.cluster === undefined ? regionOf(cluster) === place.region : place.cluster === cluster;
}

/** A scope that names nothing would be taken for all. */
export function scopeProblems(scope: SteeringScope | undefined): readonly SchemaProblem[] {
  if (scope === undefined || Object.keys(scope).length > 0) return [];
  return [{ steps: ['scope'], code: 'FieldValueRequired', message: 'names nothing: leave it out for all moves of traffic' }];
}
