/** The join of a cluster: token, proof of possession, credentials. HTTP, agent → hub. */
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import Type, { type Static } from 'typebox';

/**
 * What a join token carries: base64url of this JSON. `pin` is the hub's document-signing public key; `ca`, for an https `hub`, the SHA-256
 * (base64url) of the public key of the CA that its certificate leads to. Agents that do not know `ca` trust the system's roots alone.
 */
export const JoinTokenPayload = Type.Object({
  v: Type.Literal(1),
  hub: Type.String(),
  /** Becomes the name of a folder. */
  cluster: DnsLabel,
  secret: Type.String(),
  pin: Type.String(),
  ca: Type.Optional(Type.String()),
});
export type JoinTokenPayload = Static<typeof JoinTokenPayload>;

/** `POST /join/v1/enroll`. */
export const EnrollRequest = Type.Object(
  {
    cluster: Type.String(),
    secret: Type.String(),
    /** Ed25519 public key (raw, base64url) that will sign this cluster's documents. */
    signingKey: Type.String(),
    /** Public nkey (`U…`) of the agent's NATS user. */
    natsUser: Type.String(),
    /** Ed25519 signature by `signingKey` over `enrollProof(request)`, base64url: proof of possession. */
    proof: Type.String(),
  },
  { additionalProperties: false },
);
export type EnrollRequest = Static<typeof EnrollRequest>;

/** `POST /join/v1/renew`: new NATS credentials for an enrolled agent; `at` (RFC 3339) may be off by 5 minutes. */
export const RenewRequest = Type.Object(
  { cluster: Type.String(), epoch: Type.Integer(), natsUser: Type.String(), at: Type.String(), proof: Type.String() },
  { additionalProperties: false },
);
export type RenewRequest = Static<typeof RenewRequest>;

/** The hub's answer to both. */
export const Membership = Type.Object({
  cluster: Type.String(),
  region: Type.String(),
  zone: Type.String(),
  trustDomain: Type.String(),
  /** The cluster's epoch for its own documents. */
  epoch: Type.Integer(),
  /** The hub's document-signing public key; must equal the token's pin. */
  hubKey: Type.String(),
  natsUrls: Type.Array(Type.String()),
  natsJwt: Type.String(),
  /** RFC 3339; renew when two thirds of the life are left. */
  natsJwtExpiresAt: Type.String(),
  /** PEM of the CA of `tls://` URLs; without it the system's roots decide. */
  natsCa: Type.Optional(Type.String()),
});
export type Membership = Static<typeof Membership>;

/** The bytes that an enrolment's proof signs. */
export function enrollProof(request: Omit<EnrollRequest, 'proof'>): Uint8Array {
  return Buffer.from(['hawser-enroll-v1', request.cluster, request.secret, request.signingKey, request.natsUser].join('\n'));
}

/** The bytes that a renewal's proof signs. */
export function renewProof(request: Omit<RenewRequest, 'proof'>): Uint8Array {
  return Buffer.from(['hawser-renew-v1', request.cluster, String(request.epoch), request.natsUser, request.at].join('\n'));
}

/** Encodes a join token. */
export function encodeJoinToken(payload: JoinTokenPayload): string {
  return `hawser1.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
}

/** Decodes a join token; undefined when it is not one. */
export function decodeJoinToken(token: string): unknown {
  const [version, body] = token.trim().split('.');
  if (version !== 'hawser1' || body === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
