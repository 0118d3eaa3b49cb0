/** Keeps what grows within bounds: one hub at a time, in small transactions, at no fixed hour. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import { BATCH, isTrimming, RETENTION_TABLES, type RetentionBounds, type RetentionTable } from './retention-store.ts';

/** What it works with. */
export interface RetentionParts {
  readonly database: Database;
  readonly bounds: RetentionBounds;
  readonly log: Logger;
}

const EVERY_MS = 10 * 60_000;
/** Between two batches: others write meanwhile. */
const BREATH_MS = 50;

/** Trims until stopped. */
export function startRetention(parts: RetentionParts): { stop(): Promise<void> } {
  const aborter = new AbortController();
  const running = run(parts, aborter.signal);
  return {
    stop: async () => {
      aborter.abort();
      await running;
    },
  };
}

async function run(parts: RetentionParts, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(EVERY_MS * (0.5 + Math.random()), signal);
    if (signal.aborted) return;
    await trimAll(parts, signal).catch((error: unknown) => parts.log.warn({ error: messageOf(error) }, 'old rows were not removed'));
  }
}

/** Trims every table until there is nothing to trim; answers how many rows went, by table. */
export async function trimAll(parts: RetentionParts, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const gone: Record<string, number> = {};
  for (const table of RETENTION_TABLES) gone[table.name] = await trimTable(table, parts, signal);
  if (Object.values(gone).some((count) => count > 0)) parts.log.info({ gone }, 'old rows were removed');
  return gone;
}

async function trimTable(table: RetentionTable, { database, bounds }: RetentionParts, signal: AbortSignal): Promise<number> {
  let total = 0;
  for (let last = BATCH; last >= BATCH && !signal.aborted; total += last) {
    last = await database.transaction(async (tx) => ((await isTrimming(tx)) ? table.trim(tx, bounds) : 0));
    if (last >= BATCH) await sleep(BREATH_MS, signal);
  }
  return total;
}
