/** Rows of resources. A write is one transaction: the row, its history, its audit, its outbox entry, the next revision, a notification. */

import type { LabelSelector, Requirement } from '@hawser/model/label-selector.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { and, asc, count, eq, inArray, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { requestContext } from '../access/request-context.ts';
import { auditRow } from '../audit/audit-store.ts';
import type { Statements } from '../db/database.ts';
import { history, hubMeta, type ResourceRow, resources, type WriteAction } from '../db/schema.ts';
import { resourceOf } from './resource-row.ts';

/** Channel of the notifications; the payload is the revision, and only a hint. */
export const OUTBOX_CHANNEL = 'hawser_outbox';

/** Names one row. Cluster-scoped kinds have the namespace ''. */
export interface RowKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One write to record. */
export interface Write {
  readonly action: WriteAction;
  readonly row: ResourceRow;
  /** Who asked for it, for the history. */
  readonly actor: string;
  /** Why, when there is more to say than the action. */
  readonly reason?: string | undefined;
  /** Word for the audit, where the request's own is another. */
  readonly verb?: string | undefined;
}

/** Which rows to list, ordered by namespace and name. */
export interface RowQuery {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly selector?: LabelSelector | undefined;
  /** Only rows after this one. */
  readonly after?: { readonly namespace: string; readonly name: string } | undefined;
  readonly limit?: number | undefined;
}

/** Reads one row; `lock` keeps other writers of it out until the transaction ends. */
export async function findRow(tx: Statements, key: RowKey, lock: 'lock' | 'read' = 'read'): Promise<ResourceRow | undefined> {
  const query = tx.select().from(resources).where(isRow(key));
  const [row] = await (lock === 'lock' ? query.for('update') : query);
  return row;
}

/** Reads rows by their names and keeps other writers of them out until the transaction ends; two who lock many never wait for each other. */
export async function lockRows(tx: Statements, keys: readonly RowKey[]): Promise<readonly ResourceRow[]> {
  if (keys.length === 0) return [];
  const { kind, namespace, name } = resources;
  return tx.select().from(resources).where(isAmong(keys)).orderBy(asc(kind), asc(namespace), asc(name)).for('update', { of: resources });
}

/** Reads rows by their names, those alone that also meet a condition. */
export async function listNamed(tx: Statements, keys: readonly RowKey[], condition?: SQL): Promise<readonly ResourceRow[]> {
  if (keys.length === 0) return [];
  return tx
    .select()
    .from(resources)
    .where(and(isAmong(keys), condition));
}

function isAmong(keys: readonly RowKey[]): SQL {
  const { kind, namespace, name } = resources;
  return sql`(${kind}, ${namespace}, ${name}) IN (SELECT wanted.kind, wanted.namespace, wanted.name
    FROM jsonb_to_recordset(${JSON.stringify(keys)}::jsonb) AS wanted(kind text, namespace text, name text))`;
}

/** The newest revision that this transaction sees. */
export async function newestRevision(tx: Statements): Promise<number> {
  const [meta] = await tx.select({ revision: hubMeta.revision }).from(hubMeta);
  return meta?.revision ?? 0;
}

/** Lists rows. */
export async function listRows(tx: Statements, query: RowQuery): Promise<readonly ResourceRow[]> {
  const { kind, namespace, name, selector, after, limit } = query;
  const conditions: SQL[] = [eq(resources.kind, kind)];
  if (namespace !== undefined) conditions.push(eq(resources.namespace, namespace));
  if (name !== undefined) conditions.push(eq(resources.name, name));
  if (after !== undefined) conditions.push(sql`(${resources.namespace}, ${resources.name}) > (${after.namespace}, ${after.name})`);
  for (const requirement of selector ?? []) conditions.push(labelCondition(resources.labels, requirement));
  const rows = tx
    .select()
    .from(resources)
    .where(and(...conditions))
    .orderBy(asc(resources.namespace), asc(resources.name));
  return limit === undefined ? rows : rows.limit(limit);
}

/** The regions that clusters are in. */
export async function listRegions(tx: Statements): Promise<readonly string[]> {
  const region = sql<string>`${resources.spec} ->> 'region'`;
  const isText = sql`jsonb_typeof(${resources.spec} -> 'region') = 'string'`;
  const rows = await tx
    .selectDistinct({ region })
    .from(resources)
    .where(and(eq(resources.kind, 'Cluster'), isText));
  return rows.map((row) => row.region);
}

/** When these versions of resources were written, by resourceVersion; those beyond the kept history are missing. */
export async function writeTimes(tx: Statements, written: readonly Resource[]): Promise<ReadonlyMap<string, string>> {
  const revisions = written.map(({ metadata }) => Number(metadata.resourceVersion)).filter((revision) => revision > 0);
  if (revisions.length === 0) return new Map();
  const rows = await tx.select({ revision: history.revision, at: history.at }).from(history).where(inArray(history.revision, revisions));
  return new Map(rows.map(({ revision, at }) => [String(revision), at.toISOString()]));
}

/** How many rows of a list come after this one. */
export async function countAfter(tx: Statements, { kind, namespace, after }: RowQuery): Promise<number> {
  const conditions: SQL[] = [eq(resources.kind, kind)];
  if (namespace !== undefined) conditions.push(eq(resources.namespace, namespace));
  if (after !== undefined) conditions.push(sql`(${resources.namespace}, ${resources.name}) > (${after.namespace}, ${after.name})`);
  const [found] = await tx
    .select({ rows: count() })
    .from(resources)
    .where(and(...conditions));
  return found?.rows ?? 0;
}

