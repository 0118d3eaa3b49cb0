/**
 * `node test/simulation/main.ts [--seeds N] [--from SEED] [--trace]`: runs seeds one after the other. A failing one is printed
 * with the command that replays it; `--trace` tells what happens in it.
 */
import { parseArgs } from 'node:util';
import { installPlatform } from './platform.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
const began = process.hrtime.bigint();
installPlatform();
const { runSeed } = await import('./run-seed.ts');
const { addTotals, noTotals } = await import('../kit/totals.ts');

// Microtasks can only be drained from outside of them, and what follows an `await` is inside of one.
setImmediate(run);

function run(): void {
  let failed = 0;
  const summed = noTotals();
  const totals = { events: 0, moments: 0, removals: 0, words: 0, settled: 0 };
  const faults: Record<string, number> = {};
  const first = Number(values.from);
  const count = Number(values.seeds);
  for (let seed = first; seed < first + count; seed += 1) {
    const outcome = runSeed(seed, values.trace ? (line) => console.log(line) : undefined);
    addTotals(summed, outcome.totals);
    totals.events += outcome.events;
    totals.settled = Math.max(totals.settled, outcome.settledAfterS);
    for (const key of ['moments', 'removals', 'words'] as const) totals[key] += outcome.checks[key];
    for (const [fault, times] of Object.entries(outcome.faults)) faults[fault] = (faults[fault] ?? 0) + times;
    if (outcome.problem === undefined) continue;
    failed += 1;
    console.log(`seed ${seed} failed: ${outcome.problem}\n  replay: node test/simulation/main.ts --from ${seed} --seeds 1 --trace`);
    if (failed >= 20) break;
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ seeds: count, failed, seconds: Number(seconds.toFixed(1)), ...totals, faults, totals: summed }));
  process.exit(failed === 0 ? 0 : 1);
}
