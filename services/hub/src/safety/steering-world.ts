/** What permits are judged by, from what the hub has in memory. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import type { FreezeSpec } from '@hawser/model/freeze.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { RegionFacts, SafetyRuleSpec } from '@hawser/model/safety-rule.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { ClusterView } from '../fleet/fleet-state.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import { type MoveUnderWay, type Named, type Permit, permit, type SteeringAction, type SteeringWorld } from './permit.ts';

/** What others know. */
export interface KnownElsewhere {
  readonly underWay: readonly MoveUnderWay[];
  /** Capacity that is left in a region, in percent of what is in use; undefined: not known. */
  headroomPercent?(region: string): number | undefined;
}

/** Whether the action may go on, by everything that this hub knows. */
export function permitIn(context: FleetContext, action: SteeringAction, known: KnownElsewhere): Permit {
  const { desired } = context.distribution;
  if (desired === undefined) {
    return {
      allowed: false,
      rule: 'desired-state',
      message: 'the hub has not read yet which freezes and rules there are; try again in a moment',
    };
  }
  const answer = permit(action, steeringWorld(context, desired, known));
  if (!answer.allowed)
    context.refused?.note(answer.rule, { move: action.self ?? action.verb, message: answer.message, now: context.now() });
  return answer;
}

/** Everything that permits are judged by. */
export function steeringWorld(context: FleetContext, desired: DesiredState, known: KnownElsewhere): SteeringWorld {
  const { freezes, rules } = guardsOf(desired);
  return { now: new Date(context.now()), freezes, rules, regions: regionFacts(context, desired, known), underWay: known.underWay };
}

/** They are asked before every step, and change seldom. */
const guards = new WeakMap<DesiredState, Pick<SteeringWorld, 'freezes' | 'rules'>>();

function guardsOf(desired: DesiredState): Pick<SteeringWorld, 'freezes' | 'rules'> {
  const kept = guards.get(desired);
  if (kept !== undefined) return kept;
  const found = { freezes: ofKind<FreezeSpec>(desired, 'Freeze'), rules: ofKind<SafetyRuleSpec>(desired, 'SafetyRule') };
  guards.set(desired, found);
  return found;
}

function ofKind<Spec>({ resources }: DesiredState, kind: string): readonly Named<Spec>[] {
  return resources.filter((one) => one.kind === kind).map(({ metadata, spec }) => ({ name: metadata.name, spec: spec as Spec }));
}

/** The regions that members are in. Endpoints of a region are known when all of its clusters were heard lately. */
export function regionFacts(
  context: FleetContext,
  desired: DesiredState,
  known: Pick<KnownElsewhere, 'headroomPercent'>,
): readonly RegionFacts[] {
  const drains = desired.resources.filter(({ kind }) => kind === 'Drain').map(drainInForce);
  const regions = Map.groupBy(context.fleet.clusters(), ({ member }) => member.region);
  return [...regions].map(([name, clusters]): RegionFacts => {
    const drained = clusters.map(({ member }) => Math.max(0, ...drains.map((drain) => percentOf(drain, member))));
    const isHeard = clusters.every(({ member }) => context.fleet.freshness(member.name) === 'KNOWN');
    const headroomPercent = known.headroomPercent?.(name);
    return {
      name,
      clusters: clusters.map(({ member }) => member.name),
      drainedPercent: drained.reduce((sum, one) => sum + one, 0) / Math.max(1, drained.length),
      ...(isHeard ? { healthyEndpoints: clusters.reduce((sum, cluster) => sum + healthyIn(cluster), 0) } : {}),
      ...(headroomPercent === undefined ? {} : { headroomPercent }),
    };
  });
}

function healthyIn({ shards }: ClusterView): number {
  return [...shards.values()].reduce((sum, { healthy }) => sum + healthy, 0);
}

/** A drain that moves in steps is obeyed in the form that its operation gives it. */
function drainInForce(resource: Resource & { readonly inForce?: unknown }): DrainSpec {
  return (resource.inForce ?? resource.spec) as DrainSpec;
}

/** Drains of some services alone leave the place standing. */
function percentOf({ scope, services, percent = 0 }: DrainSpec, { name, region, zone }: ClusterView['member']): number {
  if (services !== undefined) return 0;
  const isMeant = scope.region === region || scope.cluster === name || scope.zone === `${region}/${zone}`;
  return isMeant ? percent : 0;
}
