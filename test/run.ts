/**
 * `npm test [-- PATH…] [--update]`: every test, then `N passed, N failed` alone on the last line. Skipped and failed tests are named before it, and a
 * process that a test leaves behind is a failure. The line before it sums what the tests of sync, simulation and replicas looked at;
 * anything lost, falsely removed, emptied or stale there is a failure too. `--update` rewrites goldens (`npm run golden`). What measures whole
 * federations (`test/e2e`) runs first and alone, a file at a time: two cores are not enough for more. It waits a good part of its time, and
 * the API server of Kubernetes is built meanwhile, at the lowest priority. One or two files that fail run once more, alone; a test that
 * passes only then is named as unsteady.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InlineConfig, type Reporter, startVitest } from 'vitest/node';
import { watchDescendants } from './kit/descendants.ts';
import { canRunHelm, helmBinary } from './kit/helm.ts';
import { canRunKubernetes, kubeApiserverBinary } from './kit/kube-apiserver-binary.ts';
import { afterSecondRun, type FileOutcome, outcomeOf, withUncaught, worthAnotherRun } from './kit/test-outcome.ts';
import { readTotals, TOTALS_FILE, totalsLine, wrongTotals } from './kit/totals.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const update = args.includes('--update');
const E2E = 'test/e2e/*.test.ts';
/** Real API servers: last, since their program is built while the other tests run, when it is not there. */
const KUBERNETES = 'test/kubernetes/**/*.test.ts';
const E2E_KUBERNETES = 'test/e2e/kubernetes/**/*.test.ts';
const filters = args.filter((arg) => !arg.startsWith('-'));
const COMMON = { root, run: true, watch: false, update, passWithNoTests: true };

/** Runs the test files that a phase means; an error outside of any file is a failure of its own. */
async function runFiles(only: readonly string[], phase: InlineConfig): Promise<FileOutcome[]> {
  let outcomes: FileOutcome[] = [];
  const collect: Reporter = {
    onTestRunEnd: (modules, unhandledErrors) => {
      outcomes = withUncaught(modules.map(outcomeOf), unhandledErrors, root);
    },
  };
  const vitest = await startVitest('test', [...only], { ...COMMON, reporters: ['default', collect], ...phase });
  await vitest.close();
  return outcomes;
}

/** A phase, and once more, alone, what may only have been late. */
async function runPhase(phase: InlineConfig): Promise<FileOutcome[]> {
  const first = await runFiles(filters, phase);
  const again = update ? [] : worthAnotherRun(first);
  if (again.length === 0) return first;
  console.log(`once more, alone: ${again.join(', ')}`);
  const { outcomes, unsteady } = afterSecondRun(first, await runFiles(again, { ...phase, fileParallelism: false }));
  unsteadyTests.push(...unsteady);
  return outcomes;
}

/** Builds what tests of Kubernetes run, the larger program first; when one cannot be built, its tests say why. */
async function buildPrograms(): Promise<void> {
  if (canRunKubernetes()) await kubeApiserverBinary().catch(() => undefined);
  if (canRunHelm()) await helmBinary().catch(() => undefined);
}

const totalsFolder = mkdtempSync(join(tmpdir(), 'hawser-totals-'));
const totalsFile = join(totalsFolder, 'totals');
process.env[TOTALS_FILE] = totalsFile;
// Types stripped once are kept, for workers and for what tests start; where `hawser` keeps them too.
process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/hawser');
if (update) process.env['HAWSER_UPDATE_GOLDEN'] = '1';
const outcomes: FileOutcome[] = [];
const unsteadyTests: string[] = [];
const descendants = watchDescendants(process.pid);
const isMeant = filters.length === 0 || filters.some((filter) => filter.includes('kubernetes'));
const building = isMeant ? buildPrograms() : undefined;
outcomes.push(...(await runPhase({ include: [E2E], fileParallelism: false })));
outcomes.push(...(await runPhase({ exclude: ['**/node_modules/**', E2E, KUBERNETES, E2E_KUBERNETES] })));
await building;
outcomes.push(...(await runPhase({ include: [KUBERNETES] })));
outcomes.push(...(await runPhase({ include: [E2E_KUBERNETES], fileParallelism: false })));
const leaked = await descendants.endAll(5_000);
for (const { pid, command } of leaked) console.log(`left behind by a test, ended now: ${command} (pid ${pid})`);
const skipped = outcomes.flatMap(({ file, skipped: names }) => names.map((name) => `  ${file} > ${name}`));
if (skipped.length > 0) console.log(`skipped:\n${skipped.join('\n')}`);
for (const line of unsteadyTests) console.log(`unsteady, passed only the second time: ${line}`);
for (const { file, failures } of outcomes) for (const { test, message } of failures) console.log(`failed: ${file} > ${test}: ${message}`);
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const broken = outcomes.reduce((sum, { failures }) => sum + failures.length, 0);
if (passed + broken === 0) console.log('no test ran');
const totals = readTotals(totalsFile);
rmSync(totalsFolder, { recursive: true });
console.log(totalsLine(totals));
const failed = broken + leaked.length + wrongTotals(totals, filters.length === 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
