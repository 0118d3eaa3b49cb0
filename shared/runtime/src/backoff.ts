/** Delays for retries: exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export interface BackoffOptions {
  /** First ceiling, milliseconds. */
  readonly baseMs: number;
  /** Largest ceiling, milliseconds. */
  readonly maxMs: number;
}

/** Milliseconds to wait before retry number `attempt` (from 0): uniform in [0, min(max, base·2^attempt)]. */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30)));
}

/** Waits, unless aborted: then it returns at once. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
