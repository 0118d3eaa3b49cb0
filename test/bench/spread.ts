/** A third remote instance of a busy service appears → it has its share of the requests. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { type LoadEntry, sharesBy, within } from '../../deploy/demo/load-log.ts';
import { startLoad } from '../../deploy/demo/load-run.ts';
import { clusterFiles } from '../../deploy/demo/specs.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';

const ROUNDS = 5;
const RATE = 800;
const WINDOW_MS = 500;
const FAIR = 1 / 3;
const MOST_MS = 8_000;

/** The benchmark: the worst of its rounds counts. */
export const spread: Bench = {
  name: 'spread',
  title: 'a third remote instance of a busy service appears → its share is within 20 % of fair',
  bars: { share_s: { max: 2, samples: ROUNDS } },
  run: (book) =>
    inFederation({ plan: { 'us-east': ['client-v1'], 'us-west': ['details-v1', 'details-v2', 'details-v3'] } }, (federation) =>
      measure(federation, book),
    ),
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  const { fleet, options, say } = federation;
  const folder = clusterFiles(options.stateDir, 'us-west').registryDir;
  const [path, aside] = [join(folder, 'workload-details-v3.yaml'), join(options.stateDir, 'workload-details-v3.yaml')];
  const rounds: { round: number; seconds: number; failed: number; shares: number[] }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    renameSync(path, aside);
    await wait(2_000); // its connections have ended: it begins as an unknown one
    const run = startLoad(fleet, { name: `spread-${round}`, from: 'us-east', service: 'details', path: '/ping', rate: RATE, postEvery: 0 });
    await wait(3_000);
    const appeared = Date.now();
    renameSync(aside, path);
    await wait(MOST_MS);
    const entries = await run.stop();
    const seconds = fairAfter(entries, appeared, 'v3');
    const failed = entries.filter(({ status }) => status !== 200).length;
    rounds.push({ round, seconds, failed, shares: sharesAfter(entries, appeared, 'v3') });
    say.done(`round ${round}: fair after ${seconds} s; ${failed} of ${entries.length} requests failed`);
  }
  rmSync(aside, { force: true });
  book.note('share_s', { value: Math.max(...rounds.map(({ seconds }) => seconds)), unit: 's', samples: rounds.length }, rounds);
}

/** The share of a version, window by window, from `since` on. */
function sharesAfter(entries: readonly LoadEntry[], since: number, version: string): number[] {
  const starts = Array.from({ length: MOST_MS / WINDOW_MS }, (_, index) => since + index * WINDOW_MS);
  return starts.map((from) => sharesBy(within(entries, { from, to: from + WINDOW_MS }), 'version').get(version) ?? 0);
}

/** Seconds from `since` to the end of the first of three windows in a row whose share is fair; infinite when there is none. */
export function fairAfter(entries: readonly LoadEntry[], since: number, version: string): number {
  let inRow = 0;
  for (const [index, share] of sharesAfter(entries, since, version).entries()) {
    inRow = Math.abs(share - FAIR) <= FAIR * 0.2 ? inRow + 1 : 0;
    if (inRow === 3) return ((index - 1) * WINDOW_MS) / 1_000;
  }
  return Number.POSITIVE_INFINITY;
}
