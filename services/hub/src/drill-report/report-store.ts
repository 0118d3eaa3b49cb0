/** Reports in PostgreSQL: one for each run, written in the transaction that ends it, and never after. */
import type { KeyObject } from 'node:crypto';
import { canonicalText } from '@hawser/model/canonical-text.ts';
import { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { digestOf, signedReport } from '@hawser/model/drill-report.ts';
import type { TrendEntry } from '@hawser/wire/drill-report.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { and, desc, eq, max, sql } from 'drizzle-orm';
import { Compile } from 'typebox/compile';
import type { Statements } from '../db/database.ts';
import { drillReports } from '../db/schema.ts';
import { reportSigner, sealingKeyOf } from './report-keys-store.ts';
import { keepUntil, reportSummary } from './report-summary.ts';
import { tidiedEvidence } from './tidied-evidence.ts';

/**
 * Signs the evidence of a run that ends and stores it, in the transaction that ends the run; answers the digest that the report is known
 * by. A run that has a report keeps that one, and its digest is answered again.
 */
export type SaveReport = (tx: Statements, evidence: DrillEvidence) => Promise<string>;

/** Told of a report that is not as its schema says, which is a mistake of the hub's: the run by name, and what is wrong, at most a few. */
export type OnUnfit = (run: string, problems: readonly string[]) => void;

/** Saves reports under a key that opens with the hub's document-signing key. One that does not fit its schema is saved all the same: it is evidence. */
export function reportSaver(hubKey: Signer, onUnfit: OnUnfit = () => undefined): SaveReport {
  const sealingKey = sealingKeyOf(hubKey);
  return async (tx, evidence) => {
    const tidy = tidiedEvidence(evidence);
    const problems = unfitParts(tidy);
    if (problems.length > 0) onUnfit(tidy.run, problems);
    return await saveReport(tx, tidy, await reportSigner(tx, sealingKey));
  };
}

const schema = Compile(DrillEvidence);
/** Problems that are told: of a part that is wrong throughout there is one for each entry. */
const TOLD = 5;

function unfitParts(tidy: DrillEvidence): readonly string[] {
  if (schema.Check(tidy)) return [];
  return schema
    .Errors(tidy)
    .slice(0, TOLD)
    .map(({ instancePath, message }) => `${instancePath} ${message}`);
}

async function saveReport(tx: Statements, tidy: DrillEvidence, privateKey: KeyObject): Promise<string> {
  const { run, drill, mode, outcome, createdAt, endedAt } = tidy;
  const report = signedReport(tidy, privateKey);
  const digest = digestOf(report.statement);
  const [written] = await tx
    .insert(drillReports)
    .values({
      ...{ run, drill, mode, outcome, digest, requestedAt: new Date(createdAt), endedAt: new Date(endedAt), keepUntil: keepUntil(tidy) },
      ...{ summary: reportSummary(tidy), document: canonicalText(report) },
      ...{ signature: report.signature.value, keyId: report.signature.keyId },
    })
    .onConflictDoNothing()
    .returning({ digest: drillReports.digest });
  if (written !== undefined) return written.digest;
  const isThisRun = and(eq(drillReports.run, run), eq(drillReports.requestedAt, new Date(createdAt)));
  const [known] = await tx.select({ digest: drillReports.digest }).from(drillReports).where(isThisRun);
  if (known === undefined) throw new Error(`the report of ${run} was neither written nor there`);
  return known.digest;
}

/** The signed report of the newest run of this name as canonical JSON. */
export async function findReport(tx: Statements, run: string): Promise<string | undefined> {
  const { document, requestedAt } = drillReports;
  const [row] = await tx.select({ document }).from(drillReports).where(eq(drillReports.run, run)).orderBy(desc(requestedAt)).limit(1);
  return row?.document;
}

/** Runs of a drill in short, the newest first. */
export async function trendOf(tx: Statements, drill: string, limit: number): Promise<readonly TrendEntry[]> {
  const { summary, digest, requestedAt } = drillReports;
  const rows = await tx
    .select({ summary, digest })
    .from(drillReports)
    .where(eq(drillReports.drill, drill))
    .orderBy(desc(requestedAt))
    .limit(limit);
  return rows.map((row) => ({ ...row.summary, digest: row.digest }));
}

/** When a live run of each drill passed last. */
export async function lastPassed(tx: Statements): Promise<ReadonlyMap<string, Date>> {
  const { drill, outcome, mode, endedAt } = drillReports;
  const rows = await tx
    .select({ drill, at: max(endedAt) })
    .from(drillReports)
    .where(and(eq(outcome, 'Passed'), eq(mode, 'live')))
    .groupBy(drill);
  return new Map(rows.flatMap(({ drill: name, at }) => (at === null ? [] : [[name, at] as const])));
}

/** Forgets reports whose time is over, but for the last of each drill that passed; answers how many went. */
export async function trimReports(tx: Statements, batch: number): Promise<number> {
  const { rowCount } = await tx.execute(sql`
    DELETE FROM drill_reports WHERE ctid IN (
      SELECT r.ctid FROM drill_reports r
      WHERE r.keep_until < clock_timestamp() AND (r.outcome <> 'Passed' OR r.mode <> 'live' OR EXISTS (
        SELECT 1 FROM drill_reports n WHERE n.drill = r.drill AND n.outcome = 'Passed' AND n.mode = 'live' AND n.ended_at > r.ended_at
      )) ORDER BY r.keep_until LIMIT ${batch}
    )`);
  return rowCount ?? 0;
}
