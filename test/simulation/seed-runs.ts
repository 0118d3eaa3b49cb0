/** Seeds in processes of their own, as many as there are processors: a simulation changes the clock of the process it runs in. */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { addTotals, noTotals, type Totals } from '../kit/totals.ts';

/** What all of them came to. */
export interface SeedRuns {
  readonly seeds: number;
  readonly failed: number;
  /** What failed, with the command that replays it. */
  readonly problems: readonly string[];
  readonly events: number;
  /** How often each safety check was made. */
  readonly moments: number;
  readonly removals: number;
  /** How many ran in each mode. */
  readonly safety: number;
  readonly liveness: number;
  readonly faults: Readonly<Record<string, number>>;
  /** What `npm test` sums. */
  readonly totals: Totals;
}

type Counted = Omit<SeedRuns, 'problems'>;

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, 'main.ts');
const DEADLINE_MS = 600_000;
/** A seed leaves much behind at once, and nothing for long: a young generation of 64 MiB takes a sixth off its time. */
const FLAGS = ['--max-semi-space-size=64'];

/** Seeds that one process runs at most: what it has learned of its code is worth keeping. */
const MOST_OF_A_PROCESS = 2_500;
/** Where compiled code is kept, as by everything that the repository starts. */
const CODE_CACHE = { NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/hawser') };

/** Runs seeds `from` to `from + seeds - 1`. */
export async function runSeeds(seeds: number, from = 1): Promise<SeedRuns> {
  const lanes = Math.min(seeds, availableParallelism());
  const share = Math.min(Math.ceil(seeds / lanes), MOST_OF_A_PROCESS);
  const waiting = Array.from({ length: Math.ceil(seeds / share) }, (_, index) => index * share);
  const parts: SeedRuns[] = [];
  const lane = async (): Promise<void> => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift())
      parts.push(await runPart(from + at, Math.min(share, seeds - at)));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const sum = (count: (part: Counted) => number): number => parts.reduce((total, part) => total + count(part), 0);
  const faults: Record<string, number> = {};
  for (const part of parts) for (const [fault, times] of Object.entries(part.faults)) faults[fault] = (faults[fault] ?? 0) + times;
  return {
    ...{ seeds: sum((part) => part.seeds), failed: sum((part) => part.failed), events: sum((part) => part.events), faults },
    ...{ moments: sum((part) => part.moments), removals: sum((part) => part.removals) },
    totals: parts.reduce((totals, part) => addTotals(totals, part.totals), noTotals()),
    ...{ safety: sum((part) => part.safety), liveness: sum((part) => part.liveness) },
    problems: parts.flatMap((part) => part.problems),
  };
}

async function runPart(from: number, seeds: number): Promise<SeedRuns> {
  const args = [...FLAGS, MAIN, '--from', String(from), '--seeds', String(seeds)];
  const options = { timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024, env: { ...CODE_CACHE, ...process.env } };
  // A failed seed ends it with 1, and then it has said why.
  const { stdout } = await run(process.execPath, args, options).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && 'code' in error && error.code === 1) return { stdout: String(error.stdout) };
    throw error;
  });
  const lines = stdout.trimEnd().split('\n');
  const counted = JSON.parse(lines.at(-1) ?? '') as Counted;
  return { ...counted, problems: lines.slice(0, -1) };
}
