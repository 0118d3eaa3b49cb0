/** What a command reads from and writes to: those of the process, or those that its caller gave it. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Where text goes. */
export interface TextOutput {
  readonly isTTY?: boolean | undefined;
  /** Of a terminal. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

/** The outside of one command; `process` is one. */
export interface Terminal {
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: NodeJS.ProcessEnv;
}

const given = new AsyncLocalStorage<Terminal>();

/** The terminal of the command that runs now. */
export function terminal(): Terminal {
  return given.getStore() ?? process;
}

/** Runs something, and all that it awaits, on a terminal of its own. */
export function onTerminal<T>(own: Terminal, run: () => Promise<T>): Promise<T> {
  return given.run(own, run);
}
