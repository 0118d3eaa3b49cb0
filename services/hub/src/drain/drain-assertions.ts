/** PURE: what must be so after a drain, whatever its urgency: somebody is left for everything. */
import type { DrainScope } from '@hawser/model/drain.ts';
import { inScope, isSelected, type ServiceSelection, scopesMeet, scopeText, selectionsMeet } from '@hawser/model/drain-scope.ts';
import type { ClusterPlace } from '@hawser/model/locality-priorities.ts';
import type { Refusal } from './drain-evidence.ts';

/** What a drain takes away. */
export interface Taken {
  readonly name: string;
  readonly scope: DrainScope;
  readonly services?: ServiceSelection;
  readonly urgency: 'graceful' | 'emergency';
}

/** One cluster's endpoints of a service. */
export interface ServedBy {
  readonly cluster: string;
  readonly healthy: number;
  /** Whether its cluster speaks: what went silent is not counted on. */
  readonly fresh: boolean;
}

/** What there is. */
export interface DrainWorld {
  readonly places: readonly (ClusterPlace & { readonly draining: boolean })[];
  /** `NAMESPACE/NAME` → who serves it; exported services alone. */
  readonly services: ReadonlyMap<string, readonly ServedBy[]>;
  /** Drains under way, this one left out. */
  readonly others: readonly Taken[];
}

/** The first rule that it breaks; undefined when it breaks none. Overlap is not looked at for an emergency, which goes before others. */
export function assertionRefusal(taken: Taken, world: DrainWorld): Refusal | undefined {
  return unknownScope(taken, world) ?? overlap(taken, world) ?? noRegion(taken, world) ?? nobodyLeft(taken, world);
}

/** That there is something to drain. */
export function unknownScope({ scope }: Pick<Taken, 'scope'>, { places }: Pick<DrainWorld, 'places'>): Refusal | undefined {
  if (places.some((place) => inScope(scope, place))) return undefined;
  const known = (of: (place: ClusterPlace) => string | undefined): string => {
    const names = [...new Set(places.map(of).filter((name) => name !== undefined))].sort();
    return names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  };
  const alternatives =
    scope.region !== undefined
      ? known(({ region }) => region)
      : scope.zone !== undefined
        ? known(({ region, zone = '' }) => (zone === '' ? undefined : `${region}/${zone}`))
        : known(({ cluster }) => cluster);
  return {
    rule: 'known-scope',
    message: `there is no ${scope.gateway === undefined ? scopeText(scope) : `cluster ${scope.gateway}`}; ${alternatives}`,
  };
}

function overlap(taken: Taken, { places, others }: DrainWorld): Refusal | undefined {
  const met = others.find(
    (other) => scopesMeet(taken.scope, other.scope, places) && selectionsMeet(taken.services, other.services) && !precedes(taken, other),
  );
  if (met === undefined) return undefined;
  const wayOut = met.urgency === 'emergency' ? 'restore that first' : 'restore that first, or make this one an emergency';
  return { rule: 'no-overlap', message: `drain ${met.name} of ${scopeText(met.scope)} is under way; ${wayOut}` };
}

/** An emergency goes before what is none; it takes its place. */
export function precedes(taken: Pick<Taken, 'urgency'>, other: Pick<Taken, 'urgency'>): boolean {
  return taken.urgency === 'emergency' && other.urgency === 'graceful';
}

/** A drain of the calls through a gateway leaves the cluster to its own callers. */
function noRegion(taken: Taken, { places, others }: DrainWorld): Refusal | undefined {
  const all = [taken, ...others].filter(({ scope, services }) => services === undefined && scope.gateway === undefined);
  const left = places.filter((place) => !place.draining && !all.some(({ scope }) => inScope(scope, place)));
  if (left.length > 0) return undefined;
  return { rule: 'minimum-regions', message: `with ${scopeText(taken.scope)} drained no region would be left` };
}

function nobodyLeft(taken: Taken, { places, services, others }: DrainWorld): Refusal | undefined {
  const drains = [taken, ...others];
  const gone = (service: string, cluster: string): boolean => {
    const place = places.find((one) => one.cluster === cluster);
    const isTaken = drains.some(
      ({ scope, services: selected }) => isSelected(selected, service) && place !== undefined && inScope(scope, place),
    );
    return place === undefined || place.draining || isTaken;
  };
  const stranded = [...services].flatMap(([service, served]) => {
    const able = served.filter(({ healthy, fresh }) => healthy > 0 && fresh);
    const isTouched = served.some(
      ({ cluster, healthy }) =>
        healthy > 0 &&
        takes(
          taken,
          service,
          places.find((one) => one.cluster === cluster),
        ),
    );
    return isTouched && able.every(({ cluster }) => gone(service, cluster)) ? [service] : [];
  });
  if (stranded.length === 0) return undefined;
  const named = `${stranded.slice(0, 5).join(', ')}${stranded.length > 5 ? ` and ${stranded.length - 5} more` : ''}`;
  return { rule: 'healthy-endpoints', message: `without ${scopeText(taken.scope)} no healthy endpoint would be left for ${named}` };
}

function takes({ scope, services }: Taken, service: string, place: ClusterPlace | undefined): boolean {
  return place !== undefined && isSelected(services, service) && inScope(scope, place);
}
