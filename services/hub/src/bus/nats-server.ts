/** The NATS server that the hub brings itself: started, adopted, watched, restarted and stopped as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import { privateFolder, readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { endProcess, isAlive, type ProcessRecord, runsCommand } from '@hawser/runtime/process-record.ts';
import { probeNats } from './nats-probe.ts';

/** What the server needs. Its data, log, pid file and configuration are in `STATE_DIR/hub/nats`, its record beside. */
export interface NatsServerOptions {
  readonly stateDir: string;
  readonly host: string;
  readonly port: number;
  /** Unique to this state folder: the server is recognised by it after the hub was killed. */
  readonly serverName: string;
  /** Text of the server's configuration file. */
  readonly config: string;
  /** Whether clients are served by TLS. */
  readonly tls?: boolean;
  readonly log: Logger;
  /** Called with each new process: the first, and those that replace it. */
  readonly onProcess?: (record: ProcessRecord) => void;
}

/** A running server. */
export interface NatsServer {
  readonly url: string;
  readonly record: ProcessRecord;
  /** Has the server read its certificate again. */
  reload(): Promise<void>;
  /** Gives it another configuration, which it reads without a restart. */
  configure(config: string): Promise<void>;
  /** Ends a server that stores nothing, so that another one starts in its place; not while its disk is full, which that would not help. */
  renew(): Promise<void>;
  /** Ends the server and its supervision. */
  stop(): Promise<void>;
}

const POLL_MS = 250;
const START_DEADLINE_MS = 15_000;
const STOP_GRACE_MS = 10_000;
/** How long a live server of this folder may be silent (it may be recovering its streams) before it is replaced. */
const SILENT_MS = 5000;
/** Free bytes with which a server is worth another start. */
const ROOM = 4 * 1024 * 1024;
const RENEW_AT_MOST_EVERY_MS = 60_000;
/** A server that lived this long starts with a short delay when it dies. */
const STEADY_MS = 30_000;

