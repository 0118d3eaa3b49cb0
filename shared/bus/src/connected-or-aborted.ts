import type { Bus } from './bus.ts';

/** Resolves when the bus is connected, or the signal aborted. */
export function connectedOrAborted(bus: Bus, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stop?.();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    let stop: (() => void) | undefined;
    if (bus.connected || signal.aborted) return finish();
    signal.addEventListener('abort', finish);
    stop = bus.onStatus((connected) => {
      if (connected) finish();
    });
  });
}
