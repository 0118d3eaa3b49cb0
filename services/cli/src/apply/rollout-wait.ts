/** Waits until every proxy has answered what was applied. */
import { sleep } from '@hawser/runtime/backoff.ts';
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import type { HubClient } from '../client/hub-client.ts';

/** How to wait. */
export interface WaitOptions {
  /** Milliseconds for everything. */
  readonly timeoutMs: number;
  /** Called with the state so far; often when `lively`. */
  readonly progress: (answer: RolloutAnswer) => void;
  /** Ask every half second, for a line that moves; else one long poll. */
  readonly lively: boolean;
}

const LIVELY_MS = 500;
const LONGEST_POLL_MS = 30_000;
/** The hub answers at its own deadline; ours comes after it. */
const GRACE_MS = 5000;

/**
 * Accounts of the given revisions, the newest waited for first: when it is complete, so are those before it. `complete` is false
 * in what the time was not enough for. Revisions are asked for one by one because each changed other proxies.
 */
export async function waitForRollouts(
  hub: HubClient,
  revisions: readonly number[],
  options: WaitOptions,
): Promise<Map<number, RolloutAnswer>> {
  const deadline = performance.now() + options.timeoutMs;
  const answers = new Map<number, RolloutAnswer>();
  for (const revision of [...new Set(revisions)].sort((a, b) => b - a))
    answers.set(revision, await waitForOne(hub, revision, { ...options, deadline }));
  return answers;
}

async function waitForOne(hub: HubClient, revision: number, options: WaitOptions & { readonly deadline: number }): Promise<RolloutAnswer> {
  for (;;) {
    const started = performance.now();
    const left = Math.max(0, Math.round(options.deadline - started));
    const pollMs = Math.min(left, options.lively ? LIVELY_MS : LONGEST_POLL_MS);
    const answer = (await hub.send({
      path: `/hawser/v1/rollouts/${revision}?timeout=${pollMs}ms`,
      timeoutMs: pollMs + GRACE_MS,
    })) as RolloutAnswer;
    options.progress(answer);
    const now = performance.now();
    if (answer.complete || now >= options.deadline) return answer;
    // A hub that answers early without being done must not be asked in a tight circle.
    await sleep(Math.min(100, Math.max(0, pollMs - (now - started))));
  }
}
