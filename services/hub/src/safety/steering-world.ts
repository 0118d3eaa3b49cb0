/** What permits are judged by, from what the hub has in memory. */
import { type DrainedForm, drainedForm, isFrom } from '@hawser/model/diversion.ts';
import { isSelected } from '@hawser/model/drain-scope.ts';
import type { FreezeSpec } from '@hawser/model/freeze.ts';
import { resourceKey } from '@hawser/model/resource.ts';
import type { SafetyRuleSpec } from '@hawser/model/safety-rule.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { ClusterView } from '../fleet/fleet-state.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import { type MoveUnderWay, type Named, type Permit, permit, type RegionState, type SteeringAction, type SteeringWorld } from './permit.ts';

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
  const { freezes, rules } = guardsOf(desired);
  const regions = regionFacts(context, desired, { ...known, services: action.services, but: action.self });
  const answer = permit(action, { now: new Date(context.now()), freezes, rules, regions, underWay: known.underWay });
  if (!answer.allowed) {
    const { replica } = context.distribution;
    context.refused?.note(answer.rule, {
      ...{ move: action.self ?? action.verb, message: answer.message, now: context.now() },
      ...(replica === undefined ? {} : { replica: replica.instance }),
    });
  }
  return answer;
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

/** Of what regions are told. */
export interface RegionQuestion extends Pick<KnownElsewhere, 'headroomPercent'> {
  /** Only what is so for these, `NAMESPACE/NAME`: how much of their requests is drained, and their endpoints. Default: all. */
  readonly services?: 'all' | readonly string[];
  /** `KIND/NAMESPACE/NAME` of what is left out, as if it moved nothing. */
  readonly but?: string | undefined;
}

/** The regions that members are in. Endpoints of a region are known when all of its clusters were heard lately. */
export function regionFacts(context: FleetContext, desired: DesiredState, question: RegionQuestion): readonly RegionState[] {
  const { services = 'all' } = question;
  const drains = drainsOf(desired, services, question.but);
  const regions = Map.groupBy(context.fleet.clusters(), ({ member }) => member.region);
  return [...regions].map(([name, clusters]): RegionState => {
    const drained = clusters.map(({ member }) => [member.name, drainedOf(member, drains)] as const);
    const isHeard = clusters.every(({ member }) => context.fleet.freshness(member.name) === 'KNOWN');
    const headroomPercent = question.headroomPercent?.(name);
    return {
      name,
      clusters: clusters.map(({ member }) => member.name),
      drainedPercent: drained.reduce((sum, [, percent]) => sum + percent, 0) / Math.max(1, drained.length),
      drainedClusters: Object.fromEntries(drained),
      ...(isHeard ? { healthyEndpoints: clusters.reduce((sum, cluster) => sum + healthyIn(cluster, services), 0) } : {}),
      ...(headroomPercent === undefined ? {} : { headroomPercent }),
    };
  });
}

function healthyIn({ shards }: ClusterView, services: 'all' | readonly string[]): number {
  const counted = services === 'all' ? [...shards.values()] : services.flatMap((key) => shards.get(key) ?? []);
  return counted.reduce((sum, { healthy }) => sum + healthy, 0);
}

interface InForce {
  readonly scope: DrainedForm['scope'];
  readonly percent: number;
}

/** Drains and drills as agents obey them, by what they take of these services. */
function drainsOf({ resources }: DesiredState, services: 'all' | readonly string[], but: string | undefined): readonly InForce[] {
  return resources.flatMap((one): InForce[] => {
    const form = drainedForm({ kind: one.kind, spec: one.inForce ?? one.spec });
    if (form === undefined || resourceKey(one.kind, one.metadata.namespace ?? '', one.metadata.name) === but) return [];
    const percent = takenOf(form, services);
    return percent === 0 ? [] : [{ scope: form.scope, percent }];
  });
}

/** Of several services, of that of which most is taken. A drain of some alone leaves the place standing for all. */
function takenOf(form: DrainedForm, services: 'all' | readonly string[]): number {
  if (services === 'all') return form.services === undefined ? (form.percent ?? 0) : 0;
  const taken = services.filter((key) => isSelected(form.services, key)).map((key) => stageOf(form, key).percent ?? 0);
  return Math.max(0, ...taken);
}

function stageOf(form: DrainedForm, service: string): Pick<DrainedForm, 'percent'> {
  return form.stages?.find(({ services }) => isSelected(services, service)) ?? form;
}

/** Who is reached through a gateway that is drained is gone for everybody else. */
function drainedOf({ name, region, zone }: ClusterView['member'], drains: readonly InForce[]): number {
  const place = { cluster: name, region, zone, throughGateway: true };
  return Math.max(0, ...drains.map(({ scope, percent }) => (isFrom({ from: scope }, place) ? percent : 0)));
}
