import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { account, noTotals, readTotals, TOTALS_FILE, totalsLine, wrongTotals } from './totals.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-totals-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('what tests tell is summed, and told in one line', () => {
  const file = join(folder, 'totals');
  expect(readTotals(file)).toEqual(noTotals());
  vi.stubEnv(TOTALS_FILE, file);
  account({ writes: 3, pushes: 1, lost: 1 });
  account({ writes: 4, removals: 2, documents: 9 });
  expect(totalsLine(readTotals(file))).toBe(
    'acked writes lost 1, false removals 0, empty pushes 0, stale or forged acted on 0 (of 7 writes, 2 removals, 1 pushes, 9 documents checked)',
  );
});

it('a wrong is a failure, and so is a look that a whole run did not take', () => {
  const looked = { ...noTotals(), writes: 1, removals: 1, pushes: 1, documents: 1 };
  expect([wrongTotals(looked, true), wrongTotals({ ...looked, emptyPushes: 7 }, true)]).toEqual([0, 1]);
  expect([wrongTotals({ ...looked, removals: 0 }, true), wrongTotals({ ...looked, removals: 0 }, false)]).toEqual([1, 0]);
});
