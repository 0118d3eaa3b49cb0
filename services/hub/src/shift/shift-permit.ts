/** Whether freezes, safety rules and emergencies let a shift take its next step. */
import { type ShiftDestination, type SteppedShift, targetOf } from '@hawser/model/progressive-shift.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { type AffectedPlace, type MoveUnderWay, meet } from '../safety/permit.ts';
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
    services: serviceKeys(spec, namespace),
    overrides: spec.overrideSafetyRules ?? [],
    self: resourceKey(resource.kind, namespace, resource.metadata.name),
  };
  const permit = permitIn(context, action, { underWay: moves?.underWay() ?? [] });
  return permit.allowed ? { allowed: true, overridden: permit.overridden.map(({ name }) => name) } : permit;
}

/** The emergency that moves what the shift moves, in a place that it takes from or gives to: no step is taken, or judged, while it lasts. */
export function shiftInterruption(context: FleetContext, resource: Resource, moves: KnownMoves | undefined): string | undefined {
  const emergencies = moves?.underWay().filter(({ urgency }) => urgency === 'emergency') ?? [];
  if (emergencies.length === 0) return undefined;
  const spec = resource.spec as SteppedShift;
  const own = {
    from: placesOf(context, spec.destinations),
    services: serviceKeys(spec, resource.metadata.namespace ?? ''),
  };
  const met = emergencies.find((other) => meet(own, other));
  return met === undefined ? undefined : `${met.key}, an emergency, moves the same traffic: it goes on when that has ended`;
}

function serviceKeys({ services }: SteppedShift, namespace: string): readonly string[] {
  return services.map((service) => `${namespace}/${service}`);
}

/** Places that get less by the step. A shift drains none: each stays as drained as it is. */
function leftPlaces(context: FleetContext, spec: SteppedShift, { weights, step }: NextStep): readonly AffectedPlace[] {
  const wanted = spec.steps[step]?.setWeights;
  if (wanted === undefined) return [];
  const before = weights ?? startWeights(spec);
  const less = spec.destinations.filter(({ name }) => (wanted[name] ?? 0) < (before[name] ?? 0));
  return placesOf(context, less);
}

function placesOf(context: FleetContext, destinations: readonly ShiftDestination[]): readonly AffectedPlace[] {
  const { desired } = context.distribution;
  const places = destinations.map(targetOf).filter(({ sort }) => sort !== 'subset');
  if (desired === undefined || places.length === 0) return [];
  const facts = regionFacts(context, desired, {});
  return places.flatMap(({ sort, target }): AffectedPlace[] => {
    const region = facts.find(({ name, clusters }) => (sort === 'region' ? name === target : clusters.includes(target)));
    if (region === undefined) return [];
    const place = { region: region.name, drainedPercent: 0 };
    return [sort === 'region' ? place : { ...place, cluster: target }];
  });
}
