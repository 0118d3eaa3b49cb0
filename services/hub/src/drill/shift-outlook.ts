/** What the shift of a drill would do, from what is measured now, and what stands against it. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { weightsText } from '@hawser/model/drill-shift.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import { type ShiftDestination, type ShiftStep, type SteppedShift, targetOf } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import { drainMoves } from '../drain/drain-world.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { shiftsMeet } from '../shift/shift-admission.ts';
import { destinationFacts, loadOf, observedSince, subsetLabels } from '../shift/shift-destinations.ts';
import { type ObservedRequests, obstacle } from '../shift/shift-evidence.ts';
import { shiftPermit } from '../shift/shift-permit.ts';
import { startWeights } from '../shift/shift-state.ts';
import { shiftResource } from './followed-shift.ts';

/** What is looked at. */
export interface ShiftQuestion {
  readonly drill: Resource;
  /** `NAMESPACE/NAME`; one at least. */
  readonly services: readonly string[];
  readonly context: FleetContext;
  readonly traffic: MeasuredTraffic | undefined;
}

/** A shift before it begins. */
export interface ShiftOutlook {
  /** The TrafficShift, by the name of the drill. */
  readonly shift: Resource & { readonly spec: SteppedShift };
  /** Where requests go now; undefined where that is not known. */
  readonly observed: ObservedRequests | undefined;
  /** Requests/s to its services; undefined where they are not known. */
  readonly load: number | undefined;
  /** The largest part of these that a step sends elsewhere than now, 0 to 1. */
  readonly moved: number | undefined;
}

/** As long as the forecast of drains looks at load, milliseconds. */
const LOAD_MS = 30_000;

/** The outlook of a drill whose scenario is a shift. */
export function shiftOutlook({ drill, services, context, traffic }: ShiftQuestion): ShiftOutlook {
  const made = shiftResource(drill.metadata.name, { plan: drill.spec as DrillSpec }, services);
  const shift = made as typeof made & { readonly spec: SteppedShift };
  const { namespace } = shift.metadata;
  const span = { since: (traffic?.knownUntil() ?? 0) - LOAD_MS, windowMs: LOAD_MS, away: [] };
  const observed = traffic === undefined ? undefined : observedSince(traffic, span, { shift, desired: context.distribution.desired });
  return {
    ...{ shift, observed },
    load: traffic === undefined ? undefined : loadOf(traffic, shift.spec, namespace),
    moved: observed === undefined ? undefined : movedPart(shift.spec, observed),
  };
}

/** Requests that a step sends where they do not go now, of those there are. */
function movedPart(spec: SteppedShift, { total, byDestination }: ObservedRequests): number {
  if (total === 0) return 0;
  const parts = spec.steps.flatMap(({ setWeights }) => (setWeights === undefined ? [] : [gained(spec, setWeights)]));
  return Math.max(0, ...parts);

  function gained({ destinations, totalWeight = 100 }: SteppedShift, weights: Readonly<Record<string, number>>): number {
    const more = destinations.map(({ name }) => (weights[name] ?? 0) / totalWeight - (byDestination[name] ?? 0) / total);
    return more.reduce((sum, one) => sum + Math.max(0, one), 0);
  }
}

/** Why it may not begin: another shift of these services, a destination that is not there or has no endpoint, freezes, rules, capacity. */
export function shiftRefusal(
  { shift, load }: ShiftOutlook,
  { context, overrides }: { readonly context: FleetContext; readonly overrides: readonly string[] },
): Refusal | undefined {
  return overlapping(shift, context) ?? unknownDestination(shift, context) ?? hindered({ shift, load }, { context, overrides });
}

function overlapping({ metadata, spec }: ShiftOutlook['shift'], { distribution }: FleetContext): Refusal | undefined {
  const others = (distribution.desired?.resources ?? []).filter(
    ({ kind, metadata: { namespace } }) => kind === 'TrafficShift' && namespace === metadata.namespace,
  );
  for (const service of spec.services) {
    const other = others.find((one) => shiftsMeet(spec as TrafficShiftSpec, one.spec as TrafficShiftSpec, service));
    if (other === undefined) continue;
    const message = `the TrafficShift ${other.metadata.namespace}/${other.metadata.name} moves ${service}: let it end, and delete it`;
    return { rule: 'overlapping-shifts', message };
  }
  return undefined;
}

