/** What a drain is about, and whether two drains are about the same. Pure. */
import { isFrom } from './diversion.ts';
import type { DrainScope, DrainSpec } from './drain.ts';
import type { ClusterPlace } from './locality-priorities.ts';

/** A selection of services; none: all. */
export type ServiceSelection = DrainSpec['services'];

/** Whether what a cluster serves is drained by a scope: all of it, or for `gateway` what comes through its gateway. */
export function inScope(scope: DrainScope, place: ClusterPlace): boolean {
  return isFrom({ from: scope }, { ...place, throughGateway: true });
}

/** Whether a service, `NAMESPACE/NAME`, is among those selected. */
export function isSelected(selection: ServiceSelection, service: string): boolean {
  if (selection === undefined) return true;
  const { namespaces = [], names = [] } = selection;
  return names.includes(service) || namespaces.includes(service.slice(0, service.indexOf('/')));
}

/** Whether there may be a service of both selections. */
export function selectionsMeet(a: ServiceSelection, b: ServiceSelection): boolean {
  if (a === undefined || b === undefined) return true;
  type Given = NonNullable<ServiceSelection>;
  const isIn = (one: Given, other: Given): boolean =>
    (one.names ?? []).some((name) => isSelected(other, name)) || (one.namespaces ?? []).some((name) => other.namespaces?.includes(name));
  return isIn(a, b) || isIn(b, a);
}

/** Whether two scopes have a place in common, among the members of the federation. */
export function scopesMeet(a: DrainScope, b: DrainScope, places: readonly ClusterPlace[]): boolean {
  return places.some((place) => inScope(a, place) && inScope(b, place));
}

/** A place as it is named on a command line: `REGION`, or `cluster:NAME`, `zone:REGION/ZONE`, `gateway:CLUSTER`. Undefined when it is none. */
export function scopeNamed(text: string): DrainScope | undefined {
  const [, kind = 'region', name = ''] = /^(?:(region|cluster|zone|gateway):)?([^:\s]+)$/.exec(text) ?? [];
  return name === '' || name.includes('/') !== (kind === 'zone') ? undefined : { [kind]: name };
}

/** Such as `region us-east`, for people. */
export function scopeText(scope: DrainScope): string {
  const [kind = 'nothing', name = ''] = Object.entries(scope).find(([, value]) => value !== undefined) ?? [];
  return kind === 'gateway' ? `the gateway of ${name}` : `${kind} ${name}`;
}
