/** What the resource API does, verb by verb. Every verb is one transaction and throws `StatusError` for what the caller did wrong. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { validateResource } from '@hawser/model/validate.ts';
import type { Database, Transaction } from '../db/database.ts';
import type { ResourceRow } from '../db/schema.ts';
import { detailsOf, invalid, notFound, StatusError, titleOf } from '../http/status.ts';
import { mergePatch } from './merge-patch.ts';
import { ownPlacesOf, refuseOwned, refuseTaken } from './ownership-store.ts';
import { checkReferences, type ReferenceWorld } from './references.ts';
import { type HistoryPage, historyPage, pastOf } from './resource-history.ts';
import { type ListPage, type ListQuery, listPage } from './resource-listing.ts';
import { desiredOf, newRow, resourceOf, updatedRow } from './resource-row.ts';
import { loadReferenceWorld, type StatusParts, withStatuses } from './resource-status.ts';
import { findRow, type RowKey, recordWrite } from './resource-store.ts';

/** Which resource a request is about. */
export interface Target {
  readonly kind: KindDescriptor;
  /** '' for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** How a write is to be done. */
export interface WriteOptions {
  /** Check everything, write nothing. */
  readonly dryRun: boolean;
  /** Accept references to what does not exist yet. */
  readonly allowUnresolved: boolean;
  readonly actor: string;
  /** Why, for the history. */
  readonly reason?: string | undefined;
}

/** Where to go back to; without a revision, to what it was before the last write. */
export interface RollbackRequest {
  readonly revision?: number | undefined;
  readonly resourceVersion?: string | undefined;
}

/** The verbs. */
export interface ResourceService {
  create(target: Omit<Target, 'name'>, body: unknown, options: WriteOptions): Promise<Resource>;
  get(target: Target): Promise<Resource>;
  list(query: ListQuery): Promise<ListPage>;
  replace(target: Target, body: unknown, options: WriteOptions): Promise<Resource>;
  patch(target: Target, patch: unknown, options: WriteOptions): Promise<Resource>;
  /** Returns the resource as it was, with the revision of its deletion. */
  remove(target: Target, options: WriteOptions & { readonly resourceVersion?: string | undefined }): Promise<Resource>;
  history(target: Target, page: { readonly before?: number | undefined; readonly limit: number }): Promise<HistoryPage>;
  /** Writes again what a revision had left; a deleted resource comes back. */
  rollback(target: Target, request: RollbackRequest, options: WriteOptions): Promise<Resource>;
}

interface Parts extends StatusParts {
  readonly database: Database;
}

/** Builds the service. */
export function createResourceService(parts: Parts): ResourceService {
  const { database } = parts;
  return {
    create: (target, body, options) => database.transaction((tx) => create({ tx, parts, options }, target, body)),
    get: (target) => database.transaction((tx) => get(tx, parts, target), READ),
    list: (query) => database.transaction((tx) => listPage(tx, parts, query), READ),
    replace: (target, body, options) => database.transaction((tx) => replace({ tx, parts, options }, target, () => body)),
    patch: (target, patch, options) =>
      database.transaction((tx) => replace({ tx, parts, options }, target, (current) => mergePatch(current, patch))),
    remove: (target, options) => database.transaction((tx) => remove({ tx, parts, options }, target, options.resourceVersion)),
    history: (target, page) => database.transaction((tx) => historyPage(tx, target, page), READ),
    rollback: (target, request, options) => database.transaction((tx) => rollback({ tx, parts, options }, target, request)),
  };
}

const READ = { isolationLevel: 'repeatable read', accessMode: 'read only' } as const;

/** One write under way. */
interface Writing {
  readonly tx: Transaction;
  readonly parts: Parts;
  readonly options: WriteOptions;
  /** What the policy can refer to, looked up once, before the lock on revisions is taken. */
  world?: ReferenceWorld;
}

async function create(writing: Writing, target: Omit<Target, 'name'>, body: unknown): Promise<Resource> {
  const { tx, parts, options } = writing;
  refuseReadOnly(target.kind);
  const behaviour = parts.behaviours[target.kind.kind];
  if (behaviour?.createRefused !== undefined) throw new StatusError('MethodNotAllowed', behaviour.createRefused, detailsOf(target));
  const resource = validated(target, body);
  const key = { ...target, name: resource.metadata.name };
  if ((await findRow(tx, rowKey(key))) !== undefined) throw alreadyExists(key);
  await lookAround(writing, key);
  refuseTaken(key, await ownPlacesOf(tx, key.kind), resource, undefined);
  requireReferences(writing, key, resource);
  await requireSound(writing, key, resource);
  const row = newRow(resource, new Date());
  if (options.dryRun) return present(writing, key, row);
  await behaviour?.writing?.(tx, resourceOf(row), options.actor);
  const written = await recordWrite(tx, { action: 'create', row, actor: options.actor, reason: options.reason });
  if (written === undefined) throw alreadyExists(key);
  const once = await behaviour?.created?.(tx, resourceOf(written));
  const presented = await present(writing, key, written);
  return once === undefined ? presented : { ...presented, status: { ...(presented.status as object), ...once } };
}

async function get(tx: Transaction, parts: Parts, target: Target): Promise<Resource> {
  if (target.kind.readOnly) {
    const found = parts.fleet.derived(target.kind.kind).find((item) => isAt(item, target));
    if (found === undefined) throw notFound(target);
    return found;
  }
  const row = await findRow(tx, rowKey(target));
  if (row === undefined) throw notFound(target);
  const [resource] = await withStatuses(tx, target.kind, [resourceOf(row)], parts);
  if (resource === undefined) throw notFound(target);
  return resource;
}

/** Goes back: what was then is written again, if today's rules allow it. */
async function rollback(writing: Writing, target: Target, request: RollbackRequest): Promise<Resource> {
  const { tx, parts, options } = writing;
  refuseReadOnly(target.kind);
  refuseOwned(target);
  const behaviour = parts.behaviours[target.kind.kind];
  if (behaviour?.created !== undefined || behaviour?.specFixed !== undefined) {
    throw new StatusError('MethodNotAllowed', `a ${target.kind.kind} cannot be rolled back: create another`, detailsOf(target));
  }
  const row = await findRow(tx, rowKey(target), 'lock');
  const past = await pastOf(tx, target, { revision: request.revision, row });
  const { apiVersion, kind, metadata, spec } = past.resource;
  const { labels, annotations } = metadata;
  const { resourceVersion } = request;
  const body = { apiVersion, kind, metadata: { name: target.name, labels, annotations, resourceVersion }, spec };
  const back = { ...writing, options: { ...options, reason: `rollback to revision ${past.revision}` } };
  if (row !== undefined) return replace(back, target, () => withoutUndefined(body));
  return create(back, target, withoutUndefined(body));
}

function withoutUndefined(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body));
}

