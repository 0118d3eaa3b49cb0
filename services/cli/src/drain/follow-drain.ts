/** Follows a drain: rewritten in its place in a terminal, a line for every change elsewhere. */
import type { HubClient } from '../client/hub-client.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { follow } from '../output/follow.ts';
import type { Look } from '../output/live-lines.ts';
import { print, printJson } from '../output/print.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { type DrainResource, drainLines, isOver, plainLine } from './drain-lines.ts';
import { drainPath } from './drains.ts';

/** How it is followed. */
export interface Following {
  readonly flags: ViewFlags;
  /** At which phase it is there. */
  readonly until: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

/** 0 when it came there, 1 when it ended elsewhere, 4 when the time was over. */
export async function followDrain(hub: HubClient, first: DrainResource, { flags, until, timeoutMs }: Following): Promise<ExitCode> {
  const isThere = (seen: DrainResource): boolean => seen.status?.phase === until || isOver(seen);
  const lookOf = (seen: DrainResource): Look => ({ lines: drainLines(seen, Date.now()), plain: plainLine(seen) });
  const drain = await follow(hub, first, { path: drainPath(first.metadata.name), isOver: isThere, lookOf, flags, timeoutMs });
  showDrain(drain, flags);
  if (!isThere(drain)) return EXIT.timedOut;
  return drain.status?.phase === until ? EXIT.done : EXIT.failed;
}

/** Prints it. */
export function showDrain(drain: DrainResource, { output }: ViewFlags): void {
  if (output === 'json') printJson(drain);
  else for (const line of drainLines(drain, Date.now())) print(line);
}
