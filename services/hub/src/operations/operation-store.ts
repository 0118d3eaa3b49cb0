/** Operations in PostgreSQL. A change of one is a write like any other: it has a revision, a history and an outbox entry. */
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { and, asc, desc, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { operations, type ResourceRow, resources } from '../db/schema.ts';
import { recordAct } from '../resource/act-store.ts';
import type { OperationActor, OperationState } from './operation-kind.ts';
import { OPERATED_KINDS, operationName, type ResourceName } from './operation-name.ts';

/** One operation as it is stored, with its clock now (milliseconds attended). */
export interface StoredOperation extends ResourceName {
  readonly id: number;
  readonly uid: string;
  readonly generation: number;
  readonly phase: string;
  readonly state: OperationState;
  readonly inForce: unknown;
  readonly inForceRevision: number | undefined;
  readonly clock: number;
  readonly ended: boolean;
  readonly createdAt: Date;
}

/** What is to be stored of one. */
export interface OperationWrite {
  readonly state: OperationState;
  /** Undefined: the resource's own spec. */
  readonly inForce: unknown;
  readonly ended: boolean;
  readonly generation: number;
  /** Milliseconds attended. */
  readonly clock: number;
}

/** Who changes one, for the audit and the history. */
export interface OperationAct extends OperationActor {
  readonly verb: string;
}

/** What nobody attended to counts for no more than this, milliseconds. */
export const UNATTENDED_MS = 5_000;

const { id, uid, generation, phase, state, inForce, inForceRevision, clockMs, clockAt, endedAt, createdAt } = operations;
const clock = sql<number>`${clockMs} + CASE WHEN ${endedAt} IS NULL THEN
  least(${UNATTENDED_MS}, greatest(0, floor(extract(epoch FROM clock_timestamp() - ${clockAt}) * 1000))) ELSE 0 END`.mapWith(Number);
const COLUMNS = {
  ...{ id, uid, generation, phase, state, inForce, inForceRevision, clock, createdAt },
  ...{ kind: operations.kind, namespace: operations.namespace, name: operations.name },
  ended: sql<boolean>`${endedAt} IS NOT NULL`,
};

type Row = Omit<StoredOperation, 'inForce' | 'inForceRevision'> & { readonly inForce: unknown; readonly inForceRevision: number | null };

function storedOf({ inForceRevision: since, ...row }: Row): StoredOperation {
  return { ...row, inForce: row.inForce ?? undefined, inForceRevision: since ?? undefined };
}

/** Those that are under way. */
export async function operationsUnderWay(tx: Statements): Promise<readonly StoredOperation[]> {
  const rows = await tx.select(COLUMNS).from(operations).where(isNull(endedAt)).orderBy(asc(id));
  return rows.map(storedOf);
}

/** The newest of each of these resources, by uid. */
export async function newestOperations(tx: Statements, uids: readonly string[]): Promise<ReadonlyMap<string, StoredOperation>> {
  if (uids.length === 0) return new Map();
  const isWanted = sql`${uid} IN (SELECT value::uuid FROM jsonb_array_elements_text(${JSON.stringify(uids)}::jsonb))`;
  const rows = await tx.selectDistinctOn([uid], COLUMNS).from(operations).where(isWanted).orderBy(uid, desc(id));
  return new Map(rows.map((row) => [row.uid, storedOf(row)]));
}

/** The newest of a resource; nobody else changes it until the transaction ends. */
export async function lockNewest(tx: Statements, resourceUid: string): Promise<StoredOperation | undefined> {
  const [row] = await tx.select(COLUMNS).from(operations).where(eq(uid, resourceUid)).orderBy(desc(id)).limit(1).for('update');
  return row === undefined ? undefined : storedOf(row);
}

/** Adds what is in force to resources that have operations, or had. */
export async function withForms(tx: Statements, found: readonly Resource[]): Promise<readonly Resource[]> {
  const uids = found.flatMap(({ kind, metadata }) => (OPERATED_KINDS.has(kind) ? (metadata.uid ?? []) : []));
  const newest = await newestOperations(tx, uids);
  return newest.size === 0 ? found : found.map((resource) => withForm(resource, newest.get(resource.metadata.uid ?? '')));
}

/** The resource with what is in force of it. */
export function withForm(resource: Resource, operation: Pick<StoredOperation, 'inForce' | 'inForceRevision'> | undefined): Resource {
  if (operation === undefined) return resource;
  const { inForce: form, inForceRevision: since } = operation;
  return { ...resource, ...(form === undefined ? {} : { inForce: form }), ...(since === undefined ? {} : { inForceRevision: since }) };
}

/** Rows of resources of these kinds that were written after a revision, oldest first. */
export async function writtenAfter(tx: Statements, kinds: readonly string[], revision: number): Promise<readonly ResourceRow[]> {
  return await tx
    .select()
    .from(resources)
    .where(and(inArray(resources.kind, [...kinds]), gt(resources.revision, revision)))
    .orderBy(asc(resources.revision));
}

/** Begins one with the write of its resource, in the same transaction: that write tells everybody. False when one is under way. */
export async function insertOperation(tx: Statements, resource: Resource, write: OperationWrite): Promise<boolean> {
  const row = { ...nameOf(resource), uid: resource.metadata.uid ?? '', ...columnsOf(write), inForce: write.inForce ?? null };
  const made = await tx.insert(operations).values(row).onConflictDoNothing().returning({ id });
  return made.length > 0;
}

/** Begins one by itself, with a revision of its own. */
export async function beginOperation(tx: Statements, resource: Resource, write: OperationWrite, act: OperationAct): Promise<void> {
  if (!(await insertOperation(tx, resource, write))) return;
  const since = await note(tx, { ...nameOf(resource), createdAt: new Date() }, { ...write, ...act, action: 'create' });
  await tx
    .update(operations)
    .set({ inForceRevision: since })
    .where(and(eq(uid, resource.metadata.uid ?? ''), isNull(endedAt)));
}

/** Stores what became of one. */
export async function updateOperation(tx: Statements, before: StoredOperation, write: OperationWrite, act: OperationAct): Promise<void> {
  const isMoved = canonicalJson(before.inForce ?? null) !== canonicalJson(write.inForce ?? null);
  await tx
    .update(operations)
    .set({ ...columnsOf(write), ...(isMoved ? { inForce: write.inForce ?? null } : {}) })
    .where(eq(id, before.id));
  const since = await note(tx, before, { ...write, ...act, action: 'update' });
  if (isMoved) await tx.update(operations).set({ inForceRevision: since }).where(eq(id, before.id));
}

/** Ends that of a resource which goes, or needs none any more, with the write that says so. */
export async function dropOperation(tx: Statements, resourceUid: string): Promise<void> {
  await tx
    .update(operations)
    .set({ inForce: null, endedAt: sql`coalesce(${endedAt}, clock_timestamp())` })
    .where(eq(uid, resourceUid));
}

/** Ends one whose resource is gone without the API's doing. */
export async function abandonOperation(tx: Statements, before: StoredOperation): Promise<void> {
  await dropOperation(tx, before.uid);
  await note(tx, before, { ...before, actor: 'hub', verb: 'end', reason: 'its resource is gone', action: 'update' });
}

/** What is noted of one that goes on: milliseconds attended, and fields of its state. */
export interface KeptOperation {
  readonly ms: number;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/** Notes how far clocks have come, and what leaders keep beside them; by id. */
export async function keepClocks(tx: Statements, clocks: ReadonlyMap<number, KeptOperation>): Promise<void> {
  for (const [operation, { ms, fields }] of [...clocks].sort(([a], [b]) => a - b)) {
    const more = fields === undefined ? {} : { state: sql`${state} || ${JSON.stringify(fields)}::jsonb` };
    await tx
      .update(operations)
      .set({ clockMs: Math.floor(ms), clockAt: sql`clock_timestamp()`, ...more })
      .where(and(eq(id, operation), isNull(endedAt)));
  }
}

function columnsOf(write: OperationWrite) {
  return {
    ...{ generation: write.generation, phase: write.state.phase, state: write.state, clockMs: Math.floor(write.clock) },
    clockAt: sql`clock_timestamp()`,
    endedAt: write.ended ? sql`clock_timestamp()` : null,
  };
}

function nameOf({ kind, metadata }: Resource): ResourceName {
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

type Noted = ResourceName & Pick<StoredOperation, 'createdAt'>;
type NotedAct = Pick<StoredOperation, 'state' | 'generation'> & OperationAct & { readonly action: 'create' | 'update' };

async function note(tx: Statements, operation: Noted, act: NotedAct): Promise<number> {
  const { action, actor, verb, reason = '', state: now } = act;
  const spec = { phase: now.phase, ...(now.message === undefined ? {} : { message: now.message }) };
  const createdAt = operation.createdAt.toISOString();
  return await recordAct(tx, { ...operationName(operation), action, actor, verb, reason, createdAt, generation: act.generation, spec });
}
