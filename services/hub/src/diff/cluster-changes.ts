/** PURE: what proposed writes would change for one cluster, beside the policy that it has of its own. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DiffRequest } from '@hawser/wire/messages.ts';
import { type AdoptedIndex, isDisplaced } from '../placement/adopted.ts';
import { isPlacedOn, policyBody } from '../placement/place.ts';
import type { Planned } from './resource-plan.ts';

/** What its agent would be told, and what is to be said of it. */
export interface ClusterChanges {
  /** Policies that come, differ or go there. */
  readonly changes: DiffRequest['changes'];
  /** Where the cluster's own decides, and not what is written. */
  readonly notes: readonly string[];
}

/** Policy of the cluster's own. */
export interface OwnPolicy {
  /** What is in force of it. */
  readonly adopted: AdoptedIndex | undefined;
  /** What would come into force if the hub's of that name did not go there any more. */
  waiting(kind: string, namespace: string, name: string): Resource | undefined;
}

/** The changes for a member. */
export function clusterChanges(planned: readonly Planned[], member: RosterMember, own: OwnPolicy): ClusterChanges {
  const parts = planned.map((one) => changeOf(one, member, own));
  return { changes: parts.flatMap(({ changes }) => changes), notes: parts.flatMap(({ notes }) => notes) };
}

const NOTHING: ClusterChanges = { changes: [], notes: [] };

function changeOf({ kind, before, after, difference }: Planned, member: RosterMember, own: OwnPolicy): ClusterChanges {
  if (kind?.policy !== true || difference.fields.length === 0) return NOTHING;
  const body = after === undefined ? null : policyBody(after);
  // What an operation moves in steps changes nothing yet when it is written.
  if (body === undefined) return NOTHING;
  const goesThere = after !== undefined && isPlacedOn(after, member);
  if (!goesThere && (before === undefined || !isPlacedOn(before, member))) return NOTHING;
  const { namespace, name } = difference;
  const ofItsOwn = `a ${kind.kind} ${namespace}/${name} of its own`;
  const written = after ?? before;
  if (written !== undefined && isDisplaced(written, member.name, own.adopted))
    return { changes: [], notes: [`it has ${ofItsOwn}, which stays in force there`] };
  const place = { kind: kind.kind, namespace, name };
  if (goesThere) return { changes: [{ ...place, policy: body }], notes: [] };
  const next = own.waiting(kind.kind, namespace, name);
  if (next === undefined) return { changes: [place], notes: [] };
  return { changes: [{ ...place, policy: policyBody(next) }], notes: [`it has ${ofItsOwn}, which comes into force there`] };
}
