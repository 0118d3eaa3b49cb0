/** PostgreSQL refuses to run as root; this says as whom it runs then, and how. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';

/** The account the server runs under. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
  /** Goes before the server's own argv; it execs, so the process id stays. Empty when no change of user is needed. */
  readonly argvPrefix: readonly string[];
}

/** CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: numbers and setpriv's names (capabilities(7)). */
const PASS_FOLDERS = [
  { bit: 2, name: 'dac_read_search' },
  { bit: 1, name: 'dac_override' },
] as const;

/**
 * The user for a server that must reach `paths`. Not root: the same user. Root: `postgres`, else `nobody`; if a folder
 * above a path is closed to that user (a clone below /root or a private temporary folder), the server keeps the one
 * capability that lets it pass.
 */
export function serverUser(paths: readonly string[]): ServerUser {
  const own = process.getuid?.() ?? -1;
  if (own !== 0) return { uid: own, gid: process.getgid?.() ?? -1, argvPrefix: [] };
  const setpriv = findOnPath('setpriv');
  const account = ['postgres', 'nobody'].map(accountNamed).find((found) => found !== undefined);
  if (setpriv === undefined || account === undefined) {
    throw new AppError(
      'postgres-as-root',
      'PostgreSQL does not run as root, and there is no setpriv (util-linux) or no user to run it as: use another user, or --database-url',
    );
  }
  const { uid, gid } = account;
  const closed = paths.map((path) => closedFolder(path, uid, gid)).find((folder) => folder !== undefined);
  const identity = [setpriv, `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return { uid, gid, argvPrefix: [...identity, ...(closed === undefined ? [] : passage(closed)), '--'] };
}

function passage(closed: string): readonly string[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  const capability = PASS_FOLDERS.find(({ bit }) => ((mask >> BigInt(bit)) & 1n) === 1n);
  if (capability === undefined) {
    throw new AppError('postgres-as-root', `PostgreSQL cannot run as root, and its user cannot enter ${closed}: open it with chmod o+x`);
  }
  return [`--inh-caps=-all,+${capability.name}`, `--ambient-caps=+${capability.name}`];
}

/** The first folder above `path`, from the root, that the user may not pass. */
function closedFolder(path: string, uid: number, gid: number): string | undefined {
  const parent = dirname(path);
  if (parent !== path) {
    const above = closedFolder(parent, uid, gid);
    if (above !== undefined) return above;
  }
  if (parent === path || !existsSync(parent)) return undefined;
  const { mode, uid: owner, gid: group } = statSync(parent);
  const open = owner === uid ? mode & 0o100 : group === gid ? mode & 0o010 : mode & 0o001;
  return open === 0 ? parent : undefined;
}

function accountNamed(name: string): { readonly uid: number; readonly gid: number } | undefined {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe', timeout: 5_000 })),
    );
    return uid === undefined || gid === undefined || Number.isNaN(uid + gid) ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}

function findOnPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
