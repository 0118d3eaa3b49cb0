/** Waits until every proxy has answered what was applied. */
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import type { HubClient } from '../client/hub-client.ts';
import { isHubAway } from '../client/hub-refusal.ts';

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
const LONGEST_POLL_MS = 20_000;
/** The hub answers at its own deadline; ours comes after it. */
const GRACE_MS = 5000;
/** Revisions asked for together, once the newest is complete: then each answer is there already. */
const AT_ONCE = 8;
const AGAIN = { baseMs: 100, maxMs: 2000 };

/**
 * Accounts of the given revisions, the newest waited for first: when it is complete, so are those before it. `complete` is false
 * in what the time was not enough for; a revision of which the hub never answered is missing. Each is asked for by itself, because
 * each changed other proxies.
 */
export async function waitForRollouts(
  hub: HubClient,
  revisions: readonly number[],
  options: WaitOptions,
): Promise<Map<number, RolloutAnswer>> {
  const deadline = performance.now() + options.timeoutMs;
  const answers = new Map<number, RolloutAnswer>();
  const ask = async (revision: number): Promise<void> => {
    const answer = await waitForOne(hub, revision, { ...options, deadline });
    if (answer !== undefined) answers.set(revision, answer);
  };
  const [newest, ...others] = [...new Set(revisions)].sort((a, b) => b - a);
  if (newest !== undefined) await ask(newest);
  const rest = others.values();
  const askOn = async (): Promise<void> => {
    for (const revision of rest) await ask(revision);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askOn));
  return answers;
}

interface Wait extends WaitOptions {
  readonly deadline: number;
}

async function waitForOne(hub: HubClient, revision: number, wait: Wait): Promise<RolloutAnswer | undefined> {
  let last: RolloutAnswer | undefined;
  for (let failures = 0; ; ) {
    const left = Math.max(0, Math.round(wait.deadline - performance.now()));
    const answer = await poll(hub, revision, Math.min(left, wait.lively ? LIVELY_MS : LONGEST_POLL_MS));
    failures = answer === undefined ? failures + 1 : 0;
    last = answer ?? last;
    if (answer !== undefined) wait.progress(answer);
    if (answer?.complete === true || performance.now() >= wait.deadline) return last;
    // Neither a hub that is away nor one that answers early without being done may be asked in a tight circle.
    await sleep(answer === undefined ? backoffMs(failures, AGAIN) : LIVELY_MS / 5);
  }
}

/** One long poll; undefined when the hub is away or too busy, which a restart can be: what was applied is applied. */
async function poll(hub: HubClient, revision: number, pollMs: number): Promise<RolloutAnswer | undefined> {
  try {
    return (await hub.send({ path: `/hawser/v1/rollouts/${revision}?timeout=${pollMs}ms`, timeoutMs: pollMs + GRACE_MS })) as RolloutAnswer;
  } catch (error) {
    if (!isHubAway(error)) throw error;
    return undefined;
  }
}
