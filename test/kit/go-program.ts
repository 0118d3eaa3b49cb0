/**
 * Programs of Kubernetes for tests, from one Go module (`test/kubernetes/apiserver`), so that what they have in common is compiled once. Each is
 * built once, at the lowest priority, and kept under `.tools` by the hash of what it is made from.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = join(ROOT, 'test/kubernetes/apiserver');
const TOOLS = join(ROOT, '.tools');
/** One build at a time: two at once would compile the same packages twice. */
const LOCK = join(TOOLS, 'bin', 'kubernetes-programs.lock');
const LOOK_MS = 250;
const UNSIGNED_MS = 5_000;

/** Longest build on a machine that has other things to do too, milliseconds: for the hook that needs the first program. */
export const BUILD_MS = 3_600_000;

/** What is built. */
export interface GoProgram {
  /** Of the file that comes out, before its version. */
  readonly name: string;
  /** Go's name of its main package; `.` is the module's own. */
  readonly package: string;
  /** The module whose release it bears. */
  readonly module: string;
  /** String variables of its packages that a release sets at link time. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The release of a module that go.mod requires, such as `v1.34.4`. */
export function releaseOf(module: string): string {
  const escaped = module.replaceAll('.', String.raw`\.`);
  return new RegExp(`^\\s*(?:require )?${escaped} (v\\S+)`, 'm').exec(readFileSync(join(SOURCES, 'go.mod'), 'utf8'))?.[1] ?? 'v0.0.0';
}

/** No other flags for the compiler: Go's own packages are then often compiled already, for other programs. */
function argsOf({ variables }: GoProgram): readonly string[] {
  const set = Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`);
  return ['build', '-buildvcs=false', '-trimpath', `-ldflags=-s -w ${set.join(' ')}`];
}

/** Where the program is once it is built. */
export function builtPath(program: GoProgram): string {
  const hash = createHash('sha256').update(`${argsOf(program).join(' ')} ${program.package}`);
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, file)));
  return join(TOOLS, 'bin', `${program.name}-${releaseOf(program.module)}-${hash.digest('hex').slice(0, 12)}`);
}

const built = new Map<string, Promise<string>>();

/** Path of the built program, built first if need be: minutes. One process builds it, the others wait. */
export function goProgram(program: GoProgram): Promise<string> {
  const known = built.get(program.name) ?? ensureBuilt(program);
  built.set(program.name, known);
  return known;
}

async function ensureBuilt(program: GoProgram): Promise<string> {
  const path = builtPath(program);
  while (!existsSync(path)) {
    const release = lock();
    if (release === undefined) await wait(LOOK_MS);
    else await build(program, path).finally(release);
  }
  return path;
}

async function build(program: GoProgram, path: string): Promise<void> {
  if (existsSync(path)) return; // by whoever had the lock before
  const unfinished = `${path}.${process.pid}`;
  const child = spawn('nice', ['-n', '19', 'go', ...argsOf(program), '-o', unfinished, program.package], {
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
  if (status !== 0) throw new Error(`${program.name} of test/kubernetes/apiserver does not build: ${said.trim()}`);
  renameSync(unfinished, path);
}

/** A folder is the lock; undefined while another process that lives has it. */
function lock(): (() => void) | undefined {
  const owner = join(LOCK, 'pid');
  mkdirSync(join(TOOLS, 'bin'), { recursive: true });
  try {
    mkdirSync(LOCK);
  } catch {
    if (!isAbandoned(owner)) return undefined;
    rmSync(LOCK, { recursive: true, force: true });
    return lock();
  }
  writeFileSync(owner, String(process.pid));
  return () => rmSync(LOCK, { recursive: true, force: true });
}

/** Its owner has died; one that nobody has signed for seconds was left between two lines. */
function isAbandoned(owner: string): boolean {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  return Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > UNSIGNED_MS;
}
