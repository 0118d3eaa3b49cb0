/** What has to be written so that an object becomes as it should be: at most one request at a time. Pure. */
import type { ApiRequest } from '../discover/kubernetes/api-client.ts';
import { type Finding, withFindings } from './conditions.ts';
import { type JsonObject, mergePatch } from './merge-patch.ts';
import type { Condition, ExportState, ImportState, ObjectVersion } from './object-states.ts';
import { clustersOf } from './object-states.ts';
import type { ImportVerdict, WantedImport } from './wanted-import.ts';

/** One request, but for its deadline. */
export type ObjectWrite = Pick<ApiRequest, 'path' | 'body'> & { readonly method: 'POST' | 'PATCH' | 'DELETE' };

/** Where it is. */
export interface ObjectPlace {
  /** Path of its kind, in the version that the server has: `/apis/multicluster.x-k8s.io/VERSION/PLURAL`. */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
}

/** The next step towards the import that is wanted; undefined when it is that already. Its spec comes before its status. */
export function importWrite(
  place: ObjectPlace,
  verdict: ImportVerdict,
  { existing, now }: { readonly existing: ImportState | undefined; readonly now: string },
): ObjectWrite | undefined {
  if (typeof verdict === 'string') return verdict === 'absent' && existing !== undefined ? deletion(place, existing) : undefined;
  if (existing === undefined) return creation(place, verdict);
  const { labels, annotations, spec } = existing;
  const metadata = mergePatch({ labels, annotations }, { labels: verdict.labels, annotations: verdict.annotations });
  const specPatch = mergePatch(spec, verdict.spec);
  if (metadata !== undefined || specPatch !== undefined) {
    const body = { metadata: { ...metadata, ...preconditions(existing) }, ...(specPatch === undefined ? {} : { spec: specPatch }) };
    return { method: 'PATCH', path: pathOf(place), body };
  }
  return statusWrite(place, existing, importStatus(verdict, existing, now));
}

/** The status of an own ServiceExport; undefined when it says all that already. */
export function exportWrite(
  place: ObjectPlace,
  findings: readonly Finding[],
  { existing, now }: { readonly existing: ExportState; readonly now: string },
): ObjectWrite | undefined {
  const conditions = withFindings(existing.conditions, findings, { generation: existing.generation, now });
  return statusWrite(place, { ...existing, status: { conditions: existing.conditions } }, { conditions });
}

function importStatus({ status, finding }: WantedImport, existing: ImportState, now: string): JsonObject {
  const before = (existing.status?.['conditions'] ?? []) as readonly Condition[];
  const conditions = withFindings(before, [finding], { generation: existing.generation, now });
  // An order of clusters that is another is none that differs.
  const same = [...(clustersOf(existing) ?? [])].sort().join() === status.clusters.map(({ cluster }) => cluster).join();
  return { ...status, ...(same && existing.status !== undefined ? { clusters: existing.status['clusters'] } : {}), conditions };
}

function statusWrite(
  place: ObjectPlace,
  existing: ObjectVersion & { readonly status: JsonObject | undefined },
  wanted: JsonObject,
): ObjectWrite | undefined {
  const status = mergePatch(existing.status ?? {}, wanted);
  if (status === undefined) return undefined;
  return { method: 'PATCH', path: `${pathOf(place)}/status`, body: { metadata: preconditions(existing), status } };
}

/** `v1` of `/api/v1/PLURAL`, `GROUP/VERSION` of others. */
export function apiVersionOf(collection: string): string {
  return collection.split('/').slice(2, -1).join('/');
}

/** Names the import as the owner of another object (meta/v1, OwnerReference). */
export function importReference({ collection, name }: ObjectPlace, { uid }: ObjectVersion): JsonObject {
  return { apiVersion: apiVersionOf(collection), kind: 'ServiceImport', name, uid };
}

function creation(place: ObjectPlace, { labels, annotations, spec }: WantedImport): ObjectWrite {
  const { collection, namespace, name } = place;
  const apiVersion = apiVersionOf(collection);
  const body = { apiVersion, kind: 'ServiceImport', metadata: { name, namespace, labels, annotations }, spec };
  return { method: 'POST', path: pathOf({ collection, namespace }), body };
}

/** Takes the object away as it was read. */
export function deletion(place: ObjectPlace, existing: ObjectVersion): ObjectWrite {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: preconditions(existing) };
  return { method: 'DELETE', path: pathOf(place), body };
}

/** Whoever wrote in between is looked at before anything is written over. */
export function preconditions({ resourceVersion, uid }: ObjectVersion): { readonly resourceVersion: string; readonly uid: string } {
  return { resourceVersion, uid };
}

/** Path of an object, or of the collection of its namespace. */
export function pathOf({ collection, namespace, name }: Omit<ObjectPlace, 'name'> & { readonly name?: string }): string {
  const [head, plural] = [collection.slice(0, collection.lastIndexOf('/')), collection.slice(collection.lastIndexOf('/') + 1)];
  return `${head}/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`;
}
