/** Between rows and resources. */
import { randomUUID } from 'node:crypto';
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { Metadata, Resource } from '@hawser/model/resource.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { ResourceRow } from '../db/schema.ts';

/** What a writer decides of a row. */
export type Desired = Pick<ResourceRow, 'labels' | 'annotations' | 'spec'>;

const BY_NAME: ReadonlyMap<string, KindDescriptor> = new Map(KINDS.map((kind) => [kind.kind, kind]));

/** The resource as the API answers it, without status. */
export function resourceOf(row: ResourceRow): Resource {
  const kind = BY_NAME.get(row.kind);
  if (kind === undefined) throw new AppError('unknown-kind', `the database holds a ${row.kind}, which this hub does not know`);
  const metadata: Metadata = {
    name: row.name,
    ...(row.namespace === '' ? {} : { namespace: row.namespace }),
    uid: row.uid,
    resourceVersion: String(row.revision),
    generation: row.generation,
    creationTimestamp: row.createdAt.toISOString(),
    ...(isEmpty(row.labels) ? {} : { labels: row.labels }),
    ...(isEmpty(row.annotations) ? {} : { annotations: row.annotations }),
  };
  return { apiVersion: apiVersionOf(kind), kind: row.kind, metadata, spec: row.spec };
}

/** A row that did not come by the API may hold anything: what is no object stays to be named by `unreadable`. */
function isEmpty(texts: unknown): boolean {
  return typeof texts === 'object' && texts !== null && Object.keys(texts).length === 0;
}

/** What the writer of a validated resource decides. */
export function desiredOf(resource: Resource): Desired {
  return { labels: resource.metadata.labels ?? {}, annotations: resource.metadata.annotations ?? {}, spec: resource.spec };
}

/** A first row; its revision comes with the write. */
export function newRow(resource: Resource, now: Date): ResourceRow {
  const { name, namespace } = resource.metadata;
  const identity = { kind: resource.kind, namespace: namespace ?? '', name, uid: randomUUID(), createdAt: now };
  return { ...identity, generation: 1, revision: 0, ...desiredOf(resource) };
}

/** The row after an update: the generation rises with the spec alone. The same row when nothing changes. */
export function updatedRow(row: ResourceRow, desired: Desired): ResourceRow {
  const sameSpec = canonicalJson(row.spec) === canonicalJson(desired.spec);
  const same = sameSpec && canonicalJson([row.labels, row.annotations]) === canonicalJson([desired.labels, desired.annotations]);
  return same ? row : { ...row, ...desired, generation: sameSpec ? row.generation : row.generation + 1 };
}
