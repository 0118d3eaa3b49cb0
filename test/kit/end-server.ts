/** The end of a server that a test started. */
import type { ChildProcess } from 'node:child_process';

/** Ends a process by a signal, and waits for its end. */
export function endServer(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
