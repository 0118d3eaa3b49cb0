/** What has to be written so that an object behind an import becomes as it should be. Pure. */
import type { BackingState } from './backing-states.ts';
import { type JsonObject, mergePatch } from './merge-patch.ts';
import { apiVersionOf, type ObjectPlace, type ObjectWrite, pathOf, preconditions } from './object-writes.ts';

/** An object as it should be, in the namespace of its import. */
export interface BackingObject {
  readonly name: string;
  /** Others that it has stay. */
  readonly labels: Readonly<Record<string, string>>;
  /** `spec` of a Service; of an EndpointSlice `addressType`, `endpoints` and `ports`. */
  readonly content: JsonObject;
}

/** What is known of it beside. */
export interface BackingQuestion {
  readonly kind: 'Service' | 'EndpointSlice';
  readonly existing: BackingState | undefined;
  /** The import; with it the object goes. */
  readonly owner: JsonObject;
  /** The address that a Service asks for when it is made: the one that the import had. */
  readonly ip?: string | undefined;
  /** Uid of one that has its name, and is found no more by its label. */
  readonly lost?: string | undefined;
}

/** The one request; undefined when it is as it should be. */
export function backingWrite(
  place: ObjectPlace,
  wanted: BackingObject,
  { kind, existing, owner, ip, lost }: BackingQuestion,
): ObjectWrite | undefined {
  const { labels, content } = wanted;
  if (existing === undefined && lost !== undefined)
    return { method: 'PATCH', path: pathOf(place), body: { metadata: { labels, ownerReferences: [owner], uid: lost }, ...content } };
  if (existing === undefined) {
    const { collection, namespace, name } = place;
    const metadata = { name, namespace, labels, ownerReferences: [owner] };
    const asked = ip === undefined ? content : { spec: { ...(content['spec'] as JsonObject), clusterIP: ip } };
    const body = { apiVersion: apiVersionOf(collection), kind, metadata, ...asked };
    return { method: 'POST', path: pathOf({ collection, namespace }), body };
  }
  const own = Object.fromEntries(Object.keys(labels).flatMap((key) => (key in existing.labels ? [[key, existing.labels[key]]] : [])));
  const metadata = mergePatch({ labels: own, ownerReferences: existing.owners.map(referenceOf) }, { labels, ownerReferences: [owner] });
  const patch = mergePatch(existing.content, content);
  if (metadata === undefined && patch === undefined) return undefined;
  return { method: 'PATCH', path: pathOf(place), body: { metadata: { ...metadata, ...preconditions(existing) }, ...patch } };
}

function referenceOf({ apiVersion, kind, name, uid }: JsonObject): JsonObject {
  return { apiVersion, kind, name, uid };
}
