/** One run of the load client, a process of its own, and what it saw. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Fleet } from './fleet.ts';
import { type LoadEntry, parseLoadLog } from './load-log.ts';
import { ROOT, type Supervised } from './processes.ts';
import { hostOf, sidecarOf } from './topology.ts';

/** What to send: from the client workload of a cluster, through its sidecar. */
export interface LoadOptions {
  /** Unique; names process and log. */
  readonly name: string;
  readonly from: string;
  readonly service: string;
  readonly path: string;
  /** Requests a second. */
  readonly rate: number;
  /** One in so many is a POST; 0: none. */
  readonly postEvery: number;
  /** Ends by itself after so many. */
  readonly count?: number;
}

/** A running client. */
export interface LoadRun {
  readonly process: Supervised;
  /** What it has written so far. */
  entries(): LoadEntry[];
  /** Resolves when it ended by itself (`count`). */
  readonly ended: Promise<void>;
  /** Ends it; resolves with all it saw. */
  stop(): Promise<LoadEntry[]>;
}

/** Starts a client. */
export function startLoad(fleet: Fleet, options: LoadOptions): LoadRun {
  const log = join(fleet.options.stateDir, 'demo', 'logs', `load-${options.name}.jsonl`);
  rmSync(log, { force: true });
  const client = fleet.workload(options.from, 'client-v1');
  const flags = {
    via: sidecarOf(client),
    host: hostOf(options.service),
    path: options.path,
    rate: String(options.rate),
    'post-every': String(options.postEvery),
    name: options.name,
    log,
    ...(options.count === undefined ? {} : { count: String(options.count) }),
  };
  const argv = [
    process.execPath,
    join(ROOT, 'deploy/demo/load-client.ts'),
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
  ] as const;
  const one = fleet.processes.start({ name: `load-${options.name}`, argv, address: client.address, adminPort: 0 });
  one.ending = true; // its end is wanted, whenever it comes
  fleet.save();
  const entries = (): LoadEntry[] => parseLoadLog(readFileSync(log, 'utf8'));
  const ended = new Promise<void>((resolve) => one.child.once('exit', () => resolve()));
  return {
    process: one,
    entries,
    ended,
    stop: async () => {
      await fleet.processes.stop([one], 5_000);
      return entries();
    },
  };
}
