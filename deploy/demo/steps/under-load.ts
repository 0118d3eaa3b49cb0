/** Killing things under traffic, and counting what that cost. */
import { sleep } from '@hawser/runtime/backoff.ts';
import { countFailed, failed, type LoadEntry, longestGapMs, sharesBy, victimShare, type Window, within } from '../load-log.ts';
import type { LoadRun } from '../load-run.ts';
import type { Supervised } from '../processes.ts';
import { hostOf, sidecarOf } from '../topology.ts';
import { get, waitFor } from '../wait.ts';
import type { StepContext } from './step.ts';

/** A victim with less than this part of the traffic proves nothing (DESIGN.md, what a figure means). */
const LEAST_VICTIM_SHARE = 0.2;

/** SIGKILLs all victims in one go; returns the time of the kill (Unix, ms). */
export async function killAll(context: StepContext, what: string, victims: readonly Supervised[]): Promise<number> {
  const pids = victims.map(({ record }) => record.pid).join(', ');
  const at = await context.demo.fleet.processes.kill(...victims);
  context.demo.say.done(`SIGKILL: ${what} (pid ${pids}) at ${new Date(at).toISOString()}`);
  return at;
}

/** Lets traffic go on for a while, with a word a second on a terminal. */
export async function goOn(context: StepContext, ms: number, what: string): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    context.demo.say.progress(`${what}: ${Math.ceil(left / 1_000)} s more`);
    await sleep(Math.min(left, 1_000));
  }
}

/** Ends a run, keeps what it saw and returns it. */
export async function endLoad(context: StepContext, run: LoadRun): Promise<LoadEntry[]> {
  const entries = await run.stop();
  context.seen.push(entries);
  return entries;
}

/** Notes how many GETs of a window failed. */
export function noteFailed(context: StepContext, key: string, entries: readonly LoadEntry[], window: Window): void {
  const chosen = within(entries, window);
  const gets = countFailed(chosen, 'GET');
  context.book.note(key, { value: gets.failed, unit: 'requests', samples: gets.total }, chosen);
  const shares = [...sharesBy(chosen, 'cluster')].map(([cluster, share]) => `${cluster} ${(share * 100).toFixed(1)} %`).join(', ');
  context.demo.say.done(
    `${gets.failed} of ${gets.total} GETs failed; answered by ${shares}; longest gap ${longestGapMs(chosen).toFixed(0)} ms`,
  );
  for (const entry of chosen.filter((one) => one.method === 'GET' && failed(one)).slice(0, 5))
    context.demo.say.warn(`failed: ${JSON.stringify(entry)}`);
}

/** What was killed, when, and who could tell that it answered. */
export interface KillFacts {
  readonly step: string;
  readonly at: number;
  readonly victims: readonly Supervised[];
  readonly pids: readonly number[];
  /** Who the victims' answers come from; undefined for a kill of what answers nobody. */
  readonly isVictim: ((entry: LoadEntry) => boolean) | undefined;
}

/** Logs a kill with the victims' share and the POSTs it cost; throws when the victim carried too little to prove anything. */
export function noteKill(context: StepContext, entries: readonly LoadEntry[], facts: KillFacts): void {
  const { step, at, victims, pids, isVictim } = facts;
  const share = isVictim === undefined ? undefined : victimShare(entries, at, isVictim);
  const posts = countFailed(within(entries, { from: at - 1_000, to: Number.POSITIVE_INFINITY }), 'POST');
  const named = victims.map(({ spec }, index) => ({ name: spec.name, pid: pids[index] ?? 0 }));
  context.kills.push({ step, at, victims: named, share, failedPosts: posts.failed });
  if (share !== undefined && share < LEAST_VICTIM_SHARE)
    throw new Error(
      `${step}: the victim carried ${(share * 100).toFixed(1)} % of the traffic in the 5 s before its end; less than 20 % proves nothing`,
    );
}

/** Resolves when a client's calls to a service are answered by one cluster again, 20 times in a row. */
export async function servedBy(context: StepContext, from: string, service: string, cluster: string): Promise<void> {
  const sidecar = sidecarOf(context.demo.fleet.workload(from, 'client-v1'));
  let inRow = 0;
  const ask = async (): Promise<true | undefined> => {
    const { status, headers } = await get(`http://${sidecar}/ping`, { host: hostOf(service) });
    inRow = status === 200 && headers['x-hawser-cluster'] === cluster ? inRow + 1 : 0;
    return inRow >= 20 ? true : undefined;
  };
  await waitFor(`${service} is not served to ${from} by ${cluster} again`, ask, { timeoutMs: 120_000, everyMs: 20 });
}
