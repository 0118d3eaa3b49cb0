/** Whether traffic may be moved: freezes, safety rules, and what is under way already. Pure; asked before the start and before each step. */
import { type FreezeSpec, isFrozen } from '@hawser/model/freeze.ts';
import { brokenRule, type RegionFacts, type SafetyRuleSpec } from '@hawser/model/safety-rule.ts';
import { isInScope, type MovedPlace, type ScopedMove } from '@hawser/model/steering-scope.ts';

/** An emergency goes before what people do by hand, and that before what happens by a schedule. */
export const URGENCIES = ['scheduled', 'manual', 'emergency'] as const;
export type Urgency = (typeof URGENCIES)[number];

/** A place that traffic is taken from, or given back to. */
export interface AffectedPlace extends MovedPlace {
  /** How much of what would go there will go elsewhere, 0 to 100; of a region's cluster, the cluster's. */
  readonly drainedPercent: number;
}

/** One move, or one step of it. */
export interface SteeringAction extends ScopedMove {
  readonly urgency: Urgency;
  readonly from: readonly AffectedPlace[];
  /** Names of SafetyRules, and `freeze/NAME`, that it goes on in spite of. */
  readonly overrides: readonly string[];
  /** Freezes by name that hold for it whatever their scope is. */
  readonly freezes?: readonly string[];
  /** Regions as it will leave them, where somebody forecast that; without it headroom after it is unknown. */
  readonly after?: readonly RegionFacts[];
  /** `KIND/NAMESPACE/NAME` of its resource: it does not stand in its own way. */
  readonly self?: string;
}

/** What else moves traffic now. */
export interface MoveUnderWay extends Omit<ScopedMove, 'from'> {
  /** `KIND/NAMESPACE/NAME`. */
  readonly key: string;
  readonly urgency: Urgency;
  readonly from: readonly MovedPlace[];
}

/** A guard by its name. */
export interface Named<Spec> {
  readonly name: string;
  readonly spec: Spec;
}

/** A region, and how much of what would go to each of its clusters goes elsewhere, 0 to 100; a cluster that is not named is as its region. */
export interface RegionState extends RegionFacts {
  readonly drainedClusters?: Readonly<Record<string, number>>;
}

/** Everything that is asked. */
export interface SteeringWorld {
  readonly now: Date;
  readonly freezes: readonly Named<FreezeSpec>[];
  readonly rules: readonly Named<SafetyRuleSpec>[];
  /** Every region of the federation as it is without the move; of a move of some services, as it is for those. */
  readonly regions: readonly RegionState[];
  readonly underWay: readonly MoveUnderWay[];
}

/** A guard that was named by the move, and would have kept it. */
export interface Overridden {
  /** As it was named: `min-regions`, `freeze/christmas`. */
  readonly name: string;
  /** What it said. */
  readonly message: string;
}

/** The answer. `preempts`: keys of lesser moves in the same place, which are to be ended first. */
export type Permit =
  | { readonly allowed: true; readonly overridden: readonly Overridden[]; readonly preempts: readonly string[] }
  | { readonly allowed: false; readonly rule: string; readonly message: string };

/** Whether the action may go on. A move that gives up, and goes back to what was before it, does not ask. */
export function permit(action: SteeringAction, world: SteeringWorld): Permit {
  const precedence = precedenceOf(action, world);
  if (precedence.kept !== undefined) return precedence.kept;
  const objections = [...frozen(action, world), ...broken(action, world)];
  const kept = objections.find(({ name, mayOverride }) => !mayOverride || !action.overrides.includes(name));
  if (kept !== undefined) return { allowed: false, rule: kept.name, message: `${kept.says}; ${kept.wayOut}` };
  return { allowed: true, overridden: objections.map(({ name, says }) => ({ name, message: says })), preempts: precedence.preempts };
}

interface Objection {
  readonly name: string;
  readonly says: string;
  readonly mayOverride: boolean;
  readonly wayOut: string;
}

