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

/** The revision of the last write this transaction sees. */
export async function currentRevision(tx: Statements): Promise<number> {
  const [meta] = await tx.select({ revision: hubMeta.revision }).from(hubMeta);
  return meta?.revision ?? 0;
}

/**
 * Records one write and returns the row with its revision; undefined when a `create` finds that somebody else made
 * it. Taking the revision locks its row until commit, so revisions are gap-free and commit-ordered: do all other work before. One
 * statement does everything, for other writers wait meanwhile.
 */
export async function recordWrite(tx: Statements, write: Write): Promise<ResourceRow | undefined> {
  const { action, actor, row } = write;
  const { kind, namespace, name } = row;
  const reason = write.reason ?? '';
  const traceId = requestContext()?.traceId ?? '';
  const code = action === 'create' ? 201 : 200;
  const note = auditRow({ ...{ kind, namespace, name, reason, actor, code }, outcome: 'allowed' }, action);
  const { rows } = await tx.execute(sql`
    WITH taken AS (UPDATE hub_meta SET revision = revision + 1 RETURNING revision, clock_timestamp() AS at),
    applied AS (${applied(action, row)}),
    remembered AS (
      INSERT INTO history (revision, kind, namespace, name, action, actor, at, resource, trace_id, reason)
      SELECT revision, ${kind}, ${namespace}, ${name}, ${action}, ${actor}, at,
        jsonb_set(${JSON.stringify(resourceOf(row))}::jsonb, '{metadata,resourceVersion}', to_jsonb(revision::text)), ${traceId}, ${reason}
      FROM taken),
    queued AS (
      INSERT INTO outbox (revision, kind, namespace, name, action, at, trace_id)
      SELECT revision, ${kind}, ${namespace}, ${name}, ${action}, at, ${traceId} FROM taken),
    audited AS (
      INSERT INTO audit (actor, role, verb, kind, namespace, name, revision, outcome, code, reason, source, trace_id)
      SELECT ${note.actor}, ${note.role}, ${note.verb}, ${note.kind}, ${note.namespace}, ${note.name}, revision, ${note.outcome},
        ${note.code}::integer, ${note.reason}, ${note.source}, ${note.traceId}
      FROM taken)
    SELECT taken.revision, (SELECT count(*) FROM applied) AS applied, pg_notify(${OUTBOX_CHANNEL}, taken.revision::text) FROM taken`);
  const [written] = rows as { revision: string; applied: string }[];
  if (written === undefined) throw new Error('hub_meta has lost its row');
  return Number(written.applied) === 1 ? { ...row, revision: Number(written.revision) } : undefined;
}

/** What becomes of the row of `resources`. */
function applied(action: WriteAction, row: ResourceRow): SQL {
  const { kind, namespace, name, uid, generation } = row;
  const place = sql`kind = ${kind} AND namespace = ${namespace} AND name = ${name}`;
  if (action === 'delete') return sql`DELETE FROM resources WHERE ${place} RETURNING 1`;
  const [labels, annotations, spec] = [row.labels, row.annotations, row.spec].map((value) => sql`${JSON.stringify(value)}::jsonb`);
  if (action === 'update')
    return sql`UPDATE resources SET labels = ${labels}, annotations = ${annotations}, spec = ${spec}, generation = ${generation}::bigint,
      revision = taken.revision FROM taken WHERE ${place} RETURNING 1`;
  return sql`INSERT INTO resources (kind, namespace, name, uid, generation, revision, labels, annotations, spec, created_at)
    SELECT ${kind}, ${namespace}, ${name}, ${uid}::uuid, ${generation}::bigint, revision, ${labels}, ${annotations}, ${spec},
      ${row.createdAt.toISOString()}::timestamptz
    FROM taken ON CONFLICT DO NOTHING RETURNING 1`;
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
