import { describe, expect, it } from 'vitest';
import { account } from '../kit/totals.ts';
import { runSeeds } from './seed-runs.ts';

/** Enough for CI; `npm run bench -- simulation` runs thousands. */
const SEEDS = Number(process.env['HAWSER_SEEDS'] ?? 400);

describe('the simulated federation', { timeout: 300_000 }, () => {
  it('is safe in every moment of its chaos, and comes together afterwards', async () => {
    const { problems, seeds, moments, removals, faults, safety, liveness, totals } = await runSeeds(SEEDS);
    account(totals);
    expect(problems).toEqual([]);
    expect(seeds).toBe(SEEDS);
    expect(Math.min(safety, liveness)).toBeGreaterThan(SEEDS / 4);
    // What is never checked, and what never goes wrong, proves nothing.
    expect(moments).toBeGreaterThan(SEEDS);
    expect(removals).toBeGreaterThan(SEEDS);
    expect(Object.keys(faults)).toHaveLength(20);
    console.log(`simulation: ${seeds} seeds, 0 failed; ${moments} revisions and ${removals} endpoint sets checked`);
  });

  it('does the same again with the same seed', async () => {
    const [first, second] = await Promise.all([runSeeds(1, 7), runSeeds(1, 7)]);
    expect(second).toEqual(first);
    const other = await runSeeds(1, 8);
    expect(other.events).not.toBe(first.events);
  });
});