async function replace(writing: Writing, target: Target, makeBody: (current: unknown) => unknown): Promise<Resource> {
  const { tx, parts, options } = writing;
  refuseReadOnly(target.kind);
  refuseOwned(target);
  const row = await findRow(tx, rowKey(target), 'lock');
  if (row === undefined) throw notFound(target);
  const resource = validated(target, makeBody(writable(row)));
  requireVersion(target, row, resource.metadata.resourceVersion);
  await lookAround(writing, target);
  const updated = updatedRow(row, desiredOf(resource));
  if (updated === row) return present(writing, target, row);
  refuseTaken(target, await ownPlacesOf(tx, target.kind), resource, resourceOf(row));
  if (updated.generation !== row.generation) {
    const fixed = parts.behaviours[target.kind.kind]?.specFixed;
    if (fixed !== undefined) throw invalid(target, [{ path: 'spec', code: 'FieldValueForbidden', message: fixed }]);
    requireReferences(writing, target, resource);
    await requireSound(writing, target, resource);
  }
  if (options.dryRun) return present(writing, target, updated);
  if (updated.generation !== row.generation) await parts.behaviours[target.kind.kind]?.writing?.(tx, resourceOf(updated), options.actor);
  const written = await recordWrite(tx, { action: 'update', row: updated, actor: options.actor, reason: options.reason });
  if (written === undefined) throw overtaken(target);
  return present(writing, target, written);
}

async function remove(writing: Writing, target: Target, resourceVersion: string | undefined): Promise<Resource> {
  const { tx, parts, options } = writing;
  refuseReadOnly(target.kind);
  refuseOwned(target);
  const row = await findRow(tx, rowKey(target), 'lock');
  if (row === undefined) throw notFound(target);
  requireVersion(target, row, resourceVersion);
  if (options.dryRun) return resourceOf(row);
  await parts.behaviours[target.kind.kind]?.deleted?.(tx, resourceOf(row));
  const written = await recordWrite(tx, { action: 'delete', row, actor: options.actor, reason: options.reason });
  if (written === undefined) throw overtaken(target);
  return resourceOf(written);
}

