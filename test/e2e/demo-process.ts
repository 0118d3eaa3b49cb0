/** The demo as its users start it: one command, its output, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDemoFile, recordedProcesses } from '../../deploy/demo/demo-file.ts';
import { freePort } from '../kit/ports.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A demo of its own: state, addresses and ports that no other uses. */
export interface DemoProcess {
  readonly child: ChildProcess;
  readonly stateDir: string;
  /** Everything it printed so far. */
  output(): string;
  /** Resolves when it printed the text; rejects with its output when it ended first. */
  printed(text: string): Promise<void>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  /** Processes it has recorded in `demo.json`. */
  pids(): number[];
}

/** Makes the state folder of one demo. */
export function demoState(): { readonly stateDir: string; remove(): void } {
  const stateDir = mkdtempSync(join(tmpdir(), 'hawser-demo-'));
  return { stateDir, remove: () => rmSync(stateDir, { recursive: true, force: true }) };
}

/** Starts `npm run demo`'s program with the given flags, on loopback addresses `BASE.x.y`. */
export async function startDemoProcess(stateDir: string, loopbackBase: string, flags: readonly string[]): Promise<DemoProcess> {
  const ports = { HAWSER_HUB_PORT: '', HAWSER_INGRESS_PORT: '', HAWSER_POSTGRES_PORT: '', HAWSER_NATS_PORT: '' };
  for (const name of Object.keys(ports)) Object.assign(ports, { [name]: String(await freePort()) });
  const env = { ...process.env, ...ports, HAWSER_LOOPBACK_BASE: loopbackBase };
  const argv = ['deploy/setup/run.mjs', 'deploy/demo/main.ts', '--state-dir', stateDir, ...flags];
  const child = spawn(process.execPath, argv, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const heard: (() => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const listener of heard) listener();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      heard.push(look);
      look();
      void ended.then((code) => reject(new Error(`the demo ended with ${code} before it printed "${text}":\n${output}`)));
    });
  return { child, stateDir, output: () => output, printed, ended, pids: () => recordedPids(stateDir) };
}

function recordedPids(stateDir: string): number[] {
  const file = readDemoFile(stateDir);
  return file === undefined ? [] : recordedProcesses(file).map(({ pid }) => pid);
}
