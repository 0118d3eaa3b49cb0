/** Commands for tests: in this process, as fast as they are; or spawned, as users start them. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { runCommand } from './main.ts';
import { onTerminal } from './output/terminal.ts';

/** The `hawser` of this clone. */
export const BIN = join(import.meta.dirname, '../bin/hawser.mjs');

/** What a command came to. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is around a command. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** The environment with this state folder, and no hub but the one of that. */
export function environmentOf(stateDir: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_') || name.endsWith('_BIN'));
  return { ...Object.fromEntries(inherited), HAWSER_STATE_DIR: stateDir };
}

/** Runs one in this process and its folder: the whole program but the start of Node. */
export async function runHere(args: readonly string[], { env, input = '' }: Surroundings): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    stdin: (async function* () {
      yield input;
    })(),
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
    env,
  };
  const status = await onTerminal(terminal, () => runCommand(args));
  return { status, stdout, stderr };
}

/** Runs one as a process of its own in this folder. */
export function runSpawned(args: readonly string[], { env, input = '' }: Surroundings): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args], { env });
    const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
    child.once('error', reject).once('close', (status) => resolve({ status, stdout: stdout(), stderr: stderr() }));
    child.stdin.on('error', () => {}).end(input);
  });
}

/** What a stream has said so far. */
export function textOf(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
