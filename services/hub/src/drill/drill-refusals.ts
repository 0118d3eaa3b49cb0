/** Why a drill may not begin, each by the name of its rule. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { leavesPlace, scenarioPlace } from '@hawser/model/drill-course.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { unknownScope } from '../drain/drain-assertions.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import { affectedPlaces, drainMoves } from '../drain/drain-world.ts';
import { headroomRefusal } from '../drain/headroom.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { AffectedPlace, Urgency } from '../safety/permit.ts';
import { permitIn } from '../safety/steering-world.ts';
import { type DrillPlan, trafficPercent } from './drill-plan.ts';
import { NOT_SELECTED, scopeName } from './drill-selection.ts';
import { rotationRefusal } from './rotation-outlook.ts';
import { shiftRefusal } from './shift-outlook.ts';

/** Who asks, and in spite of what. */
export interface DrillAsked {
  readonly urgency: Urgency;
  /** Rules by name that it goes on in spite of. */
  readonly overrides: readonly string[];
  /** `DrillRun//NAME`, of a run that has begun. */
  readonly self?: string | undefined;
}

/** Rules that hold whoever names them. */
const FIXED: ReadonlySet<string> = new Set([
  ...['known-scope', 'empty-selection', 'minimum-regions'],
  ...['overlapping-shifts', 'known-destination', 'destination-without-endpoints', 'capacity-guard', 'rotation', 'rotation-under-way'],
]);

/** Every rule that refuses it; those that are overridden are not among them. */
export function drillRefusals(
  drill: Resource,
  plan: DrillPlan,
  asked: DrillAsked & { readonly context: FleetContext },
): readonly Refusal[] {
  const unknown = unknownPlace(plan);
  // What is not there has no services and no load.
  if (unknown !== undefined) return [unknown];
  const found = [
    ...[unknownDestination(drill, plan), emptySelection(drill, plan), tooFewRegions(plan), overlap(plan), ownCourse(drill, plan, asked)],
    ...[tooMuch(drill, plan), short(plan), unknownFreeze(drill, asked.context), guarded(drill, plan, asked)],
  ];
  return found.filter((refusal) => refusal !== undefined).filter(({ rule }) => FIXED.has(rule) || !asked.overrides.includes(rule));
}

function unknownPlace({ course: { scope }, world, clusters }: DrillPlan): Refusal | undefined {
  if (scope !== undefined) return unknownScope({ scope }, world);
  return clusters.length > 0 ? undefined : { rule: 'known-scope', message: 'there is no cluster' };
}

/** What goes to nowhere, or to what is drained, would go elsewhere than it was said. */
function unknownDestination(drill: Resource, { clusters, world: { places } }: DrillPlan): Refusal | undefined {
  const { to = [] } = (drill.spec as DrillSpec).scenario;
  const left = places.filter(({ cluster }) => !clusters.includes(cluster));
  const wrong = to.find(({ region, cluster }) => !left.some((place) => place.cluster === cluster || place.region === region));
  if (wrong === undefined) return undefined;
  const regions = [...new Set(left.map(({ region }) => region))].sort().join(', ');
  return {
    rule: 'known-destination',
    message: `scenario.to names ${scopeName(wrong)}, and there is none outside of what is drained; there are the regions ${regions}`,
  };
}

/** A Freeze that is not there would freeze nothing, and nobody would see it. */
function unknownFreeze(drill: Resource, { distribution }: FleetContext): Refusal | undefined {
  const { freezeRefs = [] } = drill.spec as DrillSpec;
  const known = new Set(
    (distribution.desired?.resources ?? []).flatMap(({ kind, metadata }) => (kind === 'Freeze' ? [metadata.name] : [])),
  );
  const missing = freezeRefs.find((name) => !known.has(name));
  return missing === undefined
    ? undefined
    : { rule: 'known-freeze', message: `freezeRefs names ${missing}, and there is no Freeze of that name: hawser freeze list` };
}

