/** Lets a process stand still, as a machine that hangs does. */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

const LOOK_MS = 2;

/** SIGSTOP, until every thread stands still: the signal goes to one of them, and the others run on until that one has its turn. Linux only; `SIGCONT` ends it. */
export async function standStill(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  while (!threadStates(pid).every((state) => state === 'T')) await wait(LOOK_MS);
}

/** A process stands still until this is done. */
export async function frozen(child: ChildProcess, during: () => Promise<void>): Promise<void> {
  await standStill(child.pid ?? 0);
  try {
    await during();
  } finally {
    child.kill('SIGCONT');
  }
}

/** One letter a thread (proc(5), stat, field 3). A thread that has just ended has none. */
function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return [/\) (\S)/.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))?.[1] ?? ''];
    } catch {
      return [];
    }
  });
}
