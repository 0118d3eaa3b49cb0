/** The trust domains of a federation as operators see them. Public material alone: never a key. */
import Type, { type Static } from 'typebox';

/** A root, or another certificate of an authority, in a trust bundle. */
export const RootView = Type.Object({
  /** Hex SHA-256 of its DER. */
  fingerprint: Type.String(),
  subject: Type.String(),
  /** RFC 3339. */
  notBefore: Type.String(),
  notAfter: Type.String(),
  /**
   * `active`: the cluster signs below it; `prepared`, `old`, `tainted`: as a rotation has it; `expired`; `believed`: nothing else is
   * known, as of external ones.
   */
  state: Type.String(),
  /** Clusters in whose bundle it is. */
  clusters: Type.Array(Type.String()),
  pem: Type.String(),
});
export type RootView = Static<typeof RootView>;

/** What the proxies of one cluster have of a trust domain's bundle, by the word of its agents. */
export const BundleHolder = Type.Object({
  cluster: Type.String(),
  /** Whether its agents serve the bundle as this hub knows it. */
  current: Type.Boolean(),
  expected: Type.Integer(),
  acked: Type.Integer(),
  /** Some of the proxies that have not acknowledged it, by name. */
  missing: Type.Array(Type.String()),
});
export type BundleHolder = Static<typeof BundleHolder>;

/** One trust domain. */
export const TrustDomainView = Type.Object({
  name: Type.String(),
  source: Type.Union([Type.Literal('agent'), Type.Literal('brought'), Type.Literal('external')]),
  /** Members that bear it. */
  clusters: Type.Array(Type.String()),
  /** Trust domains that it believes, `*` for all. */
  federatesWith: Type.Array(Type.String()),
  aliases: Type.Array(Type.String()),
  roots: Type.Array(RootView),
  /** Clusters that believe it, with what they have; absent of those whose agents said nothing yet. */
  holders: Type.Array(BundleHolder),
  /** What an operator should know, such as a cluster that was not heard. */
  problems: Type.Array(Type.String()),
});
export type TrustDomainView = Static<typeof TrustDomainView>;

/** `GET /hawser/v1/trust/domains`: by name. */
export const TrustDomainsAnswer = Type.Object({ items: Type.Array(TrustDomainView) });
export type TrustDomainsAnswer = Static<typeof TrustDomainsAnswer>;

/** A bundle as SPIFFE bundle endpoints serve it (SPIFFE Trust Domain and Bundle, 4): a JWK Set. */
export const SpiffeBundle = Type.Object({
  spiffe_sequence: Type.Integer(),
  /** Seconds. */
  spiffe_refresh_hint: Type.Integer(),
  keys: Type.Array(Type.Object({ use: Type.Literal('x509-svid'), kty: Type.String(), x5c: Type.Array(Type.String()) })),
});
export type SpiffeBundle = Static<typeof SpiffeBundle>;
