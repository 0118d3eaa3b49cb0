/** What the distribution side of the hub reads of the desired state. PostgreSQL is the truth; a notification is a hint. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';

/** The whole desired state at one revision, from one consistent read. */
export interface DesiredState {
  /** Rises when a database restored from backup takes over; starts at the Unix time the database was made. */
  readonly epoch: number;
  /** Revision of the last committed write; 0 before the first. */
  readonly revision: number;
  /** Every stored resource (read-only kinds have none), ordered by kind, namespace, name. */
  readonly resources: readonly Resource[];
  /** Enrolled clusters, ordered by name. */
  readonly members: readonly RosterMember[];
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

/** Reads for the outbox loop. Every call has a deadline and throws when PostgreSQL cannot be reached. */
export interface ResourceReadModel {
  snapshot(): Promise<DesiredState>;
  /** Unpublished writes after `revision`, oldest first, at most `limit`. */
  outboxAfter(revision: number, limit: number): Promise<readonly OutboxEntry[]>;
  /** Everything up to `revision` is on the bus: drops those outbox rows. Going backwards is ignored. */
  markPublished(revision: number): Promise<void>;
  /** The newest revision marked published. */
  publishedRevision(): Promise<number>;
  /** Starts a new epoch above `past` (what the bus has seen of an earlier life of this database); returns it. */
  raiseEpoch(past: number): Promise<number>;
}

/**
 * Calls back when something was written; may call without reason, and once after every reconnect. The callback must
 * not throw. Returns how to stop.
 */
export type ListenOutbox = (hint: () => void) => { stop(): Promise<void> };
