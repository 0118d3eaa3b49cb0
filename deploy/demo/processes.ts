/** Processes that the demo and the benchmarks start: recorded so that an outsider can start them again, and never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { ProcessRecord as RecordedProcess } from '@hawser/runtime/process-record.ts';

/** A process as `demo.json` records it: as every state folder does, always with its admin port. */
export type ProcessRecord = Required<RecordedProcess>;

/** How to start a process. */
export interface ProcessSpec {
  /** Unique; names its log file. */
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly address: string;
  readonly adminPort: number;
}

/** A process that was started here, perhaps more than once. */
export interface Supervised {
  readonly spec: ProcessSpec;
  record: ProcessRecord;
  child: ChildProcess;
  /** Set while its end is wanted: an end without it is reported. */
  ending: boolean;
}

/** The repository's root, the working directory of every process. */
export const ROOT = join(import.meta.dirname, '../..');
/** How to run a product command: `hawser ARGS` is `[...HAWSER, ...ARGS]`. */
export const HAWSER: readonly [string, string] = [process.execPath, join(ROOT, 'services/cli/bin/hawser.mjs')];
const SETPRIV = '/usr/bin/setpriv';

/** Starts, ends and restarts processes; `onUnexpectedEnd` hears of those that nobody here ended. */
export class ProcessSet {
  readonly #logs: string;
  readonly #onUnexpectedEnd: (process: Supervised, how: string) => void;
  readonly #all = new Map<string, Supervised>();
  #closed = false;

  constructor(logs: string, onUnexpectedEnd: (process: Supervised, how: string) => void) {
    this.#logs = logs;
    this.#onUnexpectedEnd = onUnexpectedEnd;
  }

  /** All that were started and not forgotten, in the order of their first start. */
  get all(): readonly Supervised[] {
    return [...this.#all.values()];
  }

  /** Starts a process in a group of its own, its output in a log file; the kernel ends it with this process where it can. */
  start(spec: ProcessSpec): Supervised {
    const env = { ...inherited(), ...spec.env };
    const { child, pid } = this.#spawn(spec, env);
    const record = { pid, argv: spec.argv, env, cwd: ROOT, address: spec.address, adminPort: spec.adminPort };
    const one: Supervised = { spec, record, child, ending: false };
    this.#all.set(spec.name, one);
    this.#watch(one);
    return one;
  }

  /** From now on nothing is started: what is still on its way up must not outlive the end. */
  close(): void {
    this.#closed = true;
  }

  /** SIGKILL to all that lives, without waiting: the last thing an ending process can do. */
  sweep(): void {
    this.close();
    for (const { record } of this.all.filter(isLiving)) signalGroup(record.pid, 'SIGKILL');
  }

  /** Starts it again, as it was. */
  restart(one: Supervised): void {
    const { child, pid } = this.#spawn(one.spec, one.record.env);
    one.record = { ...one.record, pid };
    one.child = child;
    one.ending = false;
    this.#watch(one);
  }

  /** SIGKILL, to all in one go; resolves with the time of the last kill (Unix, ms) when all are gone. */
  async kill(...victims: readonly Supervised[]): Promise<number> {
    for (const one of victims) {
      one.ending = true;
      signalGroup(one.record.pid, 'SIGKILL');
    }
    const at = Date.now();
    await Promise.all(victims.map(exited));
    return at;
  }

  /** SIGTERM, and SIGKILL for what is still there after `graceMs`. */
  async stop(victims: readonly Supervised[], graceMs: number): Promise<void> {
    const living = victims.filter(isLiving);
    for (const one of living) {
      one.ending = true;
      one.child.kill('SIGTERM');
    }
    await Promise.race([Promise.all(living.map(exited)), sleep(graceMs)]);
    await this.kill(...living.filter(isLiving));
  }

  /** The end of a process's log, for messages. */
  logTail(one: Supervised, lines = 12): string {
    return readFileSync(this.logFile(one.spec), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  logFile(spec: ProcessSpec): string {
    return join(this.#logs, `${spec.name}.log`);
  }

  #spawn(spec: ProcessSpec, env: Readonly<Record<string, string>>): { child: ChildProcess; pid: number } {
    if (this.#closed) throw new Error(`${spec.name} is not started: everything is being stopped`);
    const log = openSync(this.logFile(spec), 'a', 0o600);
    try {
      const argv = leashed() ? [SETPRIV, '--pdeathsig', 'TERM', '--', ...spec.argv] : spec.argv;
      const [program = '', ...args] = argv;
      const child = spawn(program, args, { cwd: ROOT, env, detached: true, stdio: ['ignore', log, log] });
      child.on('error', () => {}); // no pid then, which is said below
      if (child.pid === undefined) throw new Error(`cannot start ${spec.name}: ${spec.argv.join(' ')}`);
      return { child, pid: child.pid };
    } finally {
      closeSync(log);
    }
  }

  #watch(one: Supervised): void {
    const { child } = one;
    child.once('exit', (code, signal) => {
      if (!one.ending && one.child === child) this.#onUnexpectedEnd(one, signal ?? `exit code ${code}`);
    });
  }
}

/** True until its end was seen. */
export function isLiving(one: Supervised): boolean {
  return one.child.exitCode === null && one.child.signalCode === null;
}

function exited(one: Supervised): Promise<void> {
  if (!isLiving(one)) return Promise.resolve();
  return new Promise((resolve) => one.child.once('exit', () => resolve()));
}

/** The part of our environment that processes get, and that their records show. */
function inherited(): Record<string, string> {
  const wanted = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER'];
  const chosen = Object.entries(process.env).filter(([name]) => wanted.includes(name) || /^(HAWSER|NODE)_/.test(name));
  const cache = { NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/hawser') };
  return { ...cache, ...Object.fromEntries(chosen.map(([name, value]) => [name, value ?? ''])) };
}

let setprivThere: boolean | undefined;
function leashed(): boolean {
  if (setprivThere === undefined) {
    try {
      accessSync(SETPRIV, constants.X_OK);
      setprivThere = process.platform === 'linux';
    } catch {
      setprivThere = false;
    }
  }
  return setprivThere;
}

/** Signals a process group, or the process alone where it leads none; silent when it is gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // gone, or not the leader of a group
    }
  }
}

/**
 * True when `pid` lives and runs this command: the number may have been given to another program since. A first part that
 * replaced itself (`setpriv … postgres …`) is not seen any more, so what runs may be the end of `argv`.
 */
export function runsArgv(pid: number, argv: readonly string[]): boolean {
  const command = commandOf(pid);
  const end = argv.slice(-command.length);
  return command.length > 1 && command.length === end.length && command.every((part, index) => part === end[index]);
}

/** Processes that run one of these commands, whoever started them: an outsider restarts by `argv`. */
export function pidsRunning(commands: readonly (readonly string[])[]): number[] {
  const wanted = new Set(commands.map((argv) => argv.join('\0')));
  let pids: number[] = [];
  try {
    pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    // no /proc: only what was started here is known
  }
  return pids.filter((pid) => wanted.has(commandOf(pid).join('\0')));
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** This process, by the command it was started with. */
export function ownRecord(): ProcessRecord {
  let argv: readonly string[] = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  try {
    argv = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1); // run.mjs changes process.argv
  } catch {
    // no /proc: the above is close enough
  }
  return { pid: process.pid, argv, env: {}, cwd: process.cwd(), address: '127.0.0.1', adminPort: 0 };
}
