/** PURE: which services a drill is for, why each is or is not, and which regions serve them all the same. */

import { inScope, isSelected, scopeText } from '@hawser/model/drain-scope.ts';
import type { DrillScope, DrillSpec } from '@hawser/model/drill.ts';
import type { DrillCourse } from '@hawser/model/drill-course.ts';
import type { DrainWorld, ServedBy } from '../drain/drain-assertions.ts';

/** Selected services, and those that only look as if they were. */
export interface DrillSelection {
  /** `NAMESPACE/NAME`, sorted. */
  readonly services: readonly string[];
  /** Everything that was looked at, by name. */
  readonly considered: readonly { readonly service: string; readonly included: boolean; readonly why: string }[];
}

/** Where the services of a drill are looked for. A rotation is of a cluster, and watched by the services wherever they are. */
export function selectionScope({ type, scope }: Pick<DrillCourse, 'type' | 'scope'>): DrillScope | undefined {
  return type === 'trustRotation' ? undefined : scope;
}

/** Why a service is spared that nobody asked for. */
export const NOT_SELECTED = 'blastRadius.services does not select it';

/** What a drill is about; no scope: every cluster. */
export interface DrillTarget {
  readonly scope: DrillScope | undefined;
  readonly blastRadius: DrillSpec['blastRadius'];
}

/** Those that are selected and served in the scope. A service that is neither is not looked at. */
export function selectionOf(target: DrillTarget, world: Pick<DrainWorld, 'places' | 'services'>): DrillSelection {
  const { services, exclude } = target.blastRadius;
  const names = [...new Set([...world.services.keys(), ...(services.names ?? [])])].sort();
  const considered = names.flatMap((service) => {
    const selected = isSelected(services, service);
    const served = world.services.get(service);
    const here = (served ?? []).filter(({ cluster }) => isIn(target, cluster, world)).map(({ cluster }) => cluster);
    if (!selected) return here.length === 0 ? [] : [{ service, included: false, why: NOT_SELECTED }];
    if (served === undefined) return [{ service, included: false, why: 'no cluster exports it' }];
    if (exclude !== undefined && isSelected(exclude, service)) return [{ service, included: false, why: 'blastRadius.exclude spares it' }];
    if (here.length === 0) return [{ service, included: false, why: `it is not served in ${scopeName(target.scope)}` }];
    return [{ service, included: true, why: `served by ${here.join(', ')}` }];
  });
  return { services: considered.filter(({ included }) => included).map(({ service }) => service), considered };
}

/** The regions that have a healthy endpoint of a service outside of the scope, of clusters that speak and are not on their way out. */
export function regionsLeft(target: Pick<DrillTarget, 'scope'>, service: string, world: DrainWorld): readonly string[] {
  const able = (world.services.get(service) ?? []).filter(
    (served) => served.healthy > 0 && served.fresh && !isGone(target, service, { served, world }),
  );
  const regions = able.map(({ cluster }) => world.places.find((place) => place.cluster === cluster)?.region ?? '');
  return [...new Set(regions)].sort();
}

/** Such as `region us-east`, for people. */
export function scopeName(scope: DrillScope | undefined): string {
  return scope === undefined ? 'every cluster' : scopeText(scope);
}

function isIn({ scope }: Pick<DrillTarget, 'scope'>, cluster: string, { places }: Pick<DrainWorld, 'places'>): boolean {
  const place = places.find((one) => one.cluster === cluster);
  return place !== undefined && (scope === undefined || inScope(scope, place));
}

interface Served {
  readonly served: ServedBy;
  readonly world: DrainWorld;
}

function isGone(target: Pick<DrillTarget, 'scope'>, service: string, { served: { cluster }, world }: Served): boolean {
  const place = world.places.find((one) => one.cluster === cluster);
  const isDrained = (one: DrainWorld['others'][number]): boolean =>
    place !== undefined && inScope(one.scope, place) && isSelected(one.services, service);
  return place === undefined || place.draining || isIn(target, cluster, world) || world.others.some(isDrained);
}