/**
 * Records one write and returns the row with its revision; undefined when a `create` finds that somebody else made
 * it. Taking the revision locks its row until commit, so revisions are gap-free and commit-ordered: do all other work before.
 */
export async function recordWrite(tx: Statements, write: Write): Promise<ResourceRow | undefined> {
  return (await recordWrites(tx, [write]))?.[0];
}

/**
 * Records writes of different resources as `recordWrite` does, revisions in their order; undefined when one of them finds its row made or
 * gone meanwhile: then the transaction must not commit. One statement does everything, for other writers wait meanwhile.
 */
export async function recordWrites(tx: Statements, writes: readonly Write[]): Promise<readonly ResourceRow[] | undefined> {
  if (writes.length === 0) return [];
  const given = JSON.stringify(writes.map((write, index) => givenOf(write, index + 1)));
  const { rows } = await tx.execute(sql`
    WITH given AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(${given}::jsonb) AS given(
      place bigint, action text, kind text, namespace text, name text, uid uuid, generation bigint, labels jsonb, annotations jsonb,
      spec jsonb, "createdAt" timestamptz, resource jsonb, actor text, reason text, code integer, "auditActor" text, role text, verb text,
      "auditReason" text, source text, "traceId" text)),
    taken AS (
      UPDATE hub_meta SET revision = revision + ${writes.length}::bigint RETURNING revision - ${writes.length}::bigint AS base, clock_timestamp() AS at),
    writes AS MATERIALIZED (SELECT given.*, base + place AS revision, at FROM given, taken),
    created AS (
      INSERT INTO resources (kind, namespace, name, uid, generation, revision, labels, annotations, spec, created_at)
      SELECT kind, namespace, name, uid, generation, revision, labels, annotations, spec, "createdAt" FROM writes WHERE action = 'create'
      ON CONFLICT DO NOTHING RETURNING 1),
    updated AS (
      UPDATE resources SET labels = writes.labels, annotations = writes.annotations, spec = writes.spec, generation = writes.generation,
        revision = writes.revision
      FROM writes WHERE action = 'update' AND ${isWritten} RETURNING 1),
    deleted AS (DELETE FROM resources USING writes WHERE action = 'delete' AND ${isWritten} RETURNING 1),
    remembered AS (
      INSERT INTO history (revision, kind, namespace, name, action, actor, at, resource, trace_id, reason)
      SELECT revision, kind, namespace, name, action, actor, at,
        jsonb_set(resource, '{metadata,resourceVersion}', to_jsonb(revision::text)), "traceId", reason
      FROM writes),
    queued AS (
      INSERT INTO outbox (revision, kind, namespace, name, action, at, trace_id)
      SELECT revision, kind, namespace, name, action, at, "traceId" FROM writes),
    audited AS (
      INSERT INTO audit (actor, role, verb, kind, namespace, name, revision, outcome, code, reason, source, trace_id)
      SELECT "auditActor", role, verb, kind, namespace, name, revision, 'allowed', code, "auditReason", source, "traceId" FROM writes)
    SELECT base, (SELECT count(*) FROM created) + (SELECT count(*) FROM updated) + (SELECT count(*) FROM deleted) AS applied,
      pg_notify(${OUTBOX_CHANNEL}, (base + ${writes.length}::bigint)::text)
    FROM taken`);
  const [taken] = rows as { base: string; applied: string }[];
  if (taken === undefined) throw new Error('hub_meta has lost its row');
  if (Number(taken.applied) !== writes.length) return undefined;
  return writes.map(({ row }, index) => ({ ...row, revision: Number(taken.base) + index + 1 }));
}

const isWritten = sql`(resources.kind, resources.namespace, resources.name) = (writes.kind, writes.namespace, writes.name)`;

/** A write as the statement takes it. */
function givenOf({ action, actor, reason = '', verb, row }: Write, place: number): object {
  const { kind, namespace, name, uid, generation, labels, annotations, spec, createdAt } = row;
  const code = action === 'create' ? 201 : 200;
  const said = { kind, namespace, name, reason, actor, code, outcome: 'allowed' } as const;
  const note = auditRow(verb === undefined ? said : { ...said, verb }, action);
  return {
    ...{ place, action, kind, namespace, name, uid, generation, labels, annotations, spec, createdAt, resource: resourceOf(row) },
    ...{ actor, reason, code, auditActor: note.actor, role: note.role, verb: note.verb, auditReason: note.reason, source: note.source },
    traceId: requestContext()?.traceId ?? '',
  };
}

function isRow({ kind, namespace, name }: RowKey): SQL | undefined {
  return and(eq(resources.kind, kind), eq(resources.namespace, namespace), eq(resources.name, name));
}

/** A requirement on a jsonb object of labels. */
export function labelCondition(labels: SQLWrapper, { key, operator, values }: Requirement): SQL {
  const label = sql`(${labels} ->> ${key})`;
  if (operator === 'exists') return sql`${label} IS NOT NULL`;
  if (operator === 'absent') return sql`${label} IS NULL`;
  const among = inArray(label, [...values]);
  return operator === 'in' ? among : sql`(${label} IS NULL OR NOT ${among})`;
}
