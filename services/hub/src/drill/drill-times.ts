/** What the calendar needs to know of a drill, with the freezes that are for it. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { type DrillCourse, drillCourse, scenarioPlace } from '@hawser/model/drill-course.ts';
import type { FreezeSpec } from '@hawser/model/freeze.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { isInScope, type MovedPlace } from '@hawser/model/steering-scope.ts';
import { drainWorld, membersIn } from '../drain/drain-world.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Named } from '../safety/permit.ts';
import type { ScheduledDrill } from './drill-calendar.ts';
import { selectionOf, selectionScope } from './drill-selection.ts';

/** All drills there are, by name. */
export function drillsOf({ distribution }: FleetContext): readonly Resource[] {
  return (distribution.desired?.resources ?? []).filter(({ kind }) => kind === 'Drill');
}

/** When a drill may begin, in the words of a Freeze; undefined: at any time. */
export function windowTimes(windows: DrillSpec['windows']): FreezeSpec['windows'] {
  const { allowed, blocked, blockedDates: dates, timeZone } = windows ?? {};
  if ((allowed ?? blocked ?? dates) === undefined) return undefined;
  return { ...(allowed && { allowed }), ...(blocked && { blocked }), ...(dates && { dates }), ...(timeZone && { timeZone }) };
}

/** One for the calendar. */
export function scheduledDrill(drill: Resource, context: FleetContext): ScheduledDrill {
  const { windows, schedule, suspend = false, mode = 'dryRun', ...spec } = drill.spec as DrillSpec;
  const course = drillCourse(drill.spec as DrillSpec);
  const { approvals, startingDeadlineMs, maxDurationMs } = course;
  return {
    ...{ name: drill.metadata.name, mode, suspended: suspend, schedule, scope: scenarioPlace(spec.scenario) },
    ...{ deadlineMs: startingDeadlineMs, longestMs: maxDurationMs, approvals: approvals.required },
    windows: windowTimes(windows),
    freezes: freezesFor(course, spec, context),
  };
}

type Aimed = Pick<DrillSpec, 'blastRadius' | 'freezeRefs'>;

function freezesFor(
  course: DrillCourse,
  { blastRadius, freezeRefs: named = [] }: Aimed,
  context: FleetContext,
): readonly Named<FreezeSpec>[] {
  const { desired } = context.distribution;
  const { services } = selectionOf({ scope: selectionScope(course), blastRadius }, drainWorld(context, []));
  const { scope } = course;
  const members = scope === undefined ? (desired?.members ?? []) : membersIn(context, { scope });
  const from: MovedPlace[] = members.map(({ name, region }) => ({ region, cluster: name }));
  const freezes = (desired?.resources ?? []).filter(({ kind }) => kind === 'Freeze');
  return freezes
    .map(({ metadata, spec }) => ({ name: metadata.name, spec: spec as FreezeSpec }))
    .filter(
      ({ name, spec }) =>
        named.includes(name) ||
        isInScope(spec.scope, { verb: 'drill', from, services }, (cluster) => context.fleet.cluster(cluster)?.member.region),
    );
}
