/** `bench simulation`: how many seeds a minute has, and that none of them fails. */
import { runSeeds } from '../simulation/seed-runs.ts';
import type { Bench } from './bench.ts';

const SEEDS = 5_000;

export const simulation: Bench = {
  name: 'simulation',
  title: 'a federation simulated from 5,000 seeds: hub, NATS, agents and proxies under every fault',
  bars: { seconds: { max: 60, samples: SEEDS }, failed: { max: 0, samples: SEEDS } },
  run: async (book) => {
    const began = performance.now();
    const { seeds, failed, problems, events, moments, removals } = await runSeeds(SEEDS);
    for (const problem of problems) console.log(problem);
    book.note('seconds', { value: Math.round((performance.now() - began) / 100) / 10, unit: 's', samples: seeds });
    book.note('failed', { value: failed, unit: 'seeds', samples: seeds });
    console.log(`${events} events; ${moments} revisions and ${removals} endpoint sets checked`);
  },
};
