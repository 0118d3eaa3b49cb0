/** Traffic by the minute in PostgreSQL: written by the hub that leads, read by all. */
import type { TrafficFilter } from '@hawser/model/measured-traffic.ts';
import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { trafficCoverage, trafficMinutes, trafficStreams } from '../db/schema.ts';
import type { SavedStream } from './report-stream.ts';
import type { MinuteRow } from './traffic-memory.ts';

const MINUTE_MS = 60_000;
/** Rows of one statement. */
const ROWS = 1_000;
/** Rows of one answer: beyond it, ask for a shorter time. */
const MOST_READ = 200_000;

/** Seconds of a minute (Unix time) that are known of a cluster's callers. */
export interface MinuteCoverage {
  readonly minute: number;
  readonly source: string;
  readonly seconds: number;
}

/** What belongs together: the sums of minutes, and the agents' sums that they were made of. */
export interface WrittenTraffic {
  readonly rows: readonly MinuteRow[];
  readonly coverage: readonly MinuteCoverage[];
  readonly streams: readonly SavedStream[];
}

/** Replaces what was written of these minutes and agents. */
export async function writeTraffic(tx: Statements, { rows, coverage, streams }: WrittenTraffic): Promise<void> {
  for (let first = 0; first < rows.length; first += ROWS) await writeRows(tx, rows.slice(first, first + ROWS));
  if (coverage.length > 0) {
    const values = coverage.map(({ minute, ...known }) => ({ minute: new Date(minute * MINUTE_MS), ...known }));
    const { minute, source } = trafficCoverage;
    await tx
      .insert(trafficCoverage)
      .values(values)
      .onConflictDoUpdate({ target: [minute, source], set: { seconds: sql`greatest(${trafficCoverage.seconds}, excluded.seconds)` } });
  }
  for (const { at, series, ...stream } of streams) {
    const { cluster, replica } = trafficStreams;
    const row = { ...stream, at: new Date(at), series };
    await tx
      .insert(trafficStreams)
      .values(row)
      .onConflictDoUpdate({ target: [cluster, replica], set: row });
  }
}

async function writeRows(tx: Statements, rows: readonly MinuteRow[]): Promise<void> {
  const { minute, source, service, cluster, region, zone, version } = trafficMinutes;
  const values = rows.map(({ minute: at, key, counts }) => ({
    minute: new Date(at * MINUTE_MS),
    ...{ source: key.source, service: key.service, ...key.destination },
    counts: counts.slice(0, counts.findLastIndex((count) => count > 0) + 1),
  }));
  await tx
    .insert(trafficMinutes)
    .values(values)
    .onConflictDoUpdate({
      target: [minute, source, service, cluster, region, zone, version],
      set: { counts: sql`excluded.counts` },
    });
}

/** What a hub goes on from: the agents' sums, and the minutes that may still grow. */
export async function readForRestart(tx: Statements): Promise<Pick<WrittenTraffic, 'rows' | 'streams'>> {
  const streams = await tx.select().from(trafficStreams);
  const newest = Math.max(...streams.map(({ at }) => at.getTime()));
  // Counts are dealt to the seconds that they were heard for: the minute before may grow as well.
  const since = Number.isFinite(newest) ? new Date(newest - 2 * MINUTE_MS) : new Date();
  const rows = await tx.select().from(trafficMinutes).where(gte(trafficMinutes.minute, since));
  return { rows: rows.map(rowOf), streams: streams.map(({ at, ...stream }) => ({ ...stream, at: at.getTime() })) };
}

/** Minutes (Unix time) from one to before another. */
export interface Minutes {
  readonly from: number;
  readonly to: number;
}

/** Rows of some minutes; a little more than `MOST_READ` means that there are more. */
export async function readMinutes(tx: Statements, { from, to }: Minutes, filter: TrafficFilter): Promise<MinuteRow[] | 'too-many'> {
  const { minute, source, service } = trafficMinutes;
  const conditions: SQL[] = [gte(minute, new Date(from * MINUTE_MS)), lt(minute, new Date(to * MINUTE_MS))];
  if (filter.source !== undefined) conditions.push(eq(source, filter.source));
  if (filter.service !== undefined) conditions.push(eq(service, filter.service));
  for (const [field, value] of Object.entries(filter.destination ?? {}))
    conditions.push(eq(trafficMinutes[field as keyof NonNullable<TrafficFilter['destination']>], value));
  const rows = await tx
    .select()
    .from(trafficMinutes)
    .where(and(...conditions))
    .limit(MOST_READ + 1);
  return rows.length > MOST_READ ? 'too-many' : rows.map(rowOf);
}

/** Known seconds of some minutes by cluster. */
export async function readCoverage(tx: Statements, { from, to }: Minutes): Promise<ReadonlyMap<string, number>> {
  const { minute, source, seconds } = trafficCoverage;
  const rows = await tx
    .select({ source, seconds: sql<number>`sum(${seconds})::int` })
    .from(trafficCoverage)
    .where(and(gte(minute, new Date(from * MINUTE_MS)), lt(minute, new Date(to * MINUTE_MS))))
    .groupBy(source);
  return new Map(rows.map((row) => [row.source, row.seconds]));
}

function rowOf({ minute, source, service, counts, ...destination }: typeof trafficMinutes.$inferSelect): MinuteRow {
  return { minute: minute.getTime() / MINUTE_MS, key: { source, service, destination }, counts: counts.map(Number) };
}
