/** Writes traffic by the minute, a few times each minute, while this hub leads; every hub goes on from what was written. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import { KEPT_MINUTES } from './second-ring.ts';
import type { TrafficMemory } from './traffic-memory.ts';
import { type MinuteCoverage, readForRestart, writeTraffic } from './traffic-store.ts';

/** What it works with. */
export interface TrafficRollupParts {
  readonly database: Database;
  readonly memory: TrafficMemory;
  /** Whether this hub is the one that writes. */
  leads(): boolean;
  clusters(): readonly string[] | undefined;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly now?: () => number;
}

const EVERY_MS = 10_000;
/** How often memory is trimmed. */
const AGE_MS = 5_000;

/** Takes up what was written; nothing may be heard before. */
export async function restoreTraffic(database: Database, memory: TrafficMemory): Promise<void> {
  const { streams, rows } = await database.transaction(readForRestart, { accessMode: 'read only' });
  memory.restore(streams, rows);
}

/** Writes until stopped, and then once more. */
export function startTrafficRollup(parts: TrafficRollupParts): { stop(): Promise<void> } {
  const aborter = new AbortController();
  const ageing = setInterval(() => parts.memory.age(), AGE_MS);
  const running = run(parts, aborter.signal);
  return {
    stop: async () => {
      clearInterval(ageing);
      aborter.abort();
      await running;
      await rollUp(parts);
    },
  };
}

async function run(parts: TrafficRollupParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(parts.everyMs ?? EVERY_MS, signal);
    if (!signal.aborted) await rollUp(parts);
  }
}

/** A hub that leads writes within so many minutes, or another does from then on. */
const HANDED_OVER = 3;

/** Writes what is new. A hub that does not lead keeps the last minutes for when it does: what the one before had written, it writes again. */
async function rollUp(parts: TrafficRollupParts): Promise<void> {
  const { database, memory, log } = parts;
  const { rows, streams, undo } = memory.takeUnwritten();
  const minute = Math.floor((parts.now ?? Date.now)() / 60_000);
  if (!parts.leads()) return undo(minute - HANDED_OVER);
  try {
    await database.transaction((tx) => writeTraffic(tx, { rows, streams, coverage: coverageOf(parts) }));
  } catch (error) {
    undo(minute - KEPT_MINUTES);
    log.warn({ error: messageOf(error) }, 'traffic was not written: it is tried again');
  }
}

/** Of the minutes that may still have changed. */
function coverageOf({ memory, clusters, now = Date.now }: TrafficRollupParts): MinuteCoverage[] {
  const minute = Math.floor(now() / 60_000);
  return (clusters() ?? []).flatMap((source) =>
    [minute - 2, minute - 1, minute].flatMap((one) => {
      const seconds = memory.knownSeconds(source, one * 60, (one + 1) * 60);
      return seconds === 0 ? [] : [{ minute: one, source, seconds }];
    }),
  );
}
