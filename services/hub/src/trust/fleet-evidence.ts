/** What this hub has heard, as evidence for the rotation of one cluster's authority. */
import { federates } from '@hawser/model/trust-domain.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { Evidence, MemberEvidence } from './rotation-evidence.ts';

/** The evidence now; its members are those that trust the cluster, itself included. */
export function evidenceFor(context: FleetContext, cluster: string): Evidence {
  const { desired } = context.distribution;
  const members = desired?.members ?? [];
  const own = members.find(({ name }) => name === cluster);
  const trustDomain = own?.trustDomain ?? '';
  return {
    now: context.now(),
    // Before the members were read, nothing that is heard can be told from silence.
    busSince: context.bus.connected && desired !== undefined ? context.busConnectedSince() : undefined,
    epoch: own?.epoch,
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
