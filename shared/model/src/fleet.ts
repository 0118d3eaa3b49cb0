/** The federation as its members see it: who belongs to it, by the hub's word, and what each cluster says of itself. */
import Type, { type Static } from 'typebox';
import { MemberPolicies } from './policy-mode.ts';

/** The hub's name as publisher and addressee of documents; no cluster may be called so. */
export const HUB = 'hub';

/** A member, as the hub vouches for it. */
export const RosterMember = Type.Object({
  name: Type.String(),
  /** Rises with each enrolment of this name; documents of an older epoch are refused. */
  epoch: Type.Integer({ minimum: 1 }),
  /** Ed25519 public key (raw, base64url) that signs this cluster's documents. */
  signingKey: Type.String(),
  region: Type.String(),
  zone: Type.String(),
  provider: Type.String(),
  network: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
  trustDomain: Type.String(),
  /** Trust domains whose identities its workloads believe, sorted; absent: all, as hubs of an earlier release mean. */
  federatesWith: Type.Optional(Type.Array(Type.String())),
  /** Names by which policies may mean its trust domain too, sorted. */
  aliases: Type.Optional(Type.Array(Type.String())),
  /** Namespaces whose services it may export, sorted; absent: all. */
  exportNamespaces: Type.Optional(Type.Array(Type.String())),
  /** Whether other clusters leave its endpoints alone. */
  draining: Type.Optional(Type.Boolean()),
  /** What becomes of policy in its own API server; absent: it is not read. */
  policies: Type.Optional(MemberPolicies),
});
export type RosterMember = Static<typeof RosterMember>;

/** A trust domain outside of the federation, as the hub vouches for it. */
export const ExternalTrustDomain = Type.Object({
  name: Type.String(),
  /** PEM certificates, sorted; empty: nobody is believed. */
  trustBundle: Type.Array(Type.String()),
  aliases: Type.Optional(Type.Array(Type.String())),
});
export type ExternalTrustDomain = Static<typeof ExternalTrustDomain>;

/** Document `roster`, hub → every cluster. Members, and external trust domains, are sorted by name. */
export const Roster = Type.Object({
  members: Type.Array(RosterMember),
  /** Absent where there are none, and from hubs of an earlier release. */
  external: Type.Optional(Type.Array(ExternalTrustDomain)),
});
export type Roster = Static<typeof Roster>;

/** That a cluster's agent keeps its traffic away by itself, by the word of an operator on its machine. Times are RFC 3339. */
export const LocalDrain = Type.Object({
  reason: Type.String(),
  by: Type.String(),
  since: Type.String(),
  until: Type.String(),
  /** Of several words of one cluster the newest counts; Unix milliseconds. */
  changedAt: Type.Number(),
});
export type LocalDrain = Static<typeof LocalDrain>;

/** Document `facts`, agent → all: what a cluster's own agent alone can say. */
export const ClusterFacts = Type.Object({
  /** Trust bundle of the cluster's own trust domain: PEM certificates, sorted. */
  trustBundle: Type.Array(Type.String()),
  /** Addresses at which the cluster's gateways accept tunnels, `IP:PORT`, sorted. */
  gateways: Type.Array(Type.String()),
  /** Another value than before: connections that were made under an earlier bundle end (an emergency). Absent before the first. */
  severed: Type.Optional(Type.String({ maxLength: 64 })),
  /** While it lasts; members of an earlier release do not obey it. */
  localDrain: Type.Optional(LocalDrain),
});
export type ClusterFacts = Static<typeof ClusterFacts>;

export { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT } from './gateway-identity.ts';
export { agentSpiffeId, spiffeId, trustDomainOf } from './spiffe-ids.ts';
