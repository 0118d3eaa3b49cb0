/** PURE: what a cluster is declared to bear, by the FailoverPolicy that is in force there: one that goes elsewhere says nothing of it. */
import { effectiveFailover } from '@hawser/model/effective-policy.ts';
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { ServiceName } from '@hawser/model/service-host.ts';
import { policiesOn } from '../placement/place.ts';

/** `spec.capacity`, requests/s, as the member has it: by its own policy, else by the hub's that its selector lets go there. */
export function declaredCapacity(
  policies: readonly Resource[],
  member: RosterMember,
  service: ServiceName,
): FailoverPolicySpec['capacity'] {
  const failover = policies.filter(({ kind, metadata }) => kind === 'FailoverPolicy' && metadata.namespace === service.namespace);
  return effectiveFailover(policiesOn(failover, member), service)?.capacity;
}
