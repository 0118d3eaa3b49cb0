/** Whether freezes and safety rules let a shift take its next step. */
import { type SteppedShift, targetOf } from '@hawser/model/progressive-shift.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { AffectedPlace, MoveUnderWay } from '../safety/permit.ts';
import { permitIn, regionFacts } from '../safety/steering-world.ts';
import type { StepPermit } from './shift-evidence.ts';
import { startWeights } from './shift-state.ts';

/** What else moves traffic. */
export interface KnownMoves {
  readonly underWay: () => readonly MoveUnderWay[];
}

/** A shift and the step that it is to take. */
export interface NextStep {
  readonly resource: Resource;
  /** In force; undefined: the start. */
  readonly weights: Readonly<Record<string, number>> | undefined;
  /** From 0. */
  readonly step: number;
}

/** Asked before a shift begins, and before each step. */
export function shiftPermit(context: FleetContext, next: NextStep, moves: KnownMoves | undefined): StepPermit {
  const { resource } = next;
  const spec = resource.spec as SteppedShift;
  const namespace = resource.metadata.namespace ?? '';
  const action = {
    ...({ verb: 'shift', urgency: spec.schedule === undefined ? 'manual' : 'scheduled' } as const),
    from: leftPlaces(context, spec, next),
    services: spec.services.map((service) => `${namespace}/${service}`),
    overrides: spec.overrideSafetyRules ?? [],
    self: resourceKey(resource.kind, namespace, resource.metadata.name),
  };
  const permit = permitIn(context, action, { underWay: moves?.underWay() ?? [] });
  return permit.allowed ? { allowed: true, overridden: permit.overridden.map(({ name }) => name) } : permit;
}

/** Places that get less by the step. A shift of some services drains no place: it stays as drained as it is. */
function leftPlaces(context: FleetContext, spec: SteppedShift, { weights, step }: NextStep): readonly AffectedPlace[] {
  const { desired } = context.distribution;
  const wanted = spec.steps[step]?.setWeights;
  if (desired === undefined || wanted === undefined) return [];
  const before = weights ?? startWeights(spec);
  const less = spec.destinations.filter(({ name }) => (wanted[name] ?? 0) < (before[name] ?? 0)).map(targetOf);
  const facts = regionFacts(context, desired, {});
  return less.flatMap(({ sort, target }): AffectedPlace[] => {
    if (sort === 'subset') return [];
    const region = facts.find(({ name, clusters }) => (sort === 'region' ? name === target : clusters.includes(target)));
    if (region === undefined) return [];
    const place = { region: region.name, drainedPercent: region.drainedPercent };
    return [sort === 'region' ? place : { ...place, cluster: target }];
  });
}
