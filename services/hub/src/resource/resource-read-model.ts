/** What the distribution side of the hub reads of the desired state. PostgreSQL is the truth; a notification is a hint. */
import type { ExternalTrustDomain, RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { TrustOrder } from '@hawser/wire/trust.ts';
import type { AdoptedIndex } from '../placement/adopted.ts';

/** The whole desired state at one revision, from one consistent read. */
export interface DesiredState {
  /** Rises when a database restored from backup takes over; starts at the Unix time the database was made. */
  readonly epoch: number;
  /** Revision of the last committed write; 0 before the first. */
  readonly revision: number;
  /** Every stored resource (read-only kinds have none), ordered by kind, namespace, name. */
  readonly resources: readonly Resource[];
  /** Those among them that member clusters own; absent where nobody looked. */
  readonly adopted?: AdoptedIndex | undefined;
  /** Enrolled clusters, ordered by name. */
  readonly members: readonly RosterMember[];
  /** What each cluster was told last of the rotation of its authority. */
  readonly orders?: ReadonlyMap<string, TrustOrder> | undefined;
  /** Trust domains outside of the federation, ordered by name. */
  readonly external?: readonly ExternalTrustDomain[] | undefined;
}

/** One committed write. Revisions are gap-free and in commit order, so the next one is always `revision + 1`. */
export interface OutboxEntry {
  readonly revision: number;
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly action: 'create' | 'update' | 'delete';
  /** RFC 3339: when the write was made. */
  readonly at: string;
}

/** What happened after a revision, from one consistent read. */
export interface Changes {
  readonly epoch: number;
  /** Revision of the last committed write. */
  readonly revision: number;
  /** The newest revision marked published. */
  readonly published: number;
  /** The writes, oldest first. */
  readonly entries: readonly OutboxEntry[];
  /** Resources that were written, as they are now. */
  readonly written: readonly Resource[];
  /** Who belongs to the federation, when that may have changed. */
  readonly roster: Pick<DesiredState, 'members' | 'external'> | undefined;
  /** As `DesiredState.orders`, when one of them may have changed. */
  readonly orders?: DesiredState['orders'] | undefined;
}

/** Reads for the outbox loop. Every call has a deadline and throws when PostgreSQL cannot be reached. */
export interface ResourceReadModel {
  snapshot(): Promise<DesiredState>;
  /** Unpublished writes after `revision`, oldest first, at most `limit`. */
  outboxAfter(revision: number, limit: number): Promise<readonly OutboxEntry[]>;
  /** What was written after `revision`; undefined when only `snapshot` tells: too much, no longer on record, or the database went back. */
  changesAfter(revision: number): Promise<Changes | undefined>;
  /**
   * Everything up to `revision` is on the bus: drops those outbox rows. Going backwards is ignored. Throws `not-leader` when `term`
   * is not the newest any more.
   */
  markPublished(revision: number, term: number): Promise<void>;
  /** The newest revision marked published. */
  publishedRevision(): Promise<number>;
  /**
   * Starts a new epoch above `past` (what is known of a later life of this database), and goes on with revisions above all that
   * clients may have seen of it; returns the epoch. Throws `not-leader`.
   */
  raiseEpoch(past: { readonly epoch: number; readonly revision: number }, term: number): Promise<number>;
}

/**
 * Calls back when something was written; may call without reason, and once after every reconnect. The callback must
 * not throw. Returns how to stop.
 */
export type ListenOutbox = (hint: () => void) => { stop(): Promise<void> };
