/** Policy that is placed nowhere, names places that are not, or is overridden. */
import { ownerOf } from '../../adoption.ts';
import type { FailoverPolicySpec } from '../../failover-policy.ts';
import type { DestinationRuleSpec } from '../../istio/specs.ts';
import { CLUSTERS_ANNOTATION } from '../../kinds.ts';
import { isProgressive } from '../../progressive-shift.ts';
import type { TrafficShiftSpec } from '../../traffic-shift.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';
import { trafficPoliciesOf } from './destination-rule-findings.ts';
import { unknownPlaces } from './known-places.ts';
import { isAmongSubsets } from './steering-findings.ts';

const SELECTOR_FIELD = `metadata.annotations["${CLUSTERS_ANNOTATION}"]`;

/** HW0501. */
export function unreached(subject: Subject, world: World): Finding[] {
  const selector = subject.annotations[CLUSTERS_ANNOTATION];
  if (selector === undefined || world.clustersOf(subject)?.length !== 0) return [];
  const field = SELECTOR_FIELD;
  const names = (world.facts.clusters ?? []).map(({ name }) => name).join(', ');
  return [finding('HW0501', { at: subject, field }, `${selector} selects none of the clusters${names === '' ? '' : ` ${names}`}`)];
}

/** HW0510, HW0511: whoever was there first is in force. */
export function clustersOwn(subject: Subject, world: World): Finding[] {
  if (ownerOf(subject.name) !== undefined) return [];
  const clusters = world.clustersOf(subject) ?? [];
  return (world.facts.ownPolicies ?? []).flatMap(({ cluster, kind, namespace, name, inForce }) => {
    if (kind !== subject.kind || namespace !== subject.namespace || name !== subject.name || !clusters.includes(cluster)) return [];
    const place = { at: subject, field: subject.annotations[CLUSTERS_ANNOTATION] === undefined ? 'metadata.name' : SELECTOR_FIELD };
    if (inForce) return [finding('HW0510', place, `${cluster} has its own ${kind} ${namespace}/${name}, which is in force there`)];
    return [finding('HW0511', place, `${cluster} has its own ${kind} ${namespace}/${name}, which came later and is not in force`)];
  });
}

/** HW0503, HW0504, HW0505 of a FailoverPolicy. */
export function failoverPolicy(subject: Subject<FailoverPolicySpec>, world: World): Finding[] {
  const regions = subject.spec.order.map((region, index) => ({ field: `spec.order[${index}]`, region }));
  return [...unknownRegions(subject, regions, world), ...unknownServices(subject, world), ...overridden(subject, world)];
}

/** HW0504, HW0505 of a TrafficShift. */
export function trafficShift(subject: Subject<TrafficShiftSpec>, world: World): Finding[] {
  return [...unknownServices(subject, world), ...(isProgressive(subject.spec) ? [] : overridden(subject, world))];
}

/** HW0503 of a DestinationRule; its localities are REGION/ZONE/SUBZONE. */
export function localityRegions(subject: Subject<DestinationRuleSpec>, world: World): Finding[] {
  const named = trafficPoliciesOf(subject.spec).flatMap(({ field, policy }) => {
    const at = `${field}.loadBalancer.localityLbSetting`;
    const { distribute = [], failover = [] } = policy.loadBalancer?.localityLbSetting ?? {};
    return [
      ...distribute.flatMap(({ from = '*', to = {} }, index) => [
        { field: `${at}.distribute[${index}].from`, region: from },
        ...Object.keys(to).map((place) => ({ field: `${at}.distribute[${index}].to["${place}"]`, region: place })),
      ]),
      ...failover.flatMap(({ from = '*', to = '*' }, index) => [
        { field: `${at}.failover[${index}].from`, region: from },
        { field: `${at}.failover[${index}].to`, region: to },
      ]),
    ];
  });
  const regions = named.map(({ field, region }) => ({ field, region: region.split('/')[0] ?? '' }));
  return unknownRegions(
    subject,
    regions.filter(({ region }) => region !== '*' && region !== ''),
    world,
  );
}

function unknownRegions(subject: Subject, named: readonly { readonly field: string; readonly region: string }[], world: World): Finding[] {
  return unknownPlaces(
    subject,
    named.map(({ field, region }) => ({ field, sort: 'region', name: region })),
    world,
  );
}

type Placing = Subject<{ readonly services?: readonly string[] }>;

function unknownServices(subject: Placing, world: World): Finding[] {
  return (subject.spec.services ?? []).flatMap((service, index) =>
    world.presence(`${subject.namespace}/${service}`) === 'nothing'
      ? [finding('HW0504', { at: subject, field: `spec.services[${index}]` }, `no cluster exports ${subject.namespace}/${service}`)]
      : [],
  );
}

/** Among policies of the same reach the oldest wins, as `effective-policy.ts` has it. */
function overridden(subject: Placing, world: World): Finding[] {
  const older = world
    .of<Placing['spec']>(subject.kind)
    .filter((other) => other.namespace === subject.namespace && other.key !== subject.key && byAge(other, subject) < 0)
    .filter((other) => subject.kind !== 'TrafficShift' || isLikeShift(other.spec, subject.spec))
    .filter((other) => (other.spec.services === undefined) === (subject.spec.services === undefined) && meet(other, subject, world));
  if (subject.spec.services === undefined) {
    const [first] = older;
    return first === undefined
      ? []
      : [finding('HW0505', { at: subject, field: 'spec' }, `${first.key}, which is older, is for the whole namespace too and wins`)];
  }
  return subject.spec.services.flatMap((service, index) => {
    const first = older.find(({ spec }) => spec.services?.includes(service));
    return first === undefined
      ? []
      : [
          finding(
            'HW0505',
            { at: subject, field: `spec.services[${index}]` },
            `${first.key}, which is older, is for ${service} too and wins`,
          ),
        ];
  });
}

/** Shares of places and of versions stand beside each other; of shifts in steps there is one at a time (HW0507). */
function isLikeShift(a: unknown, b: unknown): boolean {
  return isAmongSubsets(a as TrafficShiftSpec) === isAmongSubsets(b as TrafficShiftSpec) && !isProgressive(a as TrafficShiftSpec);
}

/** Whether some cluster gets both. */
function meet(a: Subject, b: Subject, world: World): boolean {
  const [left, right] = [world.clustersOf(a), world.clustersOf(b)];
  return left === undefined || right === undefined || left.some((cluster) => right.includes(cluster));
}
