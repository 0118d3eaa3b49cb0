/**
 * `npm test [-- PATH…] [--update]`: every test, then `N passed, N failed` alone on the last line. Skipped tests are named, and a
 * process that a test leaves behind is a failure. The line before it sums what the tests of sync, simulation and replicas looked at;
 * anything lost, falsely removed, emptied or stale there is a failure too. `--update` rewrites goldens (`npm run golden`). What measures whole
 * federations (`test/e2e`) runs last and alone, a file at a time: two cores are not enough for more.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { startVitest } from 'vitest/node';
import { watchDescendants } from './kit/descendants.ts';
import { readTotals, TOTALS_FILE, totalsLine, wrongTotals } from './kit/totals.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const update = args.includes('--update');
const E2E = 'test/e2e/**/*.test.ts';
const filters = args.filter((arg) => !arg.startsWith('-'));

/** What the run came to. */
interface Tally {
  passed: number;
  failed: number;
  readonly skipped: string[];
}

/** Counts tests; a file that cannot be loaded, and an error outside any test, is a failure too. */
function countInto(tally: Tally): Reporter {
  return {
    onTestRunEnd: (modules, unhandledErrors) => {
      for (const module of modules) countModule(module, tally);
      tally.failed += unhandledErrors.length;
    },
  };
}

function countModule(module: TestModule, tally: Tally): void {
  const tests = [...module.children.allTests()];
  for (const test of tests) countTest(test, tally);
  const broken = module.state() === 'failed' && !tests.some((test) => test.result().state === 'failed');
  if (broken) tally.failed += 1;
}

function countTest(test: TestCase, tally: Tally): void {
  const { state } = test.result();
  if (state === 'passed') tally.passed += 1;
  else if (state === 'failed') tally.failed += 1;
  else tally.skipped.push(`${test.module.relativeModuleId} > ${test.fullName}`);
}

const totalsFolder = mkdtempSync(join(tmpdir(), 'hawser-totals-'));
const totalsFile = join(totalsFolder, 'totals');
process.env[TOTALS_FILE] = totalsFile;
if (update) process.env['HAWSER_UPDATE_GOLDEN'] = '1';
const tally: Tally = { passed: 0, failed: 0, skipped: [] };
const descendants = watchDescendants(process.pid);
for (const phase of [{ exclude: ['**/node_modules/**', E2E] }, { include: [E2E], fileParallelism: false }]) {
  const reporters: ['default', Reporter] = ['default', countInto(tally)];
  const vitest = await startVitest('test', filters, { root, run: true, watch: false, update, passWithNoTests: true, reporters, ...phase });
  await vitest.close();
}
const leaked = await descendants.endAll(5_000);
for (const { pid, command } of leaked) console.log(`left behind by a test, ended now: ${command} (pid ${pid})`);
if (tally.skipped.length > 0) console.log(`skipped:\n${tally.skipped.map((name) => `  ${name}`).join('\n')}`);
if (tally.passed + tally.failed === 0) console.log('no test ran');
const totals = readTotals(totalsFile);
rmSync(totalsFolder, { recursive: true });
console.log(totalsLine(totals));
const failed = tally.failed + leaked.length + wrongTotals(totals, filters.length === 0);
console.log(`${tally.passed} passed, ${failed} failed`);
process.exit(failed > 0 || tally.passed === 0 ? 1 : 0);
