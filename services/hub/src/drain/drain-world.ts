/** What the hub knows that drains are judged by: places, services, and drains that are in force. All of it is in memory. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { resolvedCourse } from '@hawser/model/drain-course.ts';
import { inScope, isSelected } from '@hawser/model/drain-scope.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { ClusterPlace } from '@hawser/model/locality-priorities.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import type { AffectedPlace, MoveUnderWay } from '../safety/permit.ts';
import type { DrainWorld, ServedBy, Taken } from './drain-assertions.ts';

/** What a drain takes away, as it is written. */
export function takenBy({ metadata, spec }: Resource): Taken {
  const { scope, services, urgency = 'graceful' } = spec as DrainSpec;
  return { name: metadata.name, scope, services, urgency };
}

/** The drains by which something is moved now, but for one. */
export function drainsInForce(context: FleetContext, but: string): readonly Resource[] {
  const { desired } = context.distribution;
  return desired === undefined ? [] : inForceOf(desired).filter(({ metadata }) => metadata.name !== but);
}

/** They are asked for at every look, and change seldom. */
const kept = new WeakMap<DesiredState, readonly Resource[]>();

function inForceOf(desired: DesiredState): readonly Resource[] {
  const known = kept.get(desired) ?? desired.resources.filter((one) => one.kind === 'Drain' && percentInForce(one) > 0);
  kept.set(desired, known);
  return known;
}

/** How much goes elsewhere by the form in force; of its stages, of the one of which most does. */
export function percentInForce({ inForce }: Resource): number {
  const { percent = 0, stages = [] } = (inForce ?? {}) as Partial<DrainSpec>;
  return Math.max(percent, ...stages.map((stage) => stage.percent));
}

/** Where a member is. */
export function placeOf({ name, region, zone }: RosterMember): ClusterPlace {
  return { cluster: name, region, ...(zone === '' ? {} : { zone }) };
}

/** Members in the scope of a drain. */
export function membersIn(context: FleetContext, { scope }: Pick<Taken, 'scope'>): readonly RosterMember[] {
  return (context.distribution.desired?.members ?? []).filter((member) => inScope(scope, placeOf(member)));
}

/** Everything that assertions look at, with these other drains. */
export function drainWorld(context: FleetContext, others: readonly Taken[]): DrainWorld {
  const members = context.distribution.desired?.members ?? [];
  return {
    places: members.map((member) => ({ ...placeOf(member), draining: member.draining === true })),
    services: servicesOf(context),
    others,
  };
}

function servicesOf({ fleet }: FleetContext): ReadonlyMap<string, readonly ServedBy[]> {
  const services = new Map<string, ServedBy[]>();
  for (const { member, shards } of fleet.clusters()) {
    const fresh = fleet.freshness(member.name) === 'KNOWN';
    for (const [key, { healthy }] of shards) {
      const served = services.get(key) ?? [];
      services.set(key, served);
      served.push({ cluster: member.name, healthy, fresh });
    }
  }
  return services;
}

/** Services that a drain moves requests of: those selected that are served in its scope, `NAMESPACE/NAME`. */
export function servicesMoved(context: FleetContext, taken: Pick<Taken, 'scope' | 'services'>): readonly string[] {
  const clusters = context.fleet.clusters().filter(({ member }) => inScope(taken.scope, placeOf(member)));
  const keys = new Set(clusters.flatMap(({ shards }) => [...shards.keys()]));
  return [...keys].filter((key) => isSelected(taken.services, key)).sort();
}

/** The places of a drain, as permits know them, at a percentage. */
export function affectedPlaces(context: FleetContext, taken: Pick<Taken, 'scope'>, drainedPercent: number): readonly AffectedPlace[] {
  const { region } = taken.scope;
  if (region !== undefined) return [{ region, drainedPercent }];
  return membersIn(context, taken).map((member) => ({ region: member.region, cluster: member.name, drainedPercent }));
}

/** The moves that drains are, for whoever else wants to move traffic. */
export function drainMoves(context: FleetContext): readonly MoveUnderWay[] {
  return drainsInForce(context, '').map((drain): MoveUnderWay => {
    const taken = takenBy(drain);
    const { urgency } = resolvedCourse(drain.spec as DrainSpec);
    return {
      key: `Drain//${drain.metadata.name}`,
      verb: 'drain',
      urgency: urgency === 'emergency' ? 'emergency' : 'manual',
      from: affectedPlaces(context, taken, 100),
      services: movedServices(context, taken),
    };
  });
}

/** The services that a drain is for, as permits know them. */
export function movedServices(context: FleetContext, taken: Pick<Taken, 'scope' | 'services'>): 'all' | readonly string[] {
  return taken.services === undefined ? 'all' : servicesMoved(context, taken);
}
