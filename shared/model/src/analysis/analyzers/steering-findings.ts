/** Shifts and drains: places and versions that are not, two that move the same traffic, and traffic that is sent to where it is taken from. */
import type { DrainSpec } from '../../drain.ts';
import { inScope, isSelected, scopesMeet, scopeText, selectionsMeet } from '../../drain-scope.ts';
import type { ClusterPlace } from '../../locality-priorities.ts';
import { isProgressive, targetOf } from '../../progressive-shift.ts';
import type { TrafficShiftSpec } from '../../traffic-shift.ts';
import type { KnownCluster } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';
import { type NamedPlace, unknownPlaces } from './known-places.ts';

/** HW0503, HW0504, HW0506, HW0509 of a Drain. */
export function drain(subject: Subject<DrainSpec>, world: World): Finding[] {
  const { scope, services, destinations = [] } = subject.spec;
  const places: readonly NamedPlace[] = [
    ...named('spec.scope', scope),
    ...(scope.gateway === undefined ? [] : [{ field: 'spec.scope.gateway', sort: 'cluster' as const, name: scope.gateway }]),
    ...destinations.flatMap((one, index) => named(`spec.destinations[${index}]`, one)),
  ];
  const unknown = (services?.names ?? []).flatMap((name, index) =>
    world.presence(name) === 'nothing'
      ? [finding('HW0504', { at: subject, field: `spec.services.names[${index}]` }, `no cluster exports ${name}`)]
      : [],
  );
  return [...unknownPlaces(subject, places, world), ...unknown, ...otherDrains(subject, world)];
}

/** HW0105, HW0503, HW0506, HW0507, HW0508 of a TrafficShift. */
export function steeredShift(subject: Subject<TrafficShiftSpec>, world: World): Finding[] {
  const shares = sharesOf(subject.spec);
  const places = shares.filter((share): share is Share & NamedPlace => share.sort !== 'subset');
  return [
    ...unknownPlaces(subject, places, world),
    ...unknownSubsets(subject, shares, world),
    ...otherShifts(subject, world),
    ...drainedPlaces(subject, places, world),
  ];
}

interface Share {
  readonly field: string;
  readonly sort: 'region' | 'cluster' | 'subset';
  readonly name: string;
  /** Whether it is ever sent anything. */
  readonly isUsed: boolean;
}

function sharesOf({ regions = {}, clusters = {}, subsets = {}, destinations = [], start, steps = [] }: TrafficShiftSpec): readonly Share[] {
  const fixed = (sort: Share['sort'], field: string, given: Readonly<Record<string, number>>): readonly Share[] =>
    Object.entries(given).map(([name, part]) => ({ field: `spec.${field}.${name}`, sort, name, isUsed: part > 0 }));
  const weights = [start ?? { [destinations[0]?.name ?? '']: 1 }, ...steps.map(({ setWeights = {} }) => setWeights)];
  return [
    ...fixed('region', 'regions', regions),
    ...fixed('cluster', 'clusters', clusters),
    ...fixed('subset', 'subsets', subsets),
    ...destinations.map((destination, index): Share => {
      const { sort, target } = targetOf(destination);
      const isUsed = weights.some((given) => (given[destination.name] ?? 0) > 0);
      return { field: `spec.destinations[${index}].${sort}`, sort, name: target, isUsed };
    }),
  ];
}

function named(field: string, { region, cluster, zone }: { region?: string; cluster?: string; zone?: string }): readonly NamedPlace[] {
  return Object.entries({ region, cluster, zone }).flatMap(([sort, name]) =>
    name === undefined ? [] : [{ field: `${field}.${sort}`, sort: sort as NamedPlace['sort'], name }],
  );
}

