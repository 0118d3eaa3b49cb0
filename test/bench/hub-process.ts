/** The hub as `hawser hub run` starts it, with its own PostgreSQL and NATS, for benchmarks of the hub alone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../services/cli/bin/hawser.mjs');
const START_MS = 60_000;
/** A file system in memory, where there is one. */
const MEMORY = '/dev/shm';

/** A hub with a folder of its own, on the ports that the environment names or the benchmark's own. */
export class HubUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), 'hawser-bench-hub-'));
  readonly url: string;
  /**
   * Where NATS stores. It syncs every message, and 100,000 shards at once would measure the disk; what it holds can be rebuilt, so
   * it is in memory here. PostgreSQL is on the disk.
   */
  readonly #store = existsSync(MEMORY) ? mkdtempSync(join(MEMORY, 'hawser-bench-nats-')) : undefined;
  #child: ChildProcess | undefined;

  constructor() {
    const nats = join(this.folder, 'hub/nats');
    mkdirSync(nats, { recursive: true, mode: 0o700 });
    if (this.#store !== undefined) symlinkSync(this.#store, join(nats, 'data'));
    this.url = `http://127.0.0.1:${process.env['HAWSER_HUB_PORT'] || 18_080}`;
  }

  /** The administrator's token, once the hub is up. */
  get token(): string {
    return readFileSync(join(this.folder, 'admin.token'), 'utf8').trim();
  }

  /** The hub's resident memory now, MiB. */
  get rssMib(): number {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#hubPid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  }

  /** Processor seconds used so far by the hub, its servers and this process: what another program's load does not change much. */
  cpuSeconds(): Readonly<Record<string, number>> {
    const { hub, postgres, nats } = this.#processes;
    const { user, system } = process.cpuUsage();
    return {
      hub: cpuOf(hub.pid),
      postgres: postgres === undefined ? 0 : cpuOf(postgres.pid),
      nats: nats === undefined ? 0 : cpuOf(nats.pid),
      agents: (user + system) / 1e6,
    };
  }

  get #hubPid(): number {
    return this.#processes.hub.pid;
  }

  get #processes(): { readonly hub: Pid; readonly postgres?: Pid; readonly nats?: Pid } {
    return JSON.parse(readFileSync(join(this.folder, 'hub/processes.json'), 'utf8')) as { hub: Pid };
  }

  async start(): Promise<void> {
    const ports = [
      ...['--port', new URL(this.url).port],
      ...['--postgres-port', process.env['HAWSER_POSTGRES_PORT'] || '15432', '--nats-port', process.env['HAWSER_NATS_PORT'] || '14222'],
    ];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_') || name.endsWith('_BIN'));
    const log = openSync(join(this.folder, 'hub.log'), 'w');
    const child = spawn(process.execPath, [BIN, 'hub', 'run', ...ports], {
      env: { ...Object.fromEntries(inherited), HAWSER_STATE_DIR: this.folder },
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    this.#child = child;
    for (const end = Date.now() + START_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
      if (child.exitCode !== null) throw new Error(`the hub ended: ${readFileSync(join(this.folder, 'hub.log'), 'utf8')}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.ok === true) return;
    }
    throw new Error(`the hub did not start: ${readFileSync(join(this.folder, 'hub.log'), 'utf8')}`);
  }

  /** Ends it with the servers it brought, and removes its folder. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    for (const folder of [this.folder, this.#store]) if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

interface Pid {
  readonly pid: number;
}

/** Linux counts in hundredths of a second. */
const TICKS = 100;

/** Seconds of a process and its children, those that ended included (proc(5), `stat`: 14 to 17). */
function cpuOf(pid: number): number {
  const [own = 0, kernel = 0, waited = 0, waitedKernel = 0] = statOf(pid).slice(11, 15);
  const tree = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(tree) ? readFileSync(tree, 'utf8').split(' ').filter(Boolean) : [];
  return (own + kernel + waited + waitedKernel) / TICKS + children.reduce((sum, child) => sum + cpuOf(Number(child)), 0);
}

/** The fields after the command, which may hold anything; zeros when the process has ended. */
function statOf(pid: number): number[] {
  const file = `/proc/${pid}/stat`;
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
        .map(Number)
    : [];
}
