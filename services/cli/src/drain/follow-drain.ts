/** Follows a drain: rewritten in its place in a terminal, a line for every change elsewhere. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
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

const LOOK_MS = 250;

/** 0 when it came there, 1 when it ended elsewhere, 4 when the time was over. A hub that is away is asked again. */
export async function followDrain(hub: HubClient, first: DrainResource, { flags, until, timeoutMs }: Following): Promise<ExitCode> {
  const deadline = performance.now() + timeoutMs;
  const progress = progressOf(flags);
  let drain = first;
  const isThere = (): boolean => drain.status?.phase === until || isOver(drain);
  while (!isThere() && performance.now() < deadline) {
    progress.show(drain);
    await sleep(LOOK_MS);
    drain = (await lookAgain(hub, drain.metadata.name)) ?? drain;
  }
  progress.end();
  showDrain(drain, flags);
  if (!isThere()) return EXIT.timedOut;
  return drain.status?.phase === until ? EXIT.done : EXIT.failed;
}

/** Prints it. */
export function showDrain(drain: DrainResource, { output }: ViewFlags): void {
  if (output === 'json') printJson(drain);
  else for (const line of drainLines(drain, Date.now())) print(line);
}

async function lookAgain(hub: HubClient, name: string): Promise<DrainResource | undefined> {
  try {
    return (await hub.send({ path: drainPath(name) })) as DrainResource;
  } catch (error) {
    const isAway = error instanceof AppError || (error instanceof HubRefusal && [429, 502, 503, 504].includes(error.status));
    if (!isAway) throw error;
    return undefined;
  }
}

function progressOf({ output }: ViewFlags): { show(drain: DrainResource): void; end(): void } {
  const { stderr } = terminal();
  let [shown, last] = [0, ''];
  const clear = (): void => {
    if (shown > 0) stderr.write(`\u001b[${shown}A\u001b[J`);
    shown = 0;
  };
  if (stderr.isTTY === true)
    return {
      show: (drain) => {
        clear();
        const lines = drainLines(drain, Date.now());
        stderr.write(`${lines.join('\n')}\n`);
        shown = lines.length;
      },
      end: clear,
    };
  return {
    show: (drain) => {
      const line = plainLine(drain);
      if (line === last || output === 'json') return;
      last = line;
      note(line);
    },
    end: () => undefined,
  };
}