function unknownSubsets(subject: Subject<TrafficShiftSpec>, shares: readonly Share[], world: World): Finding[] {
  const services = subject.spec.services.filter((service) => !service.includes('.'));
  return shares.flatMap(({ field, sort, name }) => {
    if (sort !== 'subset') return [];
    const without = services.find((service) => {
      const rules = world.rulesOf(`${subject.namespace}/${service}`);
      return !rules.some(({ spec }) => spec.subsets?.some((subset) => subset.name === name));
    });
    return without === undefined
      ? []
      : [finding('HW0105', { at: subject, field }, `no DestinationRule for ${subject.namespace}/${without} defines the subset ${name}`)];
  });
}

/** Shares of places and of versions stand beside each other; of fixed shares the oldest wins (HW0505). */
function otherShifts(subject: Subject<TrafficShiftSpec>, world: World): Finding[] {
  const { services } = subject.spec;
  const others = world
    .of<TrafficShiftSpec>('TrafficShift')
    .filter(
      (other) =>
        other.key !== subject.key &&
        other.namespace === subject.namespace &&
        byAge(other, subject) < 0 &&
        isAmongSubsets(other.spec) === isAmongSubsets(subject.spec) &&
        (isProgressive(other.spec) || isProgressive(subject.spec)),
    );
  return services.flatMap((service, index) => {
    const other = others.find(({ spec }) => spec.services.includes(service));
    const at = { at: subject, field: `spec.services[${index}]` };
    return other === undefined ? [] : [finding('HW0507', at, `${other.key} moves ${service} too, and the hub takes one at a time`)];
  });
}

/** Whether a shift is among versions. */
export function isAmongSubsets({ subsets, destinations }: TrafficShiftSpec): boolean {
  return subsets !== undefined || destinations?.[0]?.subset !== undefined;
}

function drainedPlaces(subject: Subject<TrafficShiftSpec>, places: readonly (Share & NamedPlace)[], world: World): Finding[] {
  const drains = world.of<DrainSpec>('Drain').filter(({ spec }) => isMoving(spec) && spec.scope.gateway === undefined);
  const clusters = (world.facts.clusters ?? []).map(placeOf);
  return places.flatMap(({ field, sort, name, isUsed }) => {
    const there = clusters.filter(({ cluster, region }) => (sort === 'region' ? region : cluster) === name);
    if (!isUsed || there.length === 0) return [];
    const taken = drains.find(
      ({ spec }) =>
        there.every((place) => inScope(spec.scope, place)) &&
        subject.spec.services.some((service) => isSelected(spec.services, `${subject.namespace}/${service}`)),
    );
    if (taken === undefined) return [];
    const message = `the ${sort} ${name} is drained by ${taken.name}: what it is to get goes elsewhere`;
    return [finding('HW0508', { at: subject, field }, message)];
  });
}

function otherDrains(subject: Subject<DrainSpec>, world: World): Finding[] {
  const { scope, services } = subject.spec;
  if (!isMoving(subject.spec)) return [];
  const clusters = (world.facts.clusters ?? []).map(placeOf);
  const other = world
    .of<DrainSpec>('Drain')
    .find(
      ({ key, spec, ...rest }) =>
        key !== subject.key &&
        byAge({ key, spec, ...rest }, subject) < 0 &&
        isMoving(spec) &&
        scopesMeet(spec.scope, scope, clusters) &&
        selectionsMeet(spec.services, services),
    );
  if (other === undefined) return [];
  return [
    finding(
      'HW0509',
      { at: subject, field: 'spec.scope' },
      `${other.name} drains ${scopeText(other.spec.scope)}, which is the same traffic`,
    ),
  ];
}

/** One that was written will move all; of one that is stored, the form in force says how much it does now. */
function isMoving({ percent, stages = [] }: DrainSpec): boolean {
  return percent === undefined || percent > 0 || stages.some((stage) => stage.percent > 0);
}

function placeOf({ name, region, labels }: KnownCluster): ClusterPlace {
  const { zone } = labels;
  return { cluster: name, region, ...(zone === undefined ? {} : { zone }) };
}
