/**
 * The API server of Kubernetes for tests: a Go program (`test/kubernetes/apiserver`) that is built once, at the lowest priority, and kept
 * under `.tools` by the hash of what it is made from.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { available } from './requirements.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = join(ROOT, 'test/kubernetes/apiserver');
const TOOLS = join(ROOT, '.tools');
const LOOK_MS = 250;
const UNSIGNED_MS = 5_000;

/** Longest build on a machine that has other things to do too, milliseconds: for the hook that starts the first server. */
export const BUILD_MS = 3_600_000;

/** The release that go.mod names, such as `v1.34.4`. */
const VERSION = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(SOURCES, 'go.mod'), 'utf8'))?.[1] ?? 'v0.0.0';

/** No other flags for the compiler: Go's own packages are then often compiled already, for other programs. */
const ARGS = ['build', '-buildvcs=false', '-trimpath', `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${VERSION}`];

/** Whether tests with real API servers can run here: Go to build them, unless they are built, and etcd to hold what they are told. */
export function canRunKubernetes(): boolean {
  const needs = [existsSync(binaryPath()) || available('go'), available('etcd')];
  return needs.every(Boolean);
}

let built: Promise<string> | undefined;

/** Path of the built program, built first if need be: minutes. One process builds it, the others wait. */
export function kubeApiserverBinary(): Promise<string> {
  built ??= ensureBuilt();
  return built;
}

function binaryPath(): string {
  const hash = createHash('sha256').update(ARGS.join(' '));
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, file)));
  return join(TOOLS, 'bin', `kube-apiserver-${VERSION}-${hash.digest('hex').slice(0, 12)}`);
}

async function ensureBuilt(): Promise<string> {
  const path = binaryPath();
  while (!existsSync(path)) {
    const release = lock(`${path}.lock`);
    if (release === undefined) await wait(LOOK_MS);
    else await build(path).finally(release);
  }
  return path;
}

async function build(path: string): Promise<void> {
  if (existsSync(path)) return; // by whoever had the lock before
  const unfinished = `${path}.${process.pid}`;
  const child = spawn('nice', ['-n', '19', 'go', ...ARGS, '-o', unfinished, '.'], {
    cwd: SOURCES,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4_000);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0) throw new Error(`test/kubernetes/apiserver does not build: ${said.trim()}`);
  renameSync(unfinished, path);
}

/** A folder is the lock; undefined while another process that lives has it. */
function lock(folder: string): (() => void) | undefined {
  const owner = join(folder, 'pid');
  mkdirSync(join(TOOLS, 'bin'), { recursive: true });
  try {
    mkdirSync(folder);
  } catch {
    if (!isAbandoned(folder, owner)) return undefined;
    rmSync(folder, { recursive: true, force: true });
    return lock(folder);
  }
  writeFileSync(owner, String(process.pid));
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Its owner has died; one that nobody has signed for seconds was left between two lines. */
function isAbandoned(folder: string, owner: string): boolean {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  return Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > UNSIGNED_MS;
}
