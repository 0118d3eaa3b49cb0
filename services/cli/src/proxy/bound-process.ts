/** Child processes that never outlive this one, not even when it is SIGKILLed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

/** A running child. */
export interface BoundProcess {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code; 128 + the signal's number when a signal ended it. */
  readonly exited: Promise<number>;
}

/** What ends the child with us. */
export type Binding = 'kernel' | 'watchdog';

/** Waits for our word before it becomes the program: if we end before everything is bound, it reads the end of the pipe and ends too. */
const GATE = ['sh', '-c', 'read -r go && exec "$@" </dev/null', 'sh'];

/**
 * Starts a program in a session of its own (a Ctrl-C in the terminal reaches this process alone, which then drains it), bound to this
 * process's life: by the kernel's parent-death signal where `setpriv` can set it, else by a watchdog that waits for the end of a pipe.
 */
export function startBound(command: string, args: readonly string[], binding: Binding = availableBinding()): BoundProcess {
  const kernel = binding === 'kernel';
  const [program = '', ...rest] = [...(kernel ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []), ...GATE, command, ...args];
  const child = spawn(program, rest, { detached: true, stdio: ['pipe', 'inherit', 'inherit'] });
  const watchdog = kernel || child.pid === undefined ? undefined : startWatchdog(child.pid);
  child.stdin.on('error', () => {}); // it ended first, which `exited` tells
  child.stdin.end('go\n');
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${command} did not start: ${error.message}`)));
    child.once('exit', (code, signal) => {
      watchdog?.kill('SIGKILL');
      resolve(code ?? 128 + signalNumber(signal));
    });
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), exited };
}

function availableBinding(): Binding {
  if (process.platform !== 'linux') return 'watchdog';
  const { status } = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore', timeout: 2000 });
  return status === 0 ? 'kernel' : 'watchdog';
}

/** `read` returns when our end of the pipe closes, however we ended; nothing is polled. */
function startWatchdog(pid: number): ChildProcess {
  const watchdog = spawn('sh', ['-c', 'read ignored; kill -KILL "$0" 2>/dev/null', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.unref();
  return watchdog;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

function signalNumber(signal: NodeJS.Signals | null): number {
  return SIGNAL_NUMBERS[signal ?? ''] ?? 0;
}
