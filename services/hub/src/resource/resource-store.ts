/** Rows of resources. A write is one transaction: the row, its history, its audit, its outbox entry, the next revision, a notification. */

import type { LabelSelector, Requirement } from '@hawser/model/label-selector.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { and, asc, count, eq, inArray, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { requestContext } from '../access/request-context.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Statements } from '../db/database.ts';
import { history, hubMeta, outbox, type ResourceRow, resources, type WriteAction } from '../db/schema.ts';
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
 * it. Taking the revision locks its row until commit, so revisions are gap-free and commit-ordered: do all other work before.
 */
export async function recordWrite(tx: Statements, write: Write): Promise<ResourceRow | undefined> {
  const [meta] = await tx
    .update(hubMeta)
    .set({ revision: sql`${hubMeta.revision} + 1` })
    .returning({ revision: hubMeta.revision });
  if (meta === undefined) throw new Error('hub_meta has lost its row');
  const row = { ...write.row, revision: meta.revision };
  if (!(await applyRow(tx, write.action, row))) return undefined;
  const { kind, namespace, name } = row;
  const traceId = requestContext()?.traceId ?? '';
  const entry = { revision: row.revision, kind, namespace, name, action: write.action, at: sql`clock_timestamp()`, traceId };
  const reason = write.reason ?? '';
  await tx.insert(history).values({ ...entry, actor: write.actor, reason, resource: resourceOf(row) });
  await tx.insert(outbox).values(entry);
  const note = { kind, namespace, name, revision: row.revision, outcome: 'allowed', code: write.action === 'create' ? 201 : 200 } as const;
  await insertAudit(tx, [auditRow({ ...note, reason, actor: write.actor }, write.action)]);
  await tx.execute(sql`SELECT pg_notify(${OUTBOX_CHANNEL}, ${String(row.revision)})`);
  return row;
}

async function applyRow(tx: Statements, action: WriteAction, row: ResourceRow): Promise<boolean> {
  if (action === 'create')
    return (await tx.insert(resources).values(row).onConflictDoNothing().returning({ name: resources.name })).length === 1;
  if (action === 'delete') {
    await tx.delete(resources).where(isRow(row));
    return true;
  }
  const { labels, annotations, spec, generation, revision } = row;
  await tx.update(resources).set({ labels, annotations, spec, generation, revision }).where(isRow(row));
  return true;
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