function precedenceOf(action: SteeringAction, { underWay }: SteeringWorld) {
  const rank = ({ urgency }: { readonly urgency: Urgency }): number => URGENCIES.indexOf(urgency);
  const others = underWay.filter((other) => other.key !== action.self && meet(action, other));
  const above = others.find((other) => rank(other) > rank(action));
  const preempts = others.filter((other) => rank(other) < rank(action)).map(({ key }) => key);
  if (above === undefined) return { kept: undefined, preempts };
  const message = `${above.key}, ${named(above.urgency)}, moves the same traffic, and this is ${named(action.urgency)}: wait until it has ended, or end it`;
  return { kept: { allowed: false, rule: above.key, message } as const, preempts };
}

/** Whether both move requests to one service out of one place. */
export function meet(a: Pick<ScopedMove, 'from' | 'services'>, b: Pick<ScopedMove, 'from' | 'services'>): boolean {
  const places = a.from.some((one) =>
    b.from.some(
      (other) => one.region === other.region && (one.cluster === undefined || other.cluster === undefined || one.cluster === other.cluster),
    ),
  );
  if (!places) return false;
  if (a.services === 'all' || b.services === 'all') return true;
  const theirs = new Set(b.services);
  return a.services.some((service) => theirs.has(service));
}

function named(urgency: Urgency): string {
  return { emergency: 'an emergency', manual: 'done by hand', scheduled: 'done by a schedule' }[urgency];
}

function frozen(action: SteeringAction, world: SteeringWorld): readonly Objection[] {
  const holding = world.freezes.filter(
    ({ name, spec }) =>
      isFrozen(spec, world.now) &&
      !(action.urgency === 'emergency' && spec.allowEmergency !== false) &&
      (action.freezes?.includes(name) === true || isInScope(spec.scope, action, regionOf(world))),
  );
  return holding.map(({ name, spec }) => {
    const until = spec.until === undefined ? '' : ` until ${spec.until}`;
    const emergency = spec.allowEmergency === false ? '' : ', or say urgency: emergency if it is one';
    return {
      name: `freeze/${name}`,
      says: `the Freeze ${name} holds${until}: ${spec.reason}`,
      mayOverride: true,
      wayOut: `wait, or name it in overrideSafetyRules: [freeze/${name}], which is audited${emergency}`,
    };
  });
}

function broken(action: SteeringAction, world: SteeringWorld): readonly Objection[] {
  const { verb, urgency, services } = action;
  const facts = { verb, urgency, services: services === 'all' ? [] : services };
  const after = action.after ?? regionsAfter(world.regions, action);
  return world.rules.flatMap(({ name, spec }): Objection[] => {
    if (!isInScope(spec.scope, action, regionOf(world))) return [];
    const says = brokenRule(spec, { ...facts, regions: spec.type === 'assertion' ? after : world.regions });
    if (says === undefined) return [];
    const mayOverride = spec.overridable !== false;
    const wayOut = mayOverride
      ? `to go on in spite of it, name it in overrideSafetyRules: [${name}], which is audited`
      : 'it cannot be overridden: change what it asks for, or the rule, for which the role admin is needed';
    return [{ name, says: `the SafetyRule ${name} is against it: ${says}`, mayOverride, wayOut }];
  });
}

/**
 * The regions as the action leaves them. Of a cluster of several in its region the others count as they are; where requests go that
 * went elsewhere is not said, so that headroom is not known any more.
 */
function regionsAfter(regions: readonly RegionState[], { from }: Pick<SteeringAction, 'from'>): readonly RegionFacts[] {
  if (from.length === 0) return regions;
  return regions.map(({ headroomPercent: _, drainedClusters = {}, ...region }) => {
    const here = from.filter((place) => place.region === region.name);
    if (here.length === 0) return region;
    const left = region.clusters.map((cluster) => {
      const taken = here.filter((place) => place.cluster === undefined || place.cluster === cluster);
      return Math.max(drainedClusters[cluster] ?? region.drainedPercent, ...taken.map(({ drainedPercent }) => drainedPercent));
    });
    return { ...region, drainedPercent: left.reduce((sum, one) => sum + one, 0) / Math.max(1, left.length) };
  });
}

function regionOf({ regions }: SteeringWorld): (cluster: string) => string | undefined {
  return (cluster) => regions.find(({ clusters }) => clusters.includes(cluster))?.name;
}
