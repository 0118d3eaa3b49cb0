import { messageOf } from './app-error.ts';
import type { Logger } from './logger.ts';

/** Parts of a process that are stopped in reverse order of their start. */
export interface RunGroup {
  /** Registers how a started part stops. */
  onStop(name: string, stop: () => Promise<void> | void): void;
  /** Resolves after SIGINT, SIGTERM or `stop`, when every part has stopped. */
  readonly stopped: Promise<void>;
  /** Aborts as soon as stopping begins. */
  readonly signal: AbortSignal;
  stop(reason: string): void;
}

/** One Ctrl-C arrives more than once: from the terminal, and again from each npm or launcher above that passes it on. */
const SAME_SIGNAL_MS = 1000;

/** Starts a group that stops on SIGINT or SIGTERM; a second signal (a second later or more), or `deadlineMs`, ends the process at once. */
export function createRunGroup(log: Logger, deadlineMs = 15_000): RunGroup {
  const parts: { name: string; stop: () => Promise<void> | void }[] = [];
  const aborter = new AbortController();
  let finish: () => void;
  const stopped = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let stoppingSince = 0;
  const stop = (reason: string): void => {
    if (aborter.signal.aborted) {
      if (performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
      process.exit(1);
    }
    stoppingSince = performance.now();
    aborter.abort();
    log.info({ reason }, 'stopping');
    setTimeout(() => process.exit(1), deadlineMs).unref();
    void stopAll().then(() => finish());
  };
  const stopAll = async (): Promise<void> => {
    for (const part of parts.reverse()) {
      try {
        await part.stop();
      } catch (error) {
        log.warn({ part: part.name, error: messageOf(error) }, 'part did not stop cleanly');
      }
    }
  };
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGTERM', () => stop('SIGTERM'));
  return { onStop: (name, stopPart) => parts.push({ name, stop: stopPart }), stopped, signal: aborter.signal, stop };
}
