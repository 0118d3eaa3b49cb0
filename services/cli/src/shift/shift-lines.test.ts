import type { ShiftStatus } from '@hawser/wire/shift.ts';
import { describe, expect, it } from 'vitest';
import { isSettled, plainShift, shiftLines } from './shift-lines.ts';

const status: ShiftStatus = {
  ...{ phase: 'Progressing', stepIndex: 1, steps: 4, totalWeight: 100, requestedBy: 'me', approvals: [] },
  weights: [
    { name: 'stable', desired: 90, acked: 100, observedPercent: 99.5 },
    { name: 'canary', desired: 10 },
  ],
  ...{ waitsFor: '3 of 4 proxies have acknowledged it, and 4 must have', deadlineIn: '1799s' },
  checks: [{ name: 'errors', verdict: 'passed', message: '' }],
};
const shift = (changes: Partial<ShiftStatus> = {}) => ({
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name: 'reviews' }, spec: {} },
  status: { ...status, ...changes },
});

describe('a shift as text', () => {
  it('shows weights as asked, acknowledged and measured, checks, and what is waited for', () => {
    expect(shiftLines(shift())).toEqual([
      'shift bookinfo/reviews: Progressing, step 2 of 4',
      '  DESTINATION   ASKED OF 100   ACKNOWLEDGED   MEASURED',
      '  stable        90             100            99.5 %',
      '  canary        10             -              -',
      '  check errors: passed',
      '  waits for 3 of 4 proxies have acknowledged it, and 4 must have (deadline in 1799s)',
    ]);
  });

  it('is one line elsewhere, which changes when the shift does, and not with the time', () => {
    expect(plainShift(shift())).toBe('bookinfo/reviews: Progressing, step 2 of 4; stable 90, canary 10');
    expect(plainShift(shift({ deadlineIn: '1798s' }))).toBe(plainShift(shift()));
    expect(plainShift(shift({ phase: 'Paused', pausedBy: 'gate', message: 'freeze/night: no' }))).toBe(
      'bookinfo/reviews: Paused (gate), step 2 of 4; stable 90, canary 10; freeze/night: no',
    );
    expect(plainShift(shift({ phase: 'Pending', startsAt: '2026-12-01T20:00:00.000Z' }))).toMatch(/Pending, begins at 2026-12-01T20/);
  });

  it('has settled when it is done, or back', () => {
    expect(['Done', 'RolledBack', 'Failed', 'RollingBack', 'Paused'].map((phase) => isSettled(shift({ phase })))).toEqual([
      ...[true, true, true, false, false],
    ]);
  });
});
