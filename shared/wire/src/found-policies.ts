/** What the publisher of a cluster says of the policy in its API server: signed, whole each time, on `foundPoliciesSubject`. */
import { MAX_ADOPTED, MAX_NAMED_OMISSIONS } from '@hawser/model/adoption.ts';
import { MemberPolicies } from '@hawser/model/policy-mode.ts';
import Type, { type Static } from 'typebox';

const Texts = Type.Record(Type.String(), Type.String());

/** One object as its cluster has it. */
export const FoundPolicy = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  uid: Type.String(),
  /** Of the object in its cluster; 0 where that does not count. */
  generation: Type.Integer({ minimum: 0 }),
  labels: Type.Optional(Texts),
  annotations: Type.Optional(Texts),
  spec: Type.Unknown(),
});
export type FoundPolicy = Static<typeof FoundPolicy>;

/** One that is there and not told, for the reason. */
export const OmittedPolicy = Type.Object({ kind: Type.String(), namespace: Type.String(), name: Type.String(), reason: Type.String() });
export type OmittedPolicy = Static<typeof OmittedPolicy>;

/** How far one kind is known. */
export const FollowedPolicies = Type.Object({
  kind: Type.String(),
  /** `FOLLOWED`: what is told of it is all there is. `ABSENT`: the API server does not have the kind. `UNREAD`: not listed yet, so nothing is said. */
  state: Type.Union([Type.Literal('FOLLOWED'), Type.Literal('ABSENT'), Type.Literal('UNREAD')]),
  /** Why it cannot be read now. */
  problem: Type.Optional(Type.String()),
});
export type FollowedPolicies = Static<typeof FollowedPolicies>;

/** The whole account. */
export const FoundPolicies = Type.Object({
  /** Of the lease that the speaker holds: whoever has a later one speaks for the cluster. */
  term: Type.Integer({ minimum: 1 }),
  /** The setting that was followed. */
  policies: MemberPolicies,
  kinds: Type.Array(FollowedPolicies, { maxItems: 100 }),
  objects: Type.Array(FoundPolicy, { maxItems: MAX_ADOPTED }),
  omitted: Type.Array(OmittedPolicy, { maxItems: MAX_NAMED_OMISSIONS }),
  /** Left out beyond those. */
  omittedMore: Type.Integer({ minimum: 0 }),
});
export type FoundPolicies = Static<typeof FoundPolicies>;

/** `Adopted`: it is in force in its cluster. `ReadOnly`: shown alone. `Conflict`: the hub has its own. `Refused`: it is no resource that can be used. */
export const FoundState = Type.Union([
  Type.Literal('Adopted'),
  Type.Literal('ReadOnly'),
  Type.Literal('Conflict'),
  Type.Literal('Refused'),
]);
export type FoundState = Static<typeof FoundState>;

/** One of `ClusterPolicies`. */
export const ClusterPolicy = Type.Object({
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  uid: Type.String(),
  generation: Type.Integer(),
  state: FoundState,
  /** Why it is not in force, or not as it is there now; empty when it is. */
  reason: Type.String(),
  /** RFC 3339. */
  since: Type.String(),
  /** Name of what is in force of it at the hub; absent where nothing is. */
  adopted: Type.Optional(Type.String()),
  /** As its owner wrote it; absent where it is no resource. */
  resource: Type.Optional(Type.Unknown()),
  /** Of what is only shown: what is probably not meant. */
  findings: Type.Optional(Type.Array(Type.Object({ code: Type.String(), field: Type.String(), message: Type.String() }))),
  /** What proxies made of it: the condition `Ready` of that, and its message. */
  ready: Type.Optional(Type.Object({ status: Type.String(), message: Type.String() })),
});
export type ClusterPolicy = Static<typeof ClusterPolicy>;

/** Answer of `GET /hawser/v1/clusters/NAME/policies`: policy in a cluster's own API server, and what became of it. */
export const ClusterPolicies = Type.Object({
  cluster: Type.String(),
  /** The setting of the cluster. */
  policies: MemberPolicies,
  /** When its agent told of them last, RFC 3339; absent where it did not since this replica of the hub began. */
  heardAt: Type.Optional(Type.String()),
  /** What its agent follows. */
  kinds: Type.Array(FollowedPolicies),
  items: Type.Array(ClusterPolicy),
  /** Objects that its agent left out, beyond those that are named. */
  omittedMore: Type.Integer(),
});
export type ClusterPolicies = Static<typeof ClusterPolicies>;
