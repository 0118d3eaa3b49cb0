/** Reads of the history: one resource's past, the state at an earlier revision, and the log that watches follow. */
import { matchesSelector } from '@hawser/model/label-selector.ts';
import type { Metadata, Resource } from '@hawser/model/resource.ts';
import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { history, historyFloor, hubMeta, type WriteAction } from '../db/schema.ts';
import { labelCondition, type RowKey, type RowQuery } from './resource-store.ts';

/** One write of the past. */
export type HistoryRow = typeof history.$inferSelect;

/** One write as watches need it. */
export interface Change {
  readonly revision: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly action: WriteAction;
  /** As the write left it; for a deletion, as it was last, with the revision of the deletion. */
  readonly resource: Resource;
  /** Undefined when it did not exist before. */
  readonly labelsBefore: Readonly<Record<string, string>> | undefined;
}

/** Where the log begins and ends. */
export interface LogBounds {
  readonly epoch: number;
  /** The last committed write. */
  readonly revision: number;
  /** Every write after this one is still there, and of this life of the database. */
  readonly floor: number;
}

/** Which part of the log to read, oldest first. */
export interface ChangeQuery {
  readonly after: number;
  readonly limit: number;
  readonly kind?: string | undefined;
  readonly upTo?: number | undefined;
}

/** What was before a restore is no past that a client could go on from: its number may mean a write that was lost. */
const floorOf = sql<number>`greatest(${historyFloor.revision}, ${hubMeta.epochStart})`.mapWith(Number);

/** The bounds of the log as this transaction sees them. */
export async function logBounds(tx: Statements): Promise<LogBounds> {
  const [found] = await tx
    .select({ epoch: hubMeta.epoch, revision: hubMeta.revision, floor: floorOf })
    .from(hubMeta)
    .innerJoin(historyFloor, sql`true`);
  if (found === undefined) throw new Error('hub_meta or history_floor has lost its row');
  return found;
}

/** Writes after a revision, with the labels that each resource had before. */
export async function changesAfter(tx: Statements, query: ChangeQuery): Promise<readonly Change[]> {
  const kind = query.kind === undefined ? sql`` : sql`AND h.kind = ${query.kind}`;
  const upTo = query.upTo === undefined ? sql`` : sql`AND h.revision <= ${query.upTo}`;
  const { rows } = await tx.execute<ChangeRow>(sql`
    SELECT h.revision, h.kind, h.namespace, h.name, h.action, h.resource, before.action AS before, before.resource #> '{metadata,labels}' AS labels
    FROM history h LEFT JOIN LATERAL (
      SELECT p.action, p.resource FROM history p
      WHERE p.kind = h.kind AND p.namespace = h.namespace AND p.name = h.name AND p.revision < h.revision
      ORDER BY p.revision DESC LIMIT 1
    ) before ON h.action <> 'create'
    WHERE h.revision > ${query.after} ${upTo} ${kind} ORDER BY h.revision LIMIT ${query.limit}`);
  return rows.map(changeOf);
}

type ChangeRow = Record<keyof Omit<Change, 'revision' | 'labelsBefore'>, unknown> & {
  readonly revision: string;
  readonly before: WriteAction | null;
  readonly labels: Readonly<Record<string, string>> | null;
};

function changeOf({ before, labels, ...row }: ChangeRow): Change {
  const existed = before !== null && before !== 'delete';
  return { ...row, revision: Number(row.revision), labelsBefore: existed ? (labels ?? {}) : undefined } as Change;
}

/** Whether anything of a kind was written after a revision. */
export async function changedSince(tx: Statements, kind: string, revision: number): Promise<boolean> {
  return (await changesAfter(tx, { after: revision, kind, limit: 1 })).length > 0;
}

/** The resources of a kind as they were at a revision at or above the floor, ordered by namespace and name. */
export async function listAt(tx: Statements, revision: number, query: RowQuery): Promise<readonly Resource[]> {
  const { kind, namespace, name, selector, after, limit } = query;
  const keys: SQL[] = [sql`kind = ${kind} AND revision <= ${revision}`];
  if (namespace !== undefined) keys.push(sql`namespace = ${namespace}`);
  if (name !== undefined) keys.push(sql`name = ${name}`);
  if (after !== undefined) keys.push(sql`(namespace, name) > (${after.namespace}, ${after.name})`);
  const matches = [sql`action <> 'delete'`, ...(selector ?? []).map((one) => labelCondition(sql`resource #> '{metadata,labels}'`, one))];
  const { rows } = await tx.execute<{ readonly resource: Resource }>(sql`
    SELECT resource FROM (
      SELECT DISTINCT ON (namespace, name) namespace, name, action, resource FROM history
      WHERE ${sql.join(keys, sql` AND `)} ORDER BY namespace, name, revision DESC
    ) state WHERE ${sql.join(matches, sql` AND `)} ORDER BY namespace, name ${limit === undefined ? sql`` : sql`LIMIT ${limit}`}`);
  return rows.map(({ resource }) => resource);
}

/** The past of one resource, newest first, before a revision when one is given. */
export async function historyOf(
  tx: Statements,
  key: RowKey,
  page: { readonly before?: number | undefined; readonly limit: number },
): Promise<readonly HistoryRow[]> {
  const before = page.before === undefined ? undefined : lt(history.revision, page.before);
  return tx
    .select()
    .from(history)
    .where(and(isOf(key), before))
    .orderBy(desc(history.revision))
    .limit(page.limit);
}

/** One write of one resource. */
export async function historyAt(tx: Statements, key: RowKey, revision: number): Promise<HistoryRow | undefined> {
  const [row] = await tx
    .select()
    .from(history)
    .where(and(isOf(key), eq(history.revision, revision)));
  return row;
}

/** Whether a change begins, keeps or ends what a selector chooses; undefined when it is not concerned. */
export function eventOf(change: Change, selector: RowQuery['selector'] = []): 'ADDED' | 'MODIFIED' | 'DELETED' | undefined {
  const labels: Metadata['labels'] = change.resource.metadata?.labels ?? {};
  const matched = change.labelsBefore !== undefined && matchesSelector(selector, change.labelsBefore);
  const matches = change.action !== 'delete' && matchesSelector(selector, labels);
  if (matches) return matched ? 'MODIFIED' : 'ADDED';
  return matched ? 'DELETED' : undefined;
}

function isOf({ kind, namespace, name }: RowKey): SQL | undefined {
  return and(eq(history.kind, kind), eq(history.namespace, namespace), eq(history.name, name));
}
