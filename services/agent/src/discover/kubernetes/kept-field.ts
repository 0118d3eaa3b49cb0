/** Keeps one field of one object on the API server as it has to be, whoever else writes the object. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';

/** What it works with. */
export interface KeptField {
  /** Looks, and writes where something differs; throws what the server has against it. Its requests have deadlines and end with the signal. */
  readonly put: () => Promise<void>;
  /** Whether it is this agent that writes; another is asked again soon. Every agent unless given. */
  readonly isOwn?: () => boolean;
  /** What put threw; undefined when all is well, or not this agent's to say. */
  readonly onProblem: (problem: string | undefined) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; a minute unless given. */
  readonly everyMs?: number | undefined;
}

const EVERY_MS = 60_000;
const AGAIN_MS = 5_000;

/** Looks now, then every minute, and whenever the returned function is called: whoever applies a file again may empty the field. */
export function keepField({ put, isOwn = () => true, onProblem, signal, everyMs = EVERY_MS }: KeptField): () => void {
  let wake = new AbortController();
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      wake = new AbortController();
      const woken = AbortSignal.any([signal, wake.signal]);
      const isDue = isOwn();
      const problem = isDue ? await put().then(() => undefined, messageOf) : undefined;
      if (!signal.aborted) onProblem(problem);
      const pauseMs = isDue && problem === undefined ? everyMs : Math.min(everyMs, AGAIN_MS);
      await sleep(pauseMs * (0.8 + 0.4 * Math.random()), woken);
    }
  };
  void run();
  return () => wake.abort();
}
