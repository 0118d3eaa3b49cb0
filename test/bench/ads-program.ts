/** The Go program of the benchmarks (`test/bench/xds`): go-control-plane as the peer, and the one client for every server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ROOT } from '../../deploy/demo/processes.ts';
import { Inbox } from '../kit/inbox.ts';

const SOURCES = join(ROOT, 'test/bench/xds');
const BUILD_MS = 600_000;
const ANSWER_MS = 120_000;

/** What the program says, one JSON object a line. */
export interface ProgramEvent {
  readonly event: 'listening' | 'full' | 'change' | 'dumped';
  readonly address?: string;
  /** Microseconds of the monotonic clock. */
  readonly started?: number;
  readonly number?: number;
  /** When each stream had it, by stream, microseconds of the monotonic clock. */
  readonly at?: readonly number[];
  readonly counts?: readonly number[];
}

let built: Promise<string> | undefined;

/** Path of the built program; the build is cached by Go. Throws a sentence that says what is missing. */
export function adsProgram(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const path = join(ROOT, 'node_modules/.cache/hawser/bench-xds');
  const args = ['build', '-buildvcs=false', '-trimpath', '-o', path, '.'];
  try {
    await promisify(execFile)('go', args, { cwd: SOURCES, timeout: BUILD_MS, env: { ...process.env, CGO_ENABLED: '0' } });
  } catch (error) {
    const cause = error as { code?: unknown; stderr?: string };
    if (cause.code === 'ENOENT') throw new Error('this benchmark needs Go on the PATH, for its peer: install Go 1.26 (https://go.dev/dl)');
    throw new Error(`the Go program of the benchmarks does not build: ${cause.stderr?.trim() || String(error)}`);
  }
  return path;
}

/** The monotonic clock that the program reads too, in microseconds. */
export function monotonic(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** A running role of the program. */
export class AdsProcess {
  readonly #child: ChildProcess;
  readonly #events = new Inbox<ProgramEvent>();
  #stderr = '';

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdout, stderr, stdin } = this.#child;
    if (stdout === null || stderr === null || stdin === null) throw new Error('a child without pipes');
    stdin.on('error', () => undefined); // it ended, which its exit tells
    stderr.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-2_000);
    });
    createInterface(stdout).on('line', (line) => this.#events.put(JSON.parse(line) as ProgramEvent));
    this.#child.once('close', (code, signal) => {
      this.#events.end(`${args[0]} ended (${signal ?? code}): ${this.#stderr.trim()}`);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** A line on its stdin. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next event of a kind that satisfies the condition, taken out; throws when the program ends or it takes too long. */
  next(kind: ProgramEvent['event'], matches: (event: ProgramEvent) => boolean = () => true): Promise<ProgramEvent> {
    return this.#events.take({ matches: (event) => event.event === kind && matches(event), what: `"${kind}"`, withinMs: ANSWER_MS });
  }

  async stop(): Promise<void> {
    if (this.#events.ended !== undefined) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
