/** How random tests are run: the same histories each time, so that a red test is red again; others, and more, on demand. */

/** `HAWSER_SEED`, or always the same; a failure prints it. */
export const SEED = Number(process.env['HAWSER_SEED'] ?? 20_261_121);

/** Parameters of `fc.assert` for so many histories, `HAWSER_RUNS` times as many for a soak. */
export function histories(count: number): { readonly seed: number; readonly numRuns: number } {
  return { seed: SEED, numRuns: Math.ceil(count * Number(process.env['HAWSER_RUNS'] ?? 1)) };
}