/** A selection that selects nothing would pass whatever happens. */
function emptySelection(drill: Resource, { selection, course: { scope } }: DrillPlan): Refusal | undefined {
  if (selection.services.length > 0) return undefined;
  const { namespaces = [], names = [] } = (drill.spec as DrillSpec).blastRadius.services;
  const asked = [...namespaces.map((namespace) => `${namespace}/*`), ...names].join(', ');
  const spared = selection.considered.filter(({ why }) => why !== NOT_SELECTED).map(({ service, why }) => `${service}: ${why}`);
  const detail = spared.length === 0 ? '' : ` (${spared.slice(0, LISTED).join('; ')})`;
  return { rule: 'empty-selection', message: `no service of ${asked} is served in ${scopeName(scope)}${detail}` };
}

function tooFewRegions({ regionsLeft, course: { type, scope, minRemainingRegions: least } }: DrillPlan): Refusal | undefined {
  if (!leavesPlace(type)) return undefined;
  const few = [...regionsLeft].filter(([, regions]) => regions.length < least);
  if (few.length === 0) return undefined;
  const named = few.slice(0, LISTED).map(([service, regions]) => `${service} by ${regions.length === 0 ? 'none' : regions.join(', ')}`);
  const more = few.length > LISTED ? ` and ${few.length - LISTED} more` : '';
  return {
    rule: 'minimum-regions',
    message: `without ${scopeName(scope)} ${named.join(', ')}${more} would be served; ${least} must be left`,
  };
}

function overlap({ overlaps }: DrillPlan): Refusal | undefined {
  if (overlaps === undefined) return undefined;
  return { rule: 'no-overlap', message: `drain ${overlaps} takes the same requests elsewhere; restore that first` };
}

/** What a shift or a rotation cannot begin by. */
function ownCourse({ spec }: Resource, { shift }: DrillPlan, asked: DrillAsked & { readonly context: FleetContext }): Refusal | undefined {
  const { scenario } = spec as DrillSpec;
  if (scenario.type === 'trustRotation') return rotationRefusal(asked.context, scenario);
  return shift === undefined ? undefined : shiftRefusal(shift, asked);
}

function tooMuch({ spec }: Resource, plan: DrillPlan): Refusal | undefined {
  const { course, rates, shift } = plan;
  const most = course.maxTrafficPercent;
  if ((!leavesPlace(course.type) && shift === undefined) || most >= 100) return undefined;
  const place = scenarioPlace((spec as DrillSpec).scenario);
  const moves = shift === undefined ? `go to ${place}` : `would be moved (${place})`;
  const percent = trafficPercent(plan);
  if (percent === undefined) {
    const why = typeof rates === 'string' ? rates : 'not all callers have accounted for theirs';
    return { rule: 'max-traffic', message: `which share of all requests ${moves} is not known: ${why}` };
  }
  if (percent <= most) return undefined;
  return {
    rule: 'max-traffic',
    message: `${percent.toFixed(1)} % of all requests ${moves}; blastRadius.maxTrafficPercent allows ${most} %`,
  };
}

function short({ headroom, course: { readiness } }: DrillPlan): Refusal | undefined {
  const refusal = headroomRefusal(headroom, readiness.minHeadroomPercent / 100);
  if (refusal === undefined) return undefined;
  const message = refusal.message.replace('go without this rule (--force)', `go without this rule (--override ${refusal.rule})`);
  return { rule: refusal.rule, message };
}

/** Freezes, safety rules, and what goes before it. */
function guarded(drill: Resource, plan: DrillPlan, asked: DrillAsked & { readonly context: FleetContext }): Refusal | undefined {
  const { context, urgency, overrides, self = `Drill//${drill.metadata.name}` } = asked;
  const services = [...plan.selection.services];
  const answer = permitIn(
    context,
    {
      ...{ verb: 'drill', urgency, services, overrides, self, freezes: (drill.spec as DrillSpec).freezeRefs ?? [] },
      from: placesOf(plan, context),
    },
    { underWay: drainMoves(context) },
  );
  return answer.allowed ? undefined : { rule: answer.rule, message: answer.message };
}

/** What a drill takes traffic from, or is about: partitions and rotations move none, and the steps of a shift ask for themselves. */
function placesOf({ course: { type, scope }, clusters }: DrillPlan, context: FleetContext): readonly AffectedPlace[] {
  const drainedPercent = leavesPlace(type) ? 100 : 0;
  if (scope !== undefined) return affectedPlaces(context, { scope }, drainedPercent);
  return clusters.map((cluster) => ({ region: context.fleet.cluster(cluster)?.member.region ?? '', cluster, drainedPercent }));
}

const LISTED = 3;
