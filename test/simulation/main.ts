/** Runs seeds one after the other; `--help` tells how. A failing one is printed with the command that replays it. */
import { parseArgs } from 'node:util';
import { installPlatform } from './platform.ts';

const USAGE = `node test/simulation/main.ts [options]

  --seeds N     how many (100)
  --from SEED   the first one (1)
  --mode MODE   safety    chaos to the end: nothing that may never happen happens
                liveness  then everything is healed, and all must come together in time
                without it each seed draws its own
  --trace       tells what happens
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    mode: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const { mode } = values;
if (values.help || (mode !== undefined && mode !== 'safety' && mode !== 'liveness')) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
// Only a replay looks at stacks, and the product makes many errors here.
if (!values.trace) Error.stackTraceLimit = 0;
const began = process.hrtime.bigint();
installPlatform();
const { runSeed } = await import('./run-seed.ts');
const { addTotals, noTotals } = await import('../kit/totals.ts');

// Microtasks can only be drained from outside of them, and what follows an `await` is inside of one.
setImmediate(run);

function run(): void {
  const summed = noTotals();
  const totals = { seeds: 0, failed: 0, events: 0, moments: 0, removals: 0, words: 0, settled: 0, safety: 0, liveness: 0 };
  const faults: Record<string, number> = {};
  const first = Number(values.from);
  const last = first + Number(values.seeds) - 1;
  for (let seed = first; seed <= last && totals.failed < 20; seed += 1) {
    const outcome = runSeed(seed, { mode: asMode(mode), trace: values.trace ? (line) => console.log(line) : undefined });
    addTotals(summed, outcome.totals);
    totals.seeds += 1;
    totals.events += outcome.events;
    totals.settled = Math.max(totals.settled, outcome.settledAfterS);
    totals[outcome.mode] += 1;
    for (const key of ['moments', 'removals', 'words'] as const) totals[key] += outcome.checks[key];
    for (const [fault, times] of Object.entries(outcome.faults)) faults[fault] = (faults[fault] ?? 0) + times;
    if (outcome.problem === undefined) continue;
    totals.failed += 1;
    const replay = `node test/simulation/main.ts --from ${seed} --seeds 1 --trace${mode === undefined ? '' : ` --mode ${mode}`}`;
    console.log(`seed ${seed} failed: ${outcome.problem}\n  replay: ${replay}`);
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ ...totals, seconds: Number(seconds.toFixed(1)), faults, totals: summed }));
  process.exit(totals.failed === 0 ? 0 : 1);
}

function asMode(text: string | undefined): 'safety' | 'liveness' | undefined {
  return text === 'safety' || text === 'liveness' ? text : undefined;
}
