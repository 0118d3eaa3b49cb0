/** What is forgotten of each table, a bounded batch at a time. Each function answers how many rows went; fewer than `BATCH` means that it is done. */
import { sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { trimReports } from '../drill-report/report-store.ts';
import { lockRows, recordWrites } from '../resource/resource-store.ts';

/** Rows that go in one transaction. */
export const BATCH = 500;

/** How much is kept. */
export interface RetentionBounds {
  /** Writes younger than this many days are kept… */
  readonly historyKeepDays: number;
  /** …unless there are more than this. */
  readonly historyKeepRevisions: number;
  readonly auditKeepDays: number;
  readonly trafficKeepDays: number;
}

/** One table and how it is trimmed. */
export interface RetentionTable {
  readonly name: string;
  trim(tx: Statements, bounds: RetentionBounds): Promise<number>;
}

/** Any number, as long as every version of the hub uses the same: one hub trims at a time. */
const LOCK = 0x68617775;

/** Whether this transaction is the one that trims. */
export async function isTrimming(tx: Statements): Promise<boolean> {
  const { rows } = await tx.execute<{ readonly held: boolean }>(sql`SELECT pg_try_advisory_xact_lock(${LOCK}) AS held`);
  return rows[0]?.held === true;
}

/** Every table that grows. */
export const RETENTION_TABLES: readonly RetentionTable[] = [
  { name: 'history', trim: trimHistory },
  { name: 'outbox', trim: trimOutbox },
  { name: 'audit', trim: trimAudit },
  { name: 'join_tokens', trim: trimJoinTokens },
  { name: 'rotations', trim: trimRotations },
  { name: 'operations', trim: trimOperations },
  { name: 'traffic', trim: trimTraffic },
  { name: 'drill_reports', trim: (tx) => trimReports(tx, BATCH) },
];

/**
 * Raises the floor, then removes what no state at or above it is made of: a deletion, and whatever has a successor up to
 * the floor. Oldest first, so that a deletion never goes before what it deleted.
 */
async function trimHistory(tx: Statements, { historyKeepDays, historyKeepRevisions }: RetentionBounds): Promise<number> {
  await tx.execute(sql`
    UPDATE history_floor SET revision = greatest(history_floor.revision, (
      SELECT coalesce(max(h.revision), 0) FROM history h, hub_meta m
      WHERE h.at < clock_timestamp() - ${historyKeepDays} * interval '1 day' OR h.revision <= m.revision - ${historyKeepRevisions}
    ))`);
  const { rowCount } = await tx.execute(sql`
    DELETE FROM history WHERE revision IN (
      SELECT h.revision FROM history h, history_floor f WHERE h.revision <= f.revision AND (h.action = 'delete' OR EXISTS (
        SELECT 1 FROM history n WHERE n.kind = h.kind AND n.namespace = h.namespace AND n.name = h.name
          AND n.revision > h.revision AND n.revision <= f.revision
      )) ORDER BY h.revision LIMIT ${BATCH}
    )`);
  return rowCount ?? 0;
}

/** What is published goes when it is; this takes what a hub that died in between left, and what nobody can publish any more. */
async function trimOutbox(tx: Statements, { historyKeepRevisions }: RetentionBounds): Promise<number> {
  const { rowCount } = await tx.execute(sql`
    DELETE FROM outbox WHERE revision IN (
      SELECT o.revision FROM outbox o, outbox_progress p, hub_meta m
      WHERE o.revision <= p.published OR o.revision <= m.revision - ${historyKeepRevisions} ORDER BY o.revision LIMIT ${BATCH}
    )`);
  return rowCount ?? 0;
}

async function trimAudit(tx: Statements, { auditKeepDays }: RetentionBounds): Promise<number> {
  const { rows } = await tx.execute<{ readonly gone: string }>(
    sql`SELECT audit_purge(clock_timestamp() - ${auditKeepDays} * interval '1 day', ${BATCH}::int) AS gone`,
  );
  return Number(rows[0]?.gone ?? 0);
}

/**
 * Rotations that are over, as long as the history is kept. Of each cluster the newest stays, and what it was told last: an agent that was away
 * asks for that, and without it would not know what is done.
 */
async function trimRotations(tx: Statements, { historyKeepDays }: RetentionBounds): Promise<number> {
  const { rowCount } = await tx.execute(sql`
    DELETE FROM rotations WHERE id IN (
      SELECT r.id FROM rotations r
      WHERE r.phase IN ('Done', 'RolledBack', 'Failed') AND r.created_at < clock_timestamp() - ${historyKeepDays} * interval '1 day'
        AND EXISTS (
          SELECT 1 FROM rotations n WHERE n.cluster = r.cluster AND n.created_at > r.created_at AND n.trust_order IS NOT NULL
            AND (n.state ->> 'epoch')::bigint >= (r.state ->> 'epoch')::bigint
        ) ORDER BY r.created_at LIMIT ${BATCH}
    )`);
  return rowCount ?? 0;
}

/** Operations that have ended, and say nothing of what is in force any more: another came after them, or their resource has gone. */
async function trimOperations(tx: Statements, { historyKeepDays }: RetentionBounds): Promise<number> {
  const { rowCount } = await tx.execute(sql`
    DELETE FROM operations WHERE id IN (
      SELECT o.id FROM operations o
      WHERE o.ended_at < clock_timestamp() - ${historyKeepDays} * interval '1 day'
        AND (EXISTS (SELECT 1 FROM operations n WHERE n.uid = o.uid AND n.id > o.id) OR NOT EXISTS (SELECT 1 FROM resources r WHERE r.uid = o.uid))
      ORDER BY o.id LIMIT ${BATCH}
    )`);
  return rowCount ?? 0;
}

/** Join tokens whose time was over a day ago, used or not: a write each, which watchers are told of. */
async function trimJoinTokens(tx: Statements): Promise<number> {
  const { rows } = await tx.execute<{ readonly name: string }>(sql`
    SELECT r.name FROM resources r JOIN join_tokens t ON t.name = r.name
    WHERE r.kind = 'JoinToken' AND t.expires_at < clock_timestamp() - interval '1 day' ORDER BY r.name LIMIT 20`);
  const keys = rows.map(({ name }) => ({ kind: 'JoinToken', namespace: '', name }));
  const found = await lockRows(tx, keys);
  for (const { name } of rows) await tx.execute(sql`DELETE FROM join_tokens WHERE name = ${name}`);
  await recordWrites(
    tx,
    found.map((row) => ({ action: 'delete', row, actor: 'hub', reason: 'its time was over' })),
  );
  return 0;
}

/** Minutes of traffic, how much of them is known, and what agents had told that are long gone. */
async function trimTraffic(tx: Statements, { trafficKeepDays }: RetentionBounds): Promise<number> {
  const old = sql`clock_timestamp() - ${trafficKeepDays} * interval '1 day'`;
  await tx.execute(sql`DELETE FROM traffic_coverage WHERE minute < ${old}`);
  await tx.execute(sql`DELETE FROM traffic_streams WHERE at < ${old}`);
  const { rowCount } = await tx.execute(
    sql`DELETE FROM traffic_minutes WHERE ctid IN (SELECT ctid FROM traffic_minutes WHERE minute < ${old} ORDER BY minute LIMIT ${BATCH})`,
  );
  return rowCount ?? 0;
}
