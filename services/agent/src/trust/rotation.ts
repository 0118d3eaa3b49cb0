/** What the rotation of a cluster's signing authority is made of, as the rest of the agent and the hub see it. */
import type { Authority } from './authority.ts';

/**
 * `prepared`: its root is in the bundle, nothing is signed with it. `active`: signs; there is exactly one. `old`: signed until
 * now. `tainted`: what it signed must not be used any more. `retired`: its root is out of the bundle, its key is destroyed.
 */
export type GenerationState = 'prepared' | 'active' | 'old' | 'tainted' | 'retired';

/** Whether certificates are signed by the root itself or by an intermediate below it. */
export type GenerationKind = 'root' | 'intermediate';

/** What anybody may know of a signing generation. */
export interface GenerationView {
  /** Hex SHA-256 of the certificate's DER. */
  readonly id: string;
  readonly kind: GenerationKind;
  readonly state: GenerationState;
  /** Made by the agent, or brought by the user. */
  readonly origin: 'made' | 'brought';
  /** The rotation that made or took it; absent for the first one, and for one that was brought and no rotation took yet. */
  readonly rotation?: string;
  /** Subject, as RFC 4514 writes it. */
  readonly subject: string;
  /** Hex SHA-256 of the root that its leaves verify against; `id` itself for a root. */
  readonly root: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
}

/** One step of a rotation, which the hub orders. */
export interface RotationOrder {
  /** Names the rotation: a step that was applied is not applied twice. */
  readonly rotation: string;
  readonly kind: GenerationKind;
  readonly phase: 'prepare' | 'activate' | 'taint' | 'retire' | 'rollback';
  /**
   * `retire` waits for no certificates that are still valid. Of a rotation that is not active yet: the old key is not the cluster's
   * any more, and `retire` does what is missing of the earlier phases (a root's alone).
   */
  readonly emergency?: boolean;
}

/** Who holds a certificate of which generation: proxies of all replicas that share the identity folder, connected or not. */
export interface IdentityAccount {
  /** Proxies whose last certificate is of the active generation, and acknowledged. */
  readonly onActive: number;
  /** Proxies that hold, or may hold, a certificate of another generation that is still valid; those that went away count. */
  readonly onOld: number;
  /** ISO 8601: the latest end among the certificates that `onOld` counts; absent when there is none. */
  readonly lastNotAfterOnOld?: string;
  /** ISO 8601: the earliest of these. */
  readonly oldestNotAfterOnOld?: string;
  /** Names of at most 20 of `onOld`. */
  readonly missing: readonly string[];
}

/** The state of the authority, for the hub's account of a rotation. Holds no secret. */
export interface AuthorityAccount {
  readonly generations: readonly GenerationView[];
  readonly identities: IdentityAccount;
}

/** An authority whose generations can be replaced while it signs. */
export interface RotatingAuthority extends Authority {
  readonly generations: readonly GenerationView[];
  /**
   * Applies one step, durably, then has the held certificates renewed where the step says so; resolves when the state is on
   * disk. Throws `rotation-refused` with the reason and the way out; a step that was applied before does nothing.
   */
  apply(order: RotationOrder): Promise<void>;
  account(): AuthorityAccount;
  /** Calls back when generations, the bundle or the account differ. Returns how to stop. */
  onChange(listener: () => void): () => void;
}
