/** Commands for tests: in this process, as fast as they are; or spawned, as users start them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

/** A way to a hub on which something happens between one request and the next. */
export async function between(url: string, happens: (request: number) => Promise<void>) {
  let count = 0;
  const server = createServer(async (request, response) => {
    count += 1;
    await happens(count);
    const answer = await fetch(`${url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: { authorization: request.headers.authorization ?? '' },
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.flushHeaders();
    for await (const chunk of answer.body ?? []) response.write(chunk);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
