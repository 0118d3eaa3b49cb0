/** Disks that are full: a small one that is mounted, where that is allowed, and processes that may write no file any more, where Linux is. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(64 * 1024);

/** A disk of its own below a folder. */
export interface SmallDisk {
  /** Leaves not a byte. */
  fill(): void;
  /** Makes room again. */
  free(): void;
  /** Takes it away, whoever still uses it. */
  unmount(): void;
}

/** Mounts a small disk in memory at this folder. */
export function mountSmallDisk(folder: string, mebibytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'hawser-test', folder], { stdio: 'pipe' });
  const filler = join(folder, 'filler');
  return {
    fill: () => {
      for (let bytes = 0; bytes <= mebibytes * 1024 * 1024; bytes += CHUNK.length)
        try {
          writeFileSync(filler, CHUNK, { flag: 'a' });
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return;
          throw error;
        }
      throw new Error(`${folder} cannot be filled`);
    },
    free: () => rmSync(filler, { force: true }),
    unmount: () => execFileSync('umount', ['-l', folder]),
  };
}

/** Whether this machine lets one be mounted. */
export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-mount-'));
  try {
    mountSmallDisk(folder, 1).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether processes can be kept from writing files. */
export function canLimitFiles(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** No file of these processes, and of all that they started, grows beyond so many bytes: writes fail with EFBIG (setrlimit(2), RLIMIT_FSIZE). */
export function limitFiles(pids: readonly number[], bytes: number | 'unlimited'): void {
  for (const pid of [...pids, ...pids.flatMap(childrenOf)]) if (existsSync(`/proc/${pid}`)) limit(pid, bytes);
}

/** As the process's own user: that of another may not be limited, not even by root everywhere. */
function limit(pid: number, bytes: number | 'unlimited'): void {
  const { uid, gid } = statSync(`/proc/${pid}`);
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], { uid, gid, encoding: 'utf8' });
  if (status !== 0 && existsSync(`/proc/${pid}`)) throw new Error(`prlimit: ${stderr}`);
}

function childrenOf(parent: number): number[] {
  const stats = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return stats.map(Number).filter((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    } catch {
      return false;
    }
  });
}
