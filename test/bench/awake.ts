/** Processors that do not sleep: what a hypervisor takes to run a halted one again is the machine's, and no hop's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/**
 * Runs `work` while each processor has something to do that gives way to everything else (`SCHED_IDLE`, by util-linux's chrt).
 * A machine without chrt is measured as it is.
 */
export async function awake<T>(work: () => Promise<T>): Promise<T> {
  const spinners = await Promise.all(Array.from({ length: availableParallelism() }, spinner));
  try {
    return await work();
  } finally {
    for (const one of spinners) one?.kill('SIGKILL');
  }
}

async function spinner(): Promise<ChildProcess | undefined> {
  const child = spawn('chrt', ['--idle', '0', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' });
  const started = await once(child, 'spawn').then(
    () => true,
    () => false,
  );
  return started ? child : undefined;
}
