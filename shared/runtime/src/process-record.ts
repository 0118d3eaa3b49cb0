/** Processes as the state folder records them, so that an outsider can kill, adopt or restart them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AppError } from './app-error.ts';
import { sleep } from './backoff.ts';

/** One running process; running `argv` in `cwd` with `env` added starts it again. */
export interface ProcessRecord {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Variables that matter to it, beyond what every process inherits. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Where it listens, `IP:PORT`. */
  readonly address: string;
  readonly adminPort?: number;
}

/** Whether a process of this id runs; one that has ended and waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

/** Whether this process runs exactly this command: a recorded pid may have been given to another program since. */
export function runsCommand(pid: number, argv: readonly string[]): boolean {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${argv.join('\0')}\0`;
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', timeout: 2000 }).trim() === argv.join(' ');
  } catch {
    return false;
  }
}

/** Ends a process: SIGTERM, then SIGKILL after `graceMs`. Returns when it is gone; fails when even SIGKILL does not end it. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  if (await goneAfter(pid, 'SIGTERM', graceMs)) return;
  if (await goneAfter(pid, 'SIGKILL', 5000)) return;
  throw new AppError('process-stuck', `process ${pid} does not end, even by SIGKILL`);
}

async function goneAfter(pid: number, signal: NodeJS.Signals, waitMs: number): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch {
    return !isAlive(pid);
  }
  for (const end = Date.now() + waitMs; Date.now() < end; await sleep(25)) if (!isAlive(pid)) return true;
  return !isAlive(pid);
}
