/** One PostgreSQL server process on a data folder: found, started, stopped. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { prepareLog } from './data-folder.ts';
import type { ServerUser } from './server-user.ts';

/** A process as an outsider can start it again: `argv` from `cwd` with `env`. */
export interface ServerProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** How to start the server. */
export type ServerCommand = Omit<ServerProcess, 'pid'>;

const LOG_BYTES = 16 * 1024 * 1024;
const POLL_MS = 25;

/** The command of a server that only listens on 127.0.0.1. */
export function serverCommand(postgres: string, dataFolder: string, port: number, user: ServerUser): ServerCommand {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '60',
    shared_buffers: '64MB',
    log_min_messages: 'warning',
    log_line_prefix: '%m [%p] ',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return {
    argv: [...user.argvPrefix, postgres, '-D', dataFolder, '-p', String(port), ...flags],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    cwd: '/',
  };
}

/** The live server of a data folder by its `postmaster.pid` (line 1 the pid, line 4 the port), or undefined. */
export function findServer(dataFolder: string): { readonly pid: number; readonly port: number } | undefined {
  const lines = readLines(join(dataFolder, 'postmaster.pid'));
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 && isServerOf(pid, dataFolder) ? { pid, port } : undefined;
}

/** Starts the server detached, so that a Ctrl-C meant for the hub does not end it before the hub is done with it. */
export function startServer(command: ServerCommand, logFile: string, user: ServerUser): { pid: number; exited: Promise<void> } {
  const log = openSync(logFile, 'a', 0o600);
  try {
    prepareLog(logFile, user);
    if (statSync(logFile).size > LOG_BYTES) truncateSync(logFile);
    const [program = '', ...args] = command.argv;
    const child = spawn(program, args, { env: { ...command.env }, cwd: command.cwd, stdio: ['ignore', log, log], detached: true });
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    child.unref();
    if (child.pid === undefined) throw new AppError('postgres-not-started', `cannot run ${program}`);
    return { pid: child.pid, exited };
  } finally {
    closeSync(log);
  }
}

/** Resolves when the process has ended, or at `signal`. For processes that are not our children. */
export async function processGone(pid: number, dataFolder: string, signal?: AbortSignal): Promise<void> {
  while (signal?.aborted !== true && isServerOf(pid, dataFolder)) await sleep(POLL_MS * 8, signal);
}

/** Fast shutdown (SIGINT), and after `deadlineMs` an immediate one (SIGQUIT); resolves when the process is gone. */
export async function stopServer(pid: number, dataFolder: string, deadlineMs = 10_000): Promise<void> {
  for (const [name, limit] of [
    ['SIGINT', deadlineMs],
    ['SIGQUIT', 3_000],
    ['SIGKILL', 2_000],
  ] as const) {
    if (!isServerOf(pid, dataFolder)) return;
    kill(pid, name);
    await processGone(pid, dataFolder, AbortSignal.timeout(limit));
  }
}

/** Throws `port-taken` unless the port can be bound. */
export async function requireFreePort(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause) => {
      const message = `port ${port} on 127.0.0.1 is taken, and PostgreSQL needs it: stop what uses it, or choose --postgres-port`;
      reject(new AppError('port-taken', message, { cause }));
    });
    probe.listen({ port, host: '127.0.0.1' }, () => probe.close(() => resolve()));
  });
}

/** Whether `pid` lives and serves this folder: a recycled pid of another program must not be taken for it. */
function isServerOf(pid: number, dataFolder: string): boolean {
  if (!kill(pid, 0)) return false;
  const commandLine = readLines(`/proc/${pid}/cmdline`, '\0');
  const state = /^State:\s+(\w)/m.exec(readLines(`/proc/${pid}/status`).join('\n'))?.[1];
  if (state === 'Z') return false;
  return commandLine.length === 0 || commandLine.includes(dataFolder);
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

function readLines(path: string, separator = '\n'): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split(separator);
  } catch {
    return [];
  }
}
