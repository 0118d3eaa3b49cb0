/** Where a kind differs from all others. What is not given behaves as usual. */
import type { Issue, Resource } from '@hawser/model/resource.ts';
import type { Statements } from '../db/database.ts';

/** The differences of one kind; all of it runs in the write's own transaction. */
export interface KindBehaviour {
  /** Why `create` is refused, and what to do instead. */
  readonly createRefused?: string;
  /** Why the spec never changes, and what to do instead. */
  readonly specFixed?: string;
  /** What is wrong with one that is to be stored, given everything else that is; `alongside` is accepted, and stored in one with it. */
  check?(tx: Statements, resource: Resource, alongside: readonly Resource[]): Promise<readonly Issue[]>;
  /** Called before one is stored that is new, or has a new spec, and is sound; throws `StatusError` to refuse it. */
  writing?(tx: Statements, resource: Resource, actor: string): Promise<void>;
  /** Called when one was created; returns what its status shows this once. */
  created?(tx: Statements, resource: Resource): Promise<Readonly<Record<string, unknown>>>;
  /** Called when one was deleted. */
  deleted?(tx: Statements, resource: Resource): Promise<void>;
  /** Status fields of stored resources, by uid; `conditions` among them stand beside those that every kind has. */
  statuses?(tx: Statements, resources: readonly Resource[]): Promise<StatusFields>;
}

/** Status fields by the uid of their resource. */
export type StatusFields = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Status fields that are known by the names of cluster-scoped resources, by uid. */
export function byUid(
  resources: readonly Resource[],
  fieldsOf: (name: string) => Readonly<Record<string, unknown>> | undefined,
): StatusFields {
  return new Map(
    resources.flatMap(({ metadata }) => {
      const fields = fieldsOf(metadata.name);
      return fields === undefined ? [] : [[metadata.uid ?? '', fields]];
    }),
  );
}

/** By kind. */
export type KindBehaviours = Readonly<Record<string, KindBehaviour>>;

/** The names of resources. */
export function namesOf(resources: readonly Resource[]): readonly string[] {
  return resources.map(({ metadata }) => metadata.name);
}
