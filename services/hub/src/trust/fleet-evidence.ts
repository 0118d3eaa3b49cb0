/** What this hub has heard, as evidence for the rotation of one cluster's authority. */
import { federates } from '@hawser/model/trust-domain.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Evidence, MemberEvidence } from './rotation-evidence.ts';

/** The evidence now; its members are those that trust the cluster, itself included. */
export function evidenceFor(context: FleetContext, cluster: string): Evidence {
  const members = context.distribution.desired?.members ?? [];
  const trustDomain = members.find(({ name }) => name === cluster)?.trustDomain ?? '';
  return {
    now: context.now(),
    busSince: context.bus.connected ? context.busConnectedSince() : undefined,
    trustDomain,
    members: members.filter((member) => federates(member, trustDomain)).map(({ name }) => memberOf(context, name)),
  };
}

function memberOf({ accounts }: FleetContext, cluster: string): MemberEvidence {
  const agents = accounts.replicas(cluster).flatMap(({ status }) => {
    return status === undefined ? [] : [{ proxies: status.proxies.map(({ proxy }) => proxy), trust: status.trust }];
  });
  return { cluster, heardAt: accounts.get(cluster)?.lastHeardAt, agents };
}
