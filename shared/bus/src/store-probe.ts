/**
 * Finds out whether JetStream still stores: a server whose disk was full takes connections, answers questions, and leaves every
 * write unanswered, also when there is room again, until it is started anew (nats-server 2.15.1).
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
  /** Called every time that a stream is there and has left two writes in a row, or more, unanswered. */
  readonly onBroken: () => void;
  readonly everyMs?: number;
}

type Probe = (typeof STORE_PROBES)[number];

const EVERY_MS = 5_000;

/** Writes a little to each stream, on a subject that nobody reads, until aborted. */
export async function probeStores(bus: Bus, log: Logger, { signal, onBroken, everyMs = EVERY_MS }: StoreProbeOptions): Promise<void> {
  const failures = new Map<Probe, number>(STORE_PROBES.map((probe) => [probe, 0]));
  const judge = (probe: Probe, problem: string | undefined): void => {
    const { stream } = probe;
    const before = failures.get(probe) ?? 0;
    failures.set(probe, problem === undefined ? 0 : before + 1);
    if (problem === undefined && before > 1) log.info({ stream }, 'NATS stores again');
    if (problem === undefined || before === 0) return;
    log.error(
      { stream, error: problem },
      'NATS answers but stores nothing: make room on its disk, and start it anew unless it is the hub’s own',
    );
    onBroken();
  };
  while (!signal.aborted) {
    if (bus.connected) await Promise.all(STORE_PROBES.map(async (probe) => judge(probe, await problemOf(bus, probe))));
    await sleep(everyMs, signal);
  }
}

/** Why the stream stores nothing although it is there; undefined when it does, or when nothing can be said. */
async function problemOf(bus: Bus, { stream, subject }: Probe): Promise<string | undefined> {
  try {
    await publishStored(bus, subject, new Uint8Array());
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'bus-timeout') return undefined;
    const state = await streamState(bus, stream).catch(() => undefined);
    return state === undefined ? undefined : messageOf(error);
  }
}
