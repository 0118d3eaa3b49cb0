/** Where a kind differs from all others. What is not given behaves as usual. */
import type { Issue, Resource } from '@hawser/model/resource.ts';
import type { Statements } from '../db/database.ts';

/** The differences of one kind; all of it runs in the write's own transaction. */
export interface KindBehaviour {
  /** Why `create` is refused, and what to do instead. */
  readonly createRefused?: string;
  /** Why the spec never changes, and what to do instead. */
  readonly specFixed?: string;
  /** What is wrong with one that is to be stored, given everything else that is. */
  check?(tx: Statements, resource: Resource): Promise<readonly Issue[]>;
  /** Called when one was created; returns what its status shows this once. */
  created?(tx: Statements, resource: Resource): Promise<Readonly<Record<string, unknown>>>;
  /** Called when one was deleted. */
  deleted?(tx: Statements, resource: Resource): Promise<void>;
  /** Status fields of stored resources, by name; `conditions` among them stand beside those that every kind has. */
  statuses?(tx: Statements, names: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
}

/** By kind. */
export type KindBehaviours = Readonly<Record<string, KindBehaviour>>;
