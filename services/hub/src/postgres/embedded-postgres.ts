/** The PostgreSQL that the hub brings itself when no DSN is given: kept data, adopted orphans, restarts. */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { createDatabaseIfMissing, reachable } from '../db/connect.ts';
import { postgresBinaries } from './binaries.ts';
import { type DataFolder, dataPath, openDataFolder, SUPERUSER } from './data-folder.ts';
import {
  findServer,
  processGone,
  requireFreePort,
  type ServerCommand,
  type ServerProcess,
  serverCommand,
  startServer,
  stopServer,
} from './postmaster.ts';
import { type ServerUser, serverUser } from './server-user.ts';

/** What the embedded server needs. */
export interface EmbeddedPostgresOptions {
  readonly stateDir: string;
  readonly port: number;
  readonly log: Logger;
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  readonly dsn: string;
  /** The process as it is now; it changes when the server was restarted. */
  readonly process: ServerProcess;
  /** Stops the server, whoever started it, and its supervision. */
  stop(): Promise<void>;
}

const DATABASE = 'hawser';
const START_DEADLINE_MS = 30_000;
const RESTART = { baseMs: 100, maxMs: 5_000 };

interface Server {
  readonly command: ServerCommand;
  readonly folder: DataFolder;
  readonly user: ServerUser;
  readonly port: number;
  readonly log: Logger;
  readonly aborter: AbortController;
  pid: number;
}

/**
 * Starts the server on `<state-dir>/hub/postgres`, or adopts the one that a killed hub left there, and keeps it
 * running. Throws `port-taken`, `postgres-not-started`, and what opening the data folder throws.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { stateDir, port, log } = options;
  const binaries = postgresBinaries();
  const user = serverUser([`${dataPath(stateDir)}/PG_VERSION`, binaries.postgres]);
  const folder = await openDataFolder(stateDir, binaries, user);
  const command = serverCommand(binaries.postgres, folder.path, port, user);
  const server: Server = { command, folder, user, port, log, aborter: new AbortController(), pid: 0 };
  const first = await adoptOrStart(server, AbortSignal.timeout(START_DEADLINE_MS));
  const dsn = dsnOf(server, DATABASE);
  await createDatabaseIfMissing(dsnOf(server, 'postgres'), DATABASE);
  const supervision = supervise(server, first);
  return {
    dsn,
    get process() {
      return { pid: server.pid, ...command };
    },
    stop: async () => {
      server.aborter.abort();
      await supervision;
      await stopServer(findServer(folder.path)?.pid ?? server.pid, folder.path);
    },
  };
}

/** Ends when the server does. In an object, because a promise of a promise would wait for it. */
interface Life {
  readonly exited: Promise<void>;
}

/** Leaves `server.pid` at a server that answers. */
async function adoptOrStart(server: Server, deadline: AbortSignal): Promise<Life> {
  const { folder, port, log } = server;
  for (let attempt = 0; ; attempt += 1) {
    const found = findServer(folder.path);
    if (found !== undefined && found.port !== port) {
      log.info({ pid: found.pid, port: found.port }, 'stopping the PostgreSQL of an earlier hub: it has another port');
      await stopServer(found.pid, folder.path);
      continue;
    }
    const life = found === undefined ? await start(server) : adopt(server, found.pid);
    if (await answers(server, life.exited, deadline)) return life;
    if (deadline.aborted || server.aborter.signal.aborted) {
      throw new AppError('postgres-not-started', `PostgreSQL did not start on port ${port}; its log is ${folder.logFile}`);
    }
    await sleep(backoffMs(attempt, RESTART), server.aborter.signal);
  }
}

async function start(server: Server): Promise<Life> {
  await requireFreePort(server.port);
  const { pid, exited } = startServer(server.command, server.folder.logFile, server.user);
  server.pid = pid;
  return { exited };
}

function adopt(server: Server, pid: number): Life {
  server.pid = pid;
  server.log.info({ pid }, 'adopted a running PostgreSQL');
  return { exited: processGone(pid, server.folder.path, server.aborter.signal) };
}

/** Whether the server answers before it ends or the deadline is over. */
async function answers(server: Server, exited: Promise<void>, deadline: AbortSignal): Promise<boolean> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  while (!ended && !deadline.aborted) {
    if (await reachable(dsnOf(server, 'postgres'))) return true;
    await sleep(20 + backoffMs(0, { baseMs: 30, maxMs: 30 }));
  }
  return false;
}

/** Brings the server back whenever it ends, until stopping; if somebody else already did, adopts that one. */
async function supervise(server: Server, first: Life): Promise<void> {
  const { signal } = server.aborter;
  const stopping = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  let life = first;
  for (let attempt = 0; ; ) {
    await Promise.race([life.exited, stopping]);
    if (signal.aborted) return;
    server.log.warn({ pid: server.pid }, 'PostgreSQL ended; bringing it back');
    await sleep(backoffMs(attempt, RESTART), signal);
    if (signal.aborted) return;
    try {
      life = await adoptOrStart(server, AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)]));
      attempt = 0;
    } catch (error) {
      attempt += 1;
      if (!signal.aborted) server.log.error({ error: messageOf(error) }, 'PostgreSQL could not be brought back');
      life = { exited: Promise.resolve() };
    }
  }
}

function dsnOf(server: Server, database: string): string {
  return `postgresql://${SUPERUSER}:${server.folder.password}@127.0.0.1:${server.port}/${database}`;
}
