/** PURE: what agents are to obey of a resource: its spec, or what the operation that moves it has made of that. */
import type { Resource } from '@hawser/model/resource.ts';

/** Specs that say how traffic is to be moved: agents get what is in force on the way, never the spec itself. */
const MOVED: Readonly<Record<string, (spec: object) => boolean>> = {
  TrafficShift: (spec) => 'steps' in spec,
  Drain: () => true,
  DrillRun: () => true,
};

/** The spec in force; undefined while an operation has not said it yet. */
export function specInForce({ kind, spec, inForce }: Resource): unknown {
  if (inForce !== undefined) return inForce;
  return Object.hasOwn(MOVED, kind) && MOVED[kind]?.(spec as object) === true ? undefined : spec;
}

/** Resources with what is in force in place of what was written; those of which nothing is yet are left out. */
export function resourcesInForce(resources: Iterable<Resource>): Resource[] {
  const obeyed: Resource[] = [];
  for (const resource of resources) {
    const spec = specInForce(resource);
    if (spec === resource.spec) obeyed.push(resource);
    else if (spec !== undefined) obeyed.push({ ...resource, spec });
  }
  return obeyed;
}

/** The newest write that changed what agents get of a resource. */
export function placedRevision({ metadata, inForceRevision = 0 }: Resource): number {
  return Math.max(Number(metadata.resourceVersion ?? 0), inForceRevision);
}
