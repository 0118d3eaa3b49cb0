/** How long revisions take from their commit to the last proxy's answer, seen as each is complete. */
import type { Histogram } from '@hawser/runtime/metrics.ts';
import { currentRollout, type FleetContext } from './fleet-context.ts';

/** Revisions that wait; the oldest are given up. */
const LONGEST = 4096;
const LOOK_MS = 500;
/** A look takes no longer, so that a thousand revisions at once do not delay an answer: the next look goes on. */
const LONGEST_LOOK_MS = 25;

/** Follows the revisions of the leading replica. */
export class Convergence {
  readonly #context: FleetContext;
  readonly #seconds: Pick<Histogram, 'observe'>;
  readonly #timer: NodeJS.Timeout;
  /** The next revision to look at; undefined until one is known. */
  #next: number | undefined;

  constructor(context: FleetContext, seconds: Pick<Histogram, 'observe'>) {
    this.#context = context;
    this.#seconds = seconds;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Takes account of what is complete by now. A revision is complete when those before it are, so the first that is not ends the look. */
  look(): void {
    const { desired, replica } = this.#context.distribution;
    if (desired === undefined) return;
    // Those that were there before this hub was: their reports went to its predecessor.
    const from = this.#next ?? this.#context.startRevision() + 1;
    this.#next = Math.max(from, desired.revision - LONGEST);
    const end = performance.now() + LONGEST_LOOK_MS;
    while (this.#next <= desired.revision && performance.now() < end) {
      const rollout = currentRollout(this.#context, this.#next);
      if (!rollout.complete) return;
      const isKnown = this.#context.distribution.committedAt(this.#next) !== undefined;
      if (isKnown && rollout.proxies.expected > 0 && replica?.term !== undefined) this.#seconds.observe(rollout.durationMs / 1000);
      this.#next += 1;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
