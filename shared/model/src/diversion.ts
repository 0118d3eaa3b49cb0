/** Diversions: what takes requests from a place they would go to: Drains, drills, and the spill of overloaded places. Pure. */
import type { DrainScope, DrainSpec } from './drain.ts';
import { drillFormOf } from './drill-form.ts';
import type { FailoverPolicySpec } from './failover-policy.ts';
import type { MoveTargets } from './move-target.ts';
import type { Resource } from './resource.ts';
import { type ServiceName, serviceKey } from './service-host.ts';

/** Takes a share of the requests of one service from a place. */
export interface Diversion {
  readonly from: DrainScope;
  /** Of what would go there, 0 to 100; 100: nothing goes there. */
  readonly percent: number;
  /** Who takes it; undefined: the next in the order of the service. */
  readonly to: readonly MoveTargets[number][] | undefined;
  /** Whether a place of which all is taken serves when nothing else is left. */
  readonly isLastResort: boolean;
  /** Whether a place of which all is taken stays where nobody else serves the service at all. */
  readonly keepsAlone?: boolean;
  /** Whether connections that are left end. */
  readonly closes: boolean;
}

/** A place that diversions may be from. */
export interface DivertedPlace {
  readonly cluster: string;
  readonly region: string;
  readonly zone?: string | undefined;
  /** Whether its endpoints are reached through the gateway of their cluster. */
  readonly throughGateway?: boolean | undefined;
}

/** What of a Drain agents obey. */
export type DrainedForm = Pick<DrainSpec, 'scope' | 'services' | 'percent' | 'stages' | 'destinations' | 'panicMode' | 'closeLongLived'>;

/** What takes traffic away: a Drain's form, or that of a drill; undefined for any other policy. */
export function drainedForm(policy: Pick<Resource, 'kind' | 'spec'>): DrainedForm | undefined {
  return policy.kind === 'Drain' ? (policy.spec as DrainSpec) : drillFormOf(policy)?.divert;
}

/**
 * What is diverted of a service: by every Drain and drill that is for it, the oldest first, and by the spill of its failover policy. The
 * same objects while the policies are the same.
 */
export function diversionsOf(
  drains: Iterable<Resource>,
  failover: FailoverPolicySpec | undefined,
  service: ServiceName,
): readonly Diversion[] {
  const forms = [...drains].sort(byAge).flatMap((drain) => drainedForm(drain) ?? []);
  const drained = forms.filter(({ services }) => isSelected(services, service));
  const spilled = (failover?.spill ?? []).filter((spill) => spill.service === service.service);
  return [...drained.map((form) => ofDrain(form, service)), ...spilled.map(ofSpill)].filter(({ percent }) => percent > 0);
}

/** The services that are named, by their keys; undefined when it is for all, or for all of a namespace. */
export function drainedServices({ services }: DrainedForm): readonly string[] | undefined {
  return services === undefined || services.namespaces !== undefined ? undefined : (services.names ?? []);
}

/** Whether a diversion is from a place. */
export function isFrom({ from }: Pick<Diversion, 'from'>, place: DivertedPlace): boolean {
  if (from.region !== undefined) return from.region === place.region;
  if (from.cluster !== undefined) return from.cluster === place.cluster;
  if (from.zone !== undefined) return from.zone === `${place.region}/${place.zone ?? ''}`;
  return from.gateway === place.cluster && place.throughGateway === true;
}

function isSelected(services: DrainSpec['services'], service: ServiceName): boolean {
  if (services === undefined) return true;
  const { namespaces = [], names = [] } = services;
  return namespaces.includes(service.namespace) || names.includes(serviceKey(service));
}

const known = new WeakMap<object, Diversion>();

function ofDrain(spec: DrainedForm, service: ServiceName): Diversion {
  const stage = spec.stages?.find(({ services }) => isSelected(services, service));
  return remembered(stage ?? spec, () => {
    const { scope, destinations, panicMode, closeLongLived = false } = spec;
    const percent = stage?.percent ?? spec.percent ?? 0;
    const isWhole = percent >= 100;
    return {
      from: scope,
      percent,
      to: destinations,
      isLastResort: panicMode === 'spread',
      keepsAlone: panicMode === undefined,
      closes: isWhole && closeLongLived,
    };
  });
}

/** What is only overloaded still serves when nothing else does. */
function ofSpill(spill: NonNullable<FailoverPolicySpec['spill']>[number]): Diversion {
  return remembered(spill, () => ({ from: spill.from, percent: spill.percent, to: spill.to, isLastResort: true, closes: false }));
}

function remembered(key: object, make: () => Diversion): Diversion {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}

function byAge(a: Resource, b: Resource): number {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (aTime !== bTime) return aTime < bTime ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
