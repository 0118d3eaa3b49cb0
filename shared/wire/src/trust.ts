/** How a cluster's signing authority is replaced: what the hub orders, what agents account for, and what operators see of it. */
import Type, { type Static } from 'typebox';

/** What is replaced: the root, or an intermediate below a root that stays. */
export const GenerationKind = Type.Union([Type.Literal('root'), Type.Literal('intermediate')]);
export type GenerationKind = Static<typeof GenerationKind>;

/**
 * A step of a rotation. `prepare`: the new one is made, its root is in the bundle, nothing is signed with it. `activate`: everything
 * is signed with it. `taint`: what the old one signed must not be used any more. `retire`: the old one is gone, from the bundle too.
 * `rollback`: the one before signs again; what is left of the new one stays in the bundle until `retire` of the same rotation.
 */
export const TrustPhase = Type.Union([
  Type.Literal('prepare'),
  Type.Literal('activate'),
  Type.Literal('taint'),
  Type.Literal('retire'),
  Type.Literal('rollback'),
]);
export type TrustPhase = Static<typeof TrustPhase>;

/** Document `trust`, hub → the cluster whose authority it is: the newest step. It stays after the last one, so that it is never missed. */
export const TrustOrder = Type.Object({
  /** Names the rotation: a step that was applied is not applied twice. */
  rotation: Type.String({ minLength: 1, maxLength: 64 }),
  kind: GenerationKind,
  phase: TrustPhase,
  /** The old key is not the cluster's any more: `retire` does what is missing of the steps before, and waits for nothing. */
  emergency: Type.Boolean(),
  /** RFC 3339. */
  issuedAt: Type.String(),
});
export type TrustOrder = Static<typeof TrustOrder>;

/** A signing generation, as anybody may know it. Never a key. */
export const GenerationAccount = Type.Object({
  /** Hex SHA-256 of the certificate's DER. */
  id: Type.String(),
  kind: GenerationKind,
  state: Type.Union([
    Type.Literal('prepared'),
    Type.Literal('active'),
    Type.Literal('old'),
    Type.Literal('tainted'),
    Type.Literal('retired'),
  ]),
  origin: Type.Union([Type.Literal('made'), Type.Literal('brought')]),
  /** The rotation that made or took it. */
  rotation: Type.Optional(Type.String()),
  subject: Type.String(),
  /** Hex SHA-256 of the root that its leaves verify against. */
  root: Type.String(),
  /** RFC 3339, as all times here. */
  notBefore: Type.String(),
  notAfter: Type.String(),
});
export type GenerationAccount = Static<typeof GenerationAccount>;

/** Who holds a certificate of which generation, of all proxies of the cluster, connected or not. */
export const IdentityAccount = Type.Object({
  onActive: Type.Integer(),
  /** Whose certificate of another generation is still valid. */
  onOld: Type.Integer(),
  /** The latest end among these. */
  lastNotAfterOnOld: Type.Optional(Type.String()),
  oldestNotAfterOnOld: Type.Optional(Type.String()),
  /** Some of these, by name. */
  missing: Type.Array(Type.String(), { maxItems: 20 }),
});
export type IdentityAccount = Static<typeof IdentityAccount>;

/** The bundle of one trust domain, as an agent serves it. */
export const ServedBundle = Type.Object({
  trustDomain: Type.String(),
  /** `rootMark` of each root in it, sorted. */
  roots: Type.Array(Type.String()),
  /** Proxies of this agent that are connected, or were a moment ago. */
  expected: Type.Integer(),
  /** Those that acknowledged every secret that holds it. */
  acked: Type.Integer(),
  /** Some of the others, by name. */
  missing: Type.Array(Type.String(), { maxItems: 10 }),
});
export type ServedBundle = Static<typeof ServedBundle>;

/** Part of an agent's status: what it signs with, and what its proxies trust. */
export const TrustAccount = Type.Object({
  generations: Type.Array(GenerationAccount, { maxItems: 64 }),
  identities: IdentityAccount,
  /** The order that it took last, and why it refused it, if it did. */
  order: Type.Optional(
    Type.Object({ rotation: Type.String(), phase: TrustPhase, emergency: Type.Boolean(), refusal: Type.Optional(Type.String()) }),
  ),
  bundles: Type.Array(ServedBundle),
});
export type TrustAccount = Static<typeof TrustAccount>;

/** The short form in which a root is named: the first 16 hex digits of the SHA-256 of its DER. */
export function rootMark(fingerprint: string): string {
  return fingerprint.slice(0, 16);
}

/** Where a rotation is. */
export const RotationPhase = Type.Union([
  Type.Literal('Pending'),
  Type.Literal('Preparing'),
  Type.Literal('Activating'),
  Type.Literal('Tainting'),
  Type.Literal('Retiring'),
  Type.Literal('Done'),
  Type.Literal('RollingBack'),
  Type.Literal('RolledBack'),
  Type.Literal('Failed'),
]);
export type RotationPhase = Static<typeof RotationPhase>;

/** Whom a rotation waits for, or goes on without. */
export const RotationWait = Type.Object({
  cluster: Type.String(),
  reason: Type.String(),
  /** Some of the proxies meant, by name. */
  proxies: Type.Array(Type.String()),
  /** False: it is left behind, and catches up when it returns. */
  blocks: Type.Boolean(),
});
export type RotationWait = Static<typeof RotationWait>;

/** A rotation as operators see it. */
export const RotationView = Type.Object({
  id: Type.String(),
  cluster: Type.String(),
  kind: GenerationKind,
  phase: RotationPhase,
  paused: Type.Boolean(),
  emergency: Type.Boolean(),
  /** When it is to start, if that was said. */
  at: Type.Optional(Type.String()),
  awayAfter: Type.String(),
  startedBy: Type.String(),
  createdAt: Type.String(),
  /** When it came into each phase that it has been in. */
  phases: Type.Array(Type.Object({ phase: RotationPhase, at: Type.String() })),
  /** Why it failed, or was rolled back. */
  message: Type.Optional(Type.String()),
  waiting: Type.Array(RotationWait),
});
export type RotationView = Static<typeof RotationView>;

/** `POST /hawser/v1/trust/rotations`, and `/hawser/v1/trust/emergency-rotations`. */
export const RotationRequest = Type.Object(
  {
    cluster: Type.String({ minLength: 1, maxLength: 63 }),
    kind: Type.Optional(GenerationKind),
    /** RFC 3339; at once unless given. */
    at: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
    /** How long a cluster may be silent before the new root is used without it; a Go duration, `10m` unless given. */
    awayAfter: Type.Optional(Type.String({ maxLength: 20 })),
    /** Says what it would do, and does nothing. */
    dryRun: Type.Optional(Type.Boolean()),
    /** Of an emergency: that what it breaks is known. */
    confirm: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RotationRequest = Static<typeof RotationRequest>;

/** What an emergency breaks; the answer to `dryRun`. */
export const RotationImpact = Type.Object({ breaks: Type.Array(RotationWait) });
export type RotationImpact = Static<typeof RotationImpact>;

/** `GET /hawser/v1/trust/rotations?cluster=NAME`: newest first. */
export const RotationsAnswer = Type.Object({ items: Type.Array(RotationView) });
export type RotationsAnswer = Static<typeof RotationsAnswer>;
