/** What a drain is about, and whether two drains are about the same. Pure. */
import type { ClusterPlace } from './locality-priorities.ts';

/** Exactly one of the four is there; `zone` is `REGION/ZONE`. */
export interface Scope {
  readonly region?: string | undefined;
  readonly cluster?: string | undefined;
  readonly zone?: string | undefined;
  readonly gateway?: string | undefined;
}

/** A selection of services; left out: all. */
export interface ServiceSelection {
  readonly namespaces?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
}

/** Whether what a cluster serves is drained by a scope: all of it, or for `gateway` what comes through its gateway. */
export function inScope({ region, cluster, zone, gateway }: Scope, place: ClusterPlace): boolean {
  if (region !== undefined) return place.region === region;
  if (zone !== undefined) return `${place.region}/${place.zone ?? ''}` === zone;
  return place.cluster === (cluster ?? gateway);
}

/** Whether a service, `NAMESPACE/NAME`, is among those selected. */
export function isSelected(selection: ServiceSelection | undefined, service: string): boolean {
  if (selection === undefined) return true;
  const { namespaces = [], names = [] } = selection;
  return names.includes(service) || namespaces.includes(service.slice(0, service.indexOf('/')));
}

/** Whether there may be a service of both selections. */
export function selectionsMeet(a: ServiceSelection | undefined, b: ServiceSelection | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  const isIn = (one: ServiceSelection, other: ServiceSelection): boolean =>
    (one.names ?? []).some((name) => isSelected(other, name)) || (one.namespaces ?? []).some((name) => other.namespaces?.includes(name));
  return isIn(a, b) || isIn(b, a);
}

/** Whether two scopes have a place in common, among the members of the federation. */
export function scopesMeet(a: Scope, b: Scope, places: readonly ClusterPlace[]): boolean {
  return places.some((place) => inScope(a, place) && inScope(b, place));
}

/** Such as `region us-east`, for people. */
export function scopeText(scope: Scope): string {
  const [kind = 'nothing', name = ''] = Object.entries(scope).find(([, value]) => value !== undefined) ?? [];
  return kind === 'gateway' ? `the gateway of ${name}` : `${kind} ${name}`;
}