function unknownDestination(shift: ShiftOutlook['shift'], { distribution: { desired } }: FleetContext): Refusal | undefined {
  const members = desired?.members ?? [];
  const { metadata, spec } = shift;
  const isKnown = (destination: ShiftDestination): boolean => {
    const { sort, target } = targetOf(destination);
    if (sort === 'subset')
      return spec.services.every((service) => {
        const asked = { shift, service: `${metadata.namespace}/${service}`, subset: target };
        return subsetLabels(desired, asked) !== undefined;
      });
    return members.some(({ name, region }) => (sort === 'region' ? region : name) === target);
  };
  const missing = spec.destinations.find((one) => !isKnown(one));
  if (missing === undefined) return undefined;
  const { sort, target } = targetOf(missing);
  const where = sort === 'subset' ? ` of ${spec.services.join(', ')}: have a DestinationRule that names it in every cluster, alike` : '';
  return { rule: 'known-destination', message: `there is no ${sort} ${target}${where}` };
}

/** The first step that something is against, by the rules of shifts. */
function hindered(
  { shift, load }: Pick<ShiftOutlook, 'shift' | 'load'>,
  { context, overrides }: { readonly context: FleetContext; readonly overrides: readonly string[] },
): Refusal | undefined {
  const { spec } = shift;
  const resource = { ...shift, spec: { ...spec, overrideSafetyRules: [...overrides] } };
  const destinations = destinationFacts(context, shift);
  const moves = { underWay: () => drainMoves(context) };
  let before = startWeights(spec);
  for (const [step, { setWeights }] of spec.steps.entries()) {
    if (setWeights === undefined) continue;
    const permit = shiftPermit(context, { resource, weights: before, step }, moves);
    const text = obstacle(spec, { weights: setWeights, before }, { permit, destinations, load });
    if (text !== undefined) return refusalOf(text, step);
    before = setWeights;
  }
  return undefined;
}

function refusalOf(text: string, step: number): Refusal {
  const end = text.indexOf(': ');
  return { rule: text.slice(0, end), message: `step ${step + 1}: ${text.slice(end + 2)}` };
}

/** The shift in sentences: where requests go now, each step, and how it ends. */
export function shiftCourse({ shift, observed, load, moved }: ShiftOutlook): string[] {
  const { spec } = shift;
  const share = (name: string): string => `${name} ${((100 * (observed?.byDestination[name] ?? 0)) / (observed?.total ?? 1)).toFixed(1)} %`;
  const seen = observed === undefined || observed.total === 0;
  return [
    `a TrafficShift of ${spec.services.join(', ')} among ${spec.destinations.map(destinationText).join(', ')}`,
    seen
      ? 'where the requests go now is not known'
      : `now: ${spec.destinations.map(({ name }) => share(name)).join(', ')} of ${load?.toFixed(1) ?? '?'} requests/s`,
    `start: ${weightsText(startWeights(spec))}`,
    ...spec.steps.map((step, index) => `step ${index + 1}: ${stepText(step)}`),
    ...(moved === undefined ? [] : [`at most ${(moved * 100).toFixed(1)} % of them go elsewhere than now`]),
    'in the end the TrafficShift is taken away: everything is divided as before it',
  ];
}

function destinationText(destination: ShiftDestination): string {
  const { sort, target } = targetOf(destination);
  return destination.name === target ? `${sort} ${target}` : `${destination.name} (${sort} ${target})`;
}

function stepText({ setWeights, pause, setHeaderRoute, setMirror }: ShiftStep): string {
  if (setWeights !== undefined) return weightsText(setWeights);
  if (pause !== undefined) return `a pause of ${pause.duration}`;
  if (setMirror !== undefined) return `${setMirror.percent} % are copied to ${setMirror.destination}`;
  return `requests by the header route ${setHeaderRoute?.name} go to ${setHeaderRoute?.destination ?? 'all again'}`;
}

/** Clusters that serve one of the services and would get requests by any step, by name. */
export function shiftClusters({ spec, metadata }: ShiftOutlook['shift'], { distribution, fleet }: FleetContext): readonly string[] {
  const isServed = (name: string): boolean =>
    spec.services.some((service) => fleet.cluster(name)?.shards.has(`${metadata.namespace}/${service}`) === true);
  const members = (distribution.desired?.members ?? []).filter(({ name }) => isServed(name));
  const weighted = new Set(
    spec.steps.flatMap(({ setWeights = {} }) => Object.keys(setWeights).filter((name) => (setWeights[name] ?? 0) > 0)),
  );
  const targets = spec.destinations.filter(({ name }) => weighted.has(name)).map(targetOf);
  return members
    .filter(({ name, region }) => targets.some(({ sort, target }) => sort === 'subset' || (sort === 'region' ? region : name) === target))
    .map(({ name }) => name);
}