/** Starts the server, or adopts the one a killed hub left; fails with `port-taken` when a stranger has the port. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const supervisor = new Supervisor(options);
  await supervisor.begin();
  return supervisor;
}

class Supervisor implements NatsServer {
  readonly #options: NatsServerOptions;
  readonly #folder: string;
  #config: string;
  readonly #argv: readonly string[];
  readonly #aborter = new AbortController();
  #record: ProcessRecord | undefined;
  #renewedAt = 0;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: NatsServerOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#folder = privateFolder(join(options.stateDir, 'hub', 'nats'));
    const file = (name: string): string => join(this.#folder, name);
    this.#argv = [natsServerBinary(), '-c', file('nats.conf'), '-n', options.serverName, '-P', file('nats.pid'), '-l', file('nats.log')];
  }

  get url(): string {
    return `${this.#options.tls === true ? 'tls' : 'nats'}://${this.#options.host}:${this.#options.port}`;
  }

  get record(): ProcessRecord {
    if (this.#record === undefined) throw new AppError('nats-not-started', 'the NATS server was not started yet');
    return this.#record;
  }

  async begin(): Promise<void> {
    const changed = await this.#writeConfig();
    await this.#adoptOrStart(changed);
    this.#supervision = this.#supervise();
  }

  async reload(): Promise<void> {
    const pid = await this.#ownPid();
    if (pid !== undefined) process.kill(pid, 'SIGHUP');
  }

  async configure(config: string): Promise<void> {
    this.#config = config;
    if (await this.#writeConfig()) await this.reload();
  }

  async renew(): Promise<void> {
    const pid = await this.#ownPid();
    const { bavail, bsize } = await statfs(join(this.#folder, 'data'));
    const soon = Date.now() - this.#renewedAt < RENEW_AT_MOST_EVERY_MS;
    if (pid === undefined || soon || this.#aborter.signal.aborted || bavail * bsize < ROOM) return;
    this.#renewedAt = Date.now();
    this.#options.log.warn({ natsPid: pid }, 'ending a NATS server that stores nothing although its disk has room');
    await endProcess(pid, STOP_GRACE_MS);
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    await this.#supervision;
    const pid = (await this.#ownPid()) ?? this.#record?.pid;
    if (pid !== undefined && isAlive(pid)) await endProcess(pid, STOP_GRACE_MS);
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#aborter;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const since = Date.now();
      while (!signal.aborted && this.#record !== undefined && isAlive(this.#record.pid)) await sleep(POLL_MS, signal);
      if (signal.aborted) return;
      if (Date.now() - since > STEADY_MS) attempt = 0;
      this.#options.log.warn({ natsPid: this.#record?.pid, attempt }, 'the NATS server is gone');
      await sleep(POLL_MS + backoffMs(attempt, { baseMs: 500, maxMs: 10_000 }), signal);
      if (signal.aborted) return;
      await this.#adoptOrStart(false).catch((error: unknown) =>
        this.#options.log.error({ error: messageOf(error) }, 'the NATS server could not be started'),
      );
    }
  }

  /** An outsider may have restarted it by its recorded argv; then that one is ours. */
  async #adoptOrStart(configChanged: boolean): Promise<void> {
    const { port, log } = this.#options;
    const pid = await this.#ownPid();
    if (pid !== undefined && (await this.#answers(pid))) {
      if (configChanged) process.kill(pid, 'SIGHUP');
      log.info({ natsPid: pid, port }, 'adopted the running NATS server');
      return this.#keep(pid);
    }
    if (pid !== undefined) {
      log.warn({ natsPid: pid }, 'ending a NATS server of this state folder that does not answer');
      await endProcess(pid, 1000);
    }
    await this.#refuseStranger();
    await this.#start();
  }

  async #answers(pid: number): Promise<boolean> {
    for (const end = Date.now() + SILENT_MS; Date.now() < end && isAlive(pid); await sleep(50)) if (await this.#isUp()) return true;
    return false;
  }

  async #isUp(): Promise<boolean> {
    const probe = await probeNats(this.#options.host, this.#options.port);
    return probe.kind === 'nats' && probe.serverName === this.#options.serverName;
  }

  async #refuseStranger(): Promise<void> {
    const { host, port } = this.#options;
    if ((await probeNats(host, port)).kind === 'closed') return;
    throw new AppError(
      'port-taken',
      `port ${port} on ${host}, which NATS needs, is taken by another program: stop that one, or use a NATS server of your own with --nats-url`,
    );
  }

  async #start(): Promise<void> {
    const [command = '', ...args] = this.#argv;
    const child = spawn(command, args, { detached: true, stdio: 'ignore', cwd: this.#folder, env: { PATH: process.env['PATH'] ?? '' } });
    child.unref();
    await this.#healthy(child);
    if (child.pid !== undefined) await this.#keep(child.pid);
    this.#options.log.info({ natsPid: child.pid, port: this.#options.port }, 'started the NATS server');
  }

  async #healthy(child: ChildProcess): Promise<void> {
    let failure: string | undefined;
    child.once('error', (error) => {
      failure = error.message;
    });
    child.once('exit', (code, signal) => {
      failure = `it ended with ${signal ?? `code ${code}`}`;
    });
    for (const end = Date.now() + START_DEADLINE_MS; Date.now() < end; await sleep(20)) {
      if (failure !== undefined) break;
      if ((await this.#isUp()) && failure === undefined) return;
    }
    if (failure === undefined && child.pid !== undefined) await endProcess(child.pid, 0);
    const why = failure ?? `it did not answer within ${START_DEADLINE_MS / 1000} s`;
    throw new AppError('nats-not-started', `the NATS server did not start: ${why}; ${join(this.#folder, 'nats.log')} says more`);
  }

  async #keep(pid: number): Promise<void> {
    const { host, port, stateDir, onProcess } = this.#options;
    this.#record = { pid, argv: this.#argv, env: {}, cwd: this.#folder, address: `${host}:${port}` };
    await writeDurably(join(stateDir, 'hub', 'nats.json'), `${JSON.stringify(this.#record, null, 2)}\n`);
    onProcess?.(this.#record);
  }

  /** The server of this folder by its own pid file, when it lives and is that program indeed. */
  async #ownPid(): Promise<number | undefined> {
    const pid = Number(await readIfThere(join(this.#folder, 'nats.pid')));
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) && runsCommand(pid, this.#argv) ? pid : undefined;
  }

  async #writeConfig(): Promise<boolean> {
    const path = join(this.#folder, 'nats.conf');
    if ((await readIfThere(path)) === this.#config) return false;
    await writeDurably(path, this.#config);
    return true;
  }
}