/** The resource of a request's body at the place that its path names. Throws `StatusError` for what is wrong with it. */
export function validated(target: Omit<Target, 'name'> & { readonly name?: string }, body: unknown): Resource {
  const result = validateResource(withPath(target, body), target.kind);
  if ('issues' in result) throw invalid({ ...target, name: target.name ?? nameIn(body) }, result.issues);
  return result.resource;
}

/** The path says where a resource is; the body may repeat it, and must not contradict it. */
function withPath(target: Omit<Target, 'name'> & { readonly name?: string }, body: unknown): unknown {
  if (!isObject(body)) return body;
  const metadata = body['metadata'] ?? {};
  if (!isObject(metadata)) return body;
  const path = {
    ...(target.kind.namespaced ? { namespace: target.namespace } : {}),
    ...(target.name === undefined ? {} : { name: target.name }),
  };
  for (const [field, value] of Object.entries(path)) {
    const given = metadata[field];
    if (given !== undefined && given !== value) {
      throw new StatusError(
        'BadRequest',
        `metadata.${field} is ${JSON.stringify(given)}, and the path says ${JSON.stringify(value)}`,
        detailsOf(target),
      );
    }
  }
  return { ...body, metadata: { ...metadata, ...path } };
}

async function lookAround(writing: Writing, { kind }: Pick<Target, 'kind'>): Promise<void> {
  if (kind.policy) writing.world ??= await loadReferenceWorld(writing.tx, writing.parts.fleet, kind.kind);
}

function requireReferences(writing: Writing, target: Target, resource: Resource): void {
  if (writing.world === undefined || writing.options.allowUnresolved) return;
  const { issues } = checkReferences(resource, writing.world);
  if (issues.length > 0) throw invalid(target, issues);
}

async function requireSound({ tx, parts }: Writing, target: Target, resource: Resource): Promise<void> {
  const issues = (await parts.behaviours[target.kind.kind]?.check?.(tx, resource, [])) ?? [];
  if (issues.length > 0) throw invalid(target, issues);
}

/** Throws `Conflict` when the writer has seen another version than the stored one. */
export function requireVersion(target: Target, row: ResourceRow, given: string | undefined): void {
  if (given === undefined || given === String(row.revision)) return;
  const message = `${titleOf(target)} has changed: it is at resourceVersion ${row.revision}, not ${given}; get it again and repeat the change`;
  throw new StatusError('Conflict', message, detailsOf(target));
}

async function present({ tx, parts, world }: Writing, target: Target, row: ResourceRow): Promise<Resource> {
  const [resource] = await withStatuses(tx, target.kind, [resourceOf(row)], { ...parts, isWriting: true, world });
  return resource ?? resourceOf(row);
}

/** What a patch applies to: what a writer may set. */
function writable(row: ResourceRow): unknown {
  const { apiVersion, kind, spec } = resourceOf(row);
  const { labels, annotations } = row;
  return { apiVersion, kind, metadata: { labels, annotations }, spec };
}

function refuseReadOnly(kind: KindDescriptor): void {
  if (!kind.readOnly) return;
  throw new StatusError(
    'MethodNotAllowed',
    `${kind.kind} is read only: the hub derives it from what clusters publish`,
    detailsOf({ kind }),
  );
}

function alreadyExists(target: Target): StatusError {
  return new StatusError('AlreadyExists', `${titleOf(target)} exists already; replace it with PUT`, detailsOf(target));
}

/** The row was locked, and is gone all the same: nothing may be recorded of it. */
function overtaken(target: Target): StatusError {
  return new StatusError('Conflict', `${titleOf(target)} was changed from outside of the API at this moment; try again`, detailsOf(target));
}

/** Where the target's row is. */
export function rowKey({ kind, namespace, name }: Target): RowKey {
  return { kind: kind.kind, namespace, name };
}

function isAt(item: Resource, { namespace, name }: Target): boolean {
  return item.metadata.name === name && (item.metadata.namespace ?? '') === namespace;
}

function nameIn(body: unknown): string | undefined {
  const metadata = isObject(body) ? body['metadata'] : undefined;
  const name = isObject(metadata) ? metadata['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
