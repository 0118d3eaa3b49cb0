/** Which of several policies decides for a service: the same choice in every agent and in the hub's `who-serves`. Pure. */
import type { FailoverPolicySpec } from './failover-policy.ts';
import type { DestinationRuleSpec } from './istio/specs.ts';
import type { LocalitySetting } from './locality-setting.ts';
import type { Resource } from './resource.ts';
import { clusterLocalHost, clustersetHost, hostKey, type ServiceName, serviceKey } from './service-host.ts';
import type { TrafficShiftSpec } from './traffic-shift.ts';

/** Namespace whose DestinationRules and Sidecars hold where no nearer one does (Istio's root namespace). */
export const ROOT_NAMESPACE = 'hawser-system';

/** The failover order of a service: a policy of its namespace that names it, else one for the whole namespace; else undefined. */
export function effectiveFailover(policies: Iterable<Resource>, service: ServiceName): FailoverPolicySpec | undefined {
  return chosen(policies, 'FailoverPolicy', service)?.spec as FailoverPolicySpec | undefined;
}

/** The shares of regions or clusters of a service, or undefined when no TrafficShift of its namespace that has any names it. */
export function effectiveShift(policies: Iterable<Resource>, service: ServiceName): TrafficShiftSpec | undefined {
  return chosenShift(policies, service, ({ regions, clusters }) => regions !== undefined || clusters !== undefined)?.spec;
}

/** The TrafficShift that divides the requests of a service among its subsets: beside one among places, both are obeyed. */
export function effectiveSplit(policies: Iterable<Resource>, service: ServiceName): Resource<TrafficShiftSpec> | undefined {
  return chosenShift(policies, service, ({ subsets }) => subsets !== undefined);
}

function chosenShift(
  policies: Iterable<Resource>,
  service: ServiceName,
  isMeant: (spec: TrafficShiftSpec) => boolean,
): Resource<TrafficShiftSpec> | undefined {
  const shifts = [...policies].filter(({ kind, spec }) => kind === 'TrafficShift' && isMeant(spec as TrafficShiftSpec));
  return chosen(shifts, 'TrafficShift', service) as Resource<TrafficShiftSpec> | undefined;
}

/**
 * What DestinationRules say about regions to callers whom none of them means in particular (`decidingRules`): of several the oldest with
 * a traffic policy. Ports and subsets may have their own.
 */
export function effectiveLocality(policies: Iterable<Resource>, service: ServiceName): LocalitySetting | undefined {
  const first = decidingRules(policies, service).find((policy) => trafficPolicyOf(policy) !== undefined);
  return first === undefined ? undefined : trafficPolicyOf(first)?.loadBalancer?.localityLbSetting;
}

/** The labels of each subset by its name, to the same callers; of two of one name the older. */
export function effectiveSubsets(
  policies: Iterable<Resource>,
  service: ServiceName,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const all = decidingRules(policies, service).flatMap(({ spec }) => (spec as DestinationRuleSpec).subsets ?? []);
  return new Map(all.toReversed().map(({ name, labels = {} }) => [name, labels]));
}

/**
 * The DestinationRules that decide for callers whom none of them means in particular, the oldest first: of the service's namespace, else
 * of the root namespace, those of the most exact host; without a `workloadSelector`.
 */
function decidingRules(policies: Iterable<Resource>, service: ServiceName): readonly Resource[] {
  const rules = [...policies].flatMap((policy) => {
    const reach = policy.kind === 'DestinationRule' ? hostReach(policy, service) : undefined;
    return reach === undefined ? [] : [{ policy, reach }];
  });
  for (const namespace of [service.namespace, ROOT_NAMESPACE]) {
    const near = rules.filter(({ policy }) => policy.metadata.namespace === namespace);
    const least = Math.min(...near.map(({ reach }) => reach));
    const exact = near.filter(({ reach }) => reach === least).map(({ policy }) => policy);
    if (exact.length > 0) return exact.sort((a, b) => (precedes(a, b) ? -1 : 1));
  }
  return [];
}

function trafficPolicyOf(policy: Resource): DestinationRuleSpec['trafficPolicy'] {
  return (policy.spec as DestinationRuleSpec).trafficPolicy;
}

/** 0 when a rule without a selector names the service, more the wider its wildcard is; undefined when it is for others. */
function hostReach({ spec, metadata }: Resource, service: ServiceName): number | undefined {
  const { host, workloadSelector } = spec as DestinationRuleSpec;
  if (workloadSelector !== undefined || typeof host !== 'string') return undefined;
  if (hostKey(host, metadata.namespace ?? '') === serviceKey(service)) return 0;
  const suffix = host.startsWith('*') ? host.slice(1) : undefined;
  const isMeant = suffix !== undefined && [clustersetHost(service), clusterLocalHost(service)].some((name) => name.endsWith(suffix));
  return isMeant ? 1_000 - suffix.length : undefined;
}

/** Among policies of the same reach the oldest wins, then the first by name: a newcomer cannot take over what is in force. */
function chosen(policies: Iterable<Resource>, kind: string, service: ServiceName): Resource | undefined {
  let best: { readonly policy: Resource; readonly reach: number } | undefined;
  for (const policy of policies) {
    if (policy.kind !== kind || policy.metadata.namespace !== service.namespace) continue;
    const reach = reachOf(policy, service);
    if (reach === undefined) continue;
    if (best === undefined || reach < best.reach || (reach === best.reach && precedes(policy, best.policy))) best = { policy, reach };
  }
  return best?.policy;
}

/** 0 when the policy names the service, 1 when it is for the whole namespace. */
function reachOf(policy: Resource, service: ServiceName): 0 | 1 | undefined {
  const { services } = policy.spec as { readonly services?: readonly string[] };
  if (services === undefined) return 1;
  return services.includes(service.service) ? 0 : undefined;
}

function precedes(a: Resource, b: Resource): boolean {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return aTime === bTime ? a.metadata.name < b.metadata.name : aTime < bTime;
}
