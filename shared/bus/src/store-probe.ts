/**
 * Finds out whether JetStream still stores: a server whose disk was full takes connections, answers questions, and times out on every
 * write, also when there is room again, until it is started anew (nats-server 2.15.1).
 */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { STORE_PROBES } from '@hawser/wire/subjects.ts';
import type { Bus } from './bus.ts';
import { publishStored, streamState } from './jetstream.ts';

/** How the probing goes on, and who hears of it. */
export interface StoreProbeOptions {
  readonly signal: AbortSignal;
  /** Called every time that a stream answers and has not stored twice in a row. */
  readonly onBroken: () => void;
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;
/** What a store that takes nothing makes of a write. */
const FAILURES: ReadonlySet<string> = new Set(['bus-timeout', 'bus-failed']);

/** Writes a little to each stream, on a subject that nobody reads, until aborted. */
export async function probeStores(bus: Bus, log: Logger, options: StoreProbeOptions): Promise<void> {
  const { signal, onBroken, everyMs = EVERY_MS } = options;
  const failures = new Map<string, number>();
  while (!signal.aborted) {
    for (const { stream, subject } of STORE_PROBES) {
      const problem = bus.connected ? await problemOf(bus, { stream, subject }) : undefined;
      const before = failures.get(stream) ?? 0;
      failures.set(stream, problem === undefined ? 0 : before + 1);
      if (problem === undefined && before > 1) log.info({ stream }, 'NATS stores again');
      if (problem === undefined || before === 0) continue;
      log.error(
        { stream, error: problem },
        'NATS answers but stores nothing: free some of its disk; one that is not the hub’s own is to be restarted then',
      );
      onBroken();
    }
    await sleep(everyMs, signal);
  }
}

/** Why the stream stores nothing although it is there; undefined when it does, or when nothing can be said. */
async function problemOf(
  bus: Bus,
  { stream, subject }: { readonly stream: string; readonly subject: string },
): Promise<string | undefined> {
  try {
    await publishStored(bus, subject, new Uint8Array());
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || !FAILURES.has(error.code)) return undefined;
    const state = await streamState(bus, stream).catch(() => undefined);
    return state === undefined ? undefined : messageOf(error);
  }
}
