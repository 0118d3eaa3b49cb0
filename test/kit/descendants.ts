/** Which processes a process has started, and they in turn: by looking at /proc twice a second, so that those that left home are known too. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** A process that outlived its time. */
export interface Leak {
  readonly pid: number;
  readonly command: string;
}

interface Seen {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks after boot (proc(5), stat, field 22): tells a process from a later one with its number. */
  readonly startedAt: string;
}

const LOOK_MS = 500;

/** Watches what `root` starts until `endAll`. Elsewhere than on Linux it sees nothing. */
export function watchDescendants(root: number): { endAll(graceMs: number): Promise<Leak[]> } {
  const known = new Map<number, Seen>();
  const look = (): void => {
    const all = processes();
    for (let grown = -1; grown !== known.size; ) {
      grown = known.size;
      for (const one of all) if (one.parent === root || sameProcess(known.get(one.parent), all)) known.set(one.pid, one);
    }
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    /** Resolves with those that are still there after the grace; they are ended. */
    endAll: async (graceMs) => {
      clearInterval(timer);
      look();
      const living = (): Seen[] => {
        const all = processes();
        return [...known.values()].filter((one) => one.parent !== 0 && sameProcess(one, all));
      };
      for (let waited = 0; waited < graceMs && living().length > 0; waited += 100) await wait(100);
      const leaks = living().map(({ pid }) => ({ pid, command: commandOf(pid) }));
      for (const { pid } of leaks) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // it went by itself meanwhile
        }
      }
      while (living().length > 0) await wait(20); // SIGKILL is obeyed, though not at once
      return leaks;
    },
  };
}

function sameProcess(one: Seen | undefined, all: readonly Seen[]): boolean {
  return one !== undefined && all.some(({ pid, startedAt }) => pid === one.pid && startedAt === one.startedAt);
}

/** All that run; zombies have ended. */
function processes(): Seen[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return entries.flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on; the name before may hold anything
      const [state, parent] = fields;
      return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), startedAt: fields[19] ?? '' }];
    } catch {
      return [];
    }
  });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim().slice(0, 160);
  } catch {
    return 'unknown';
  }
}
