/** Runs in PostgreSQL: what is made at once elsewhere is seen too. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { history, operations, type ResourceRow } from '../db/schema.ts';

/** Key of the lock under which runs are made one after the other. */
const LOCK = 4_711_031;
const BEGUN = ['Preflight', 'Injecting', 'Shifting', 'Rotating', 'Holding', 'Restoring'];

/** Nobody else makes a run until the transaction ends. */
export async function lockRuns(tx: Statements): Promise<void> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCK})`);
}

/** A run that waits for nobody any more, by name. */
export async function runUnderWay(tx: Statements): Promise<string | undefined> {
  const [found] = await tx
    .select({ name: operations.name })
    .from(operations)
    .where(and(eq(operations.kind, 'DrillRun'), isNull(operations.endedAt), inArray(operations.phase, BEGUN)))
    .limit(1);
  return found?.name;
}

/** Of the server, such as `18.1`. */
export async function databaseVersion(tx: Statements): Promise<string> {
  const { rows } = await tx.execute(sql`SELECT current_setting('server_version') AS version`);
  return String(rows[0]?.['version'] ?? '');
}

/** Whether there is, or was, a run for this time of a drill's schedule: also one that was deleted. */
export async function wasMade(tx: Statements, of: { readonly drill: string; readonly scheduledAt: string }): Promise<boolean> {
  const isOf = sql`${history.resource} -> 'spec' ->> 'drill' = ${of.drill} AND ${history.resource} -> 'spec' ->> 'scheduledAt' = ${of.scheduledAt}`;
  const [found] = await tx
    .select({ revision: history.revision })
    .from(history)
    .where(and(eq(history.kind, 'DrillRun'), isOf))
    .limit(1);
  return found !== undefined;
}

/** Writes of a drill that are looked through: a plan that is written more often than that in an hour is not waited for. */
const MOST_WRITES = 100;

/**
 * Since when a drill comes at the times that its schedule says now, Unix milliseconds: what it said before does not count, nor the time in
 * which it was suspended.
 */
export async function scheduledSince(tx: Statements, { name, uid, spec, createdAt }: ResourceRow): Promise<number> {
  const writes = await tx
    .select({ at: history.at, resource: history.resource })
    .from(history)
    .where(and(eq(history.kind, 'Drill'), eq(history.name, name)))
    .orderBy(desc(history.revision))
    .limit(MOST_WRITES);
  const now = timesOf(spec);
  const other = writes.findIndex(
    ({ resource }: { readonly resource: Resource }) => resource.metadata.uid !== uid || timesOf(resource.spec) !== now,
  );
  const first = writes[(other === -1 ? writes.length : other) - 1];
  return (first?.at ?? createdAt).getTime();
}

function timesOf(spec: unknown): string {
  const { schedule, suspend = false } = spec as Partial<DrillSpec>;
  return suspend || schedule === undefined ? '' : canonicalJson([schedule.cron, schedule.timeZone ?? 'UTC']);
}
