/** Follows what the hub does for a while, by looking at it again and again. */
import { sleep } from '@hawser/runtime/backoff.ts';
import type { HubClient } from '../client/hub-client.ts';
import { isHubAway } from '../client/hub-refusal.ts';
import { type Look, liveLines } from './live-lines.ts';

/** What is followed, and how far. */
export interface Following<T> {
  /** Where the hub has it. */
  readonly path: string;
  readonly isOver: (seen: T) => boolean;
  /** What is shown of it while it is not over. */
  readonly lookOf: (seen: T) => Look;
  readonly flags: { readonly output?: string | undefined };
  /** Milliseconds. */
  readonly timeoutMs: number;
}

const LOOK_MS = 250;

/** How it was seen last: over, unless the time was. A hub that is away is asked again, for what it does is in its database. */
export async function follow<T>(hub: HubClient, first: T, { path, isOver, lookOf, flags, timeoutMs }: Following<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  const live = liveLines(flags);
  let seen = first;
  while (!isOver(seen) && performance.now() < deadline) {
    live.show(lookOf(seen));
    await sleep(LOOK_MS);
    seen = (await lookAgain<T>(hub, path)) ?? seen;
  }
  live.end();
  return seen;
}

async function lookAgain<T>(hub: HubClient, path: string): Promise<T | undefined> {
  try {
    return (await hub.send({ path })) as T;
  } catch (error) {
    if (!isHubAway(error)) throw error;
    return undefined;
  }
}
