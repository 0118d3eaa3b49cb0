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
