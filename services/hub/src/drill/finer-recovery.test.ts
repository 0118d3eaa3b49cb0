import { describe, expect, it } from 'vitest';
import type { TraceRow } from '../traffic/traffic-trace.ts';
import { finerRecovery } from './finer-recovery.ts';
import type { Recovery } from './run-evidence.ts';
import type { RecoveryQuestion } from './run-recovery.ts';

const COARSE: Recovery = {
  ...{ recoveredAt: 3_300, firstFailureAt: 2_000, detectedAt: undefined, resolutionMs: 1_000 },
  ...{ requests: 100, failed: 3, unknownSeconds: 0 },
};
const QUESTION: RecoveryQuestion = {
  ...{ countedFrom: 2_000, begunAt: 2_050, until: 9_000, scope: new Set(['lost']), maxErrorRatePercent: 0, isAway: true },
};

function row(at: number, destination: string, failures = 0): TraceRow {
  return { at, source: 'a', service: 'shop/cart', destination, requests: 10, failures, attempts: 10, spanMs: 120 };
}

const ROWS = [row(1_900, 'lost'), row(2_100, 'lost', 2), row(2_400, 'lost'), row(2_500, 'there'), row(3_100, 'there', 1)];

describe('finer times of a recovery', () => {
  it('are those of the first and the last step that was bad: the middle of when that may have been', () => {
    expect(finerRecovery(COARSE, ROWS, QUESTION)).toEqual({ ...COARSE, recoveredAt: 3_140, firstFailureAt: 2_100, resolutionMs: 120 });
  });

  it('are the beginning where nothing was bad', () => {
    const rows = [row(1_900, 'lost'), row(2_500, 'there')];
    const clean = { ...COARSE, firstFailureAt: undefined };
    expect(finerRecovery(clean, rows, QUESTION)).toEqual({ ...clean, recoveredAt: 2_050, resolutionMs: 100 });
  });

  it('are not before it began', () => {
    const late = { ...row(2_000, 'lost'), spanMs: 900 };
    expect(finerRecovery(COARSE, [row(1_900, 'lost'), late], QUESTION).recoveredAt).toBe(2_075);
  });

  it('do not look beyond the second that was found', () => {
    expect(finerRecovery(COARSE, [...ROWS, row(5_000, 'there', 9)], QUESTION).recoveredAt).toBe(3_140);
  });

  it.each([
    ['nothing was noted', COARSE, []],
    ['it was noted too late', COARSE, [row(2_400, 'lost')]],
    ['nobody has recovered', { ...COARSE, recoveredAt: undefined }, ROWS],
  ])('stay as they are when %s', (_, coarse, rows) => {
    expect(finerRecovery(coarse, rows, QUESTION)).toBe(coarse);
  });
});
