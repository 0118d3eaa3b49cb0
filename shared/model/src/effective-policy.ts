/** Which of several policies decides for a service: the same choice in every agent and in the hub's `who-serves`. Pure. */
import type { FailoverPolicySpec, TrafficShiftSpec } from './kind-specs.ts';
import type { Resource } from './resource.ts';
import type { ServiceName } from './service-host.ts';

/** The failover order of a service: a policy of its namespace that names it, else one for the whole namespace; else undefined. */
export function effectiveFailover(policies: Iterable<Resource>, service: ServiceName): FailoverPolicySpec | undefined {
  return chosen(policies, 'FailoverPolicy', service) as FailoverPolicySpec | undefined;
}

/** The static region weights of a service, or undefined when no TrafficShift of its namespace names it. */
export function effectiveShift(policies: Iterable<Resource>, service: ServiceName): TrafficShiftSpec | undefined {
  return chosen(policies, 'TrafficShift', service) as TrafficShiftSpec | undefined;
}

/** Among policies of the same reach the oldest wins, then the first by name: a newcomer cannot take over what is in force. */
function chosen(policies: Iterable<Resource>, kind: string, service: ServiceName): unknown {
  let best: { readonly policy: Resource; readonly reach: number } | undefined;
  for (const policy of policies) {
    if (policy.kind !== kind || policy.metadata.namespace !== service.namespace) continue;
    const reach = reachOf(policy, service);
    if (reach === undefined) continue;
    if (best === undefined || reach < best.reach || (reach === best.reach && precedes(policy, best.policy))) best = { policy, reach };
  }
  return best?.policy.spec;
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
