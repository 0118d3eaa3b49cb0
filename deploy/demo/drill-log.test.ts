import { regionLossEvidence } from '@hawser/model/drill-evidence-fixture.ts';
import { expect, test } from 'vitest';
import { compareWithLog } from './drill-log.ts';
import { openerOf } from './drill-report.ts';
import type { LoadEntry } from './load-log.ts';

const evidence = regionLossEvidence();
const begun = Date.parse(evidence.phases.find(({ phase }) => phase === 'Injecting')?.from ?? '') + (evidence.timings.injectMs ?? 0);

function answered(afterMs: number, cluster: string, status = 200): LoadEntry {
  return { t: begun + afterMs - 10, id: `${afterMs}`, method: 'GET', status, ms: 10, cluster };
}

test('the last answer of what was lost, or the last failure, ends the recovery by the log', () => {
  const log = [answered(-500, 'us-east'), answered(120, 'us-east'), answered(300, 'us-west', 503), answered(500, 'us-west')];
  expect(compareWithLog(evidence, log, 'us-east')).toEqual({ rtoMs: 412, logRtoMs: 300, rtoErrorMs: 0, failed: 1, logFailed: 1 });
  expect(compareWithLog(evidence, [...log, answered(600, 'us-east')], 'us-east')).toMatchObject({ logRtoMs: 600, rtoErrorMs: 138 });
  expect(compareWithLog(evidence, log.slice(0, 1), 'us-east')).toMatchObject({ logRtoMs: 0, logFailed: 0 });
});

test('what comes back after it is no part of the recovery, and what failed before it is not counted', () => {
  const back = answered(100_000, 'us-east');
  expect(compareWithLog(evidence, [answered(-60_000, 'us-west', 503), back], 'us-east')).toMatchObject({ logRtoMs: 0, logFailed: 0 });
});

test('a page is opened only where somebody can see it', () => {
  expect(openerOf('darwin', {})).toBe('open');
  expect(openerOf('linux', { DISPLAY: ':0' })).toBe('xdg-open');
  expect(openerOf('linux', { DISPLAY: '' })).toBeUndefined();
});
