/** Checks of shifts over a change of leader: another one goes on where the last was. */
import { type CheckState, unchecked } from '@hawser/model/check-verdict.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import type { UnderWay } from '../operations/operation-kind.ts';
import { ShiftGuardrails } from './shift-guardrails.ts';
import type { ShiftState } from './shift-state.ts';

const CHECK = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.01' };
const STATE: ShiftState = {
  ...{
    phase: 'Paused',
    step: 1,
    isSet: false,
    weights: { a: 50, b: 50 },
    since: 0,
    progressAt: 0,
    requestedBy: 'me',
    run: 1,
    approvals: [],
  },
};
const shift = (state: Partial<ShiftState> = {}, condition = CHECK.condition): UnderWay<ShiftState> => ({
  resource: { metadata: { uid: 'u', name: 's' }, spec: { services: ['r'], analysis: { checks: [{ ...CHECK, condition }] } } } as Resource,
  state: { ...STATE, ...state },
});

it('goes on with what was kept of the same analysis and run, and begins anew with another', () => {
  const begun: (readonly CheckState[] | undefined)[] = [];
  const sample = { at: '2026-11-22T10:00:00Z', outcome: 'failed' } as const;
  const now: CheckState = { ...unchecked({ name: 'errors', action: 'abort' }), taken: 9, failures: 1, samples: [sample, sample, sample] };
  const leader = (): ShiftGuardrails =>
    new ShiftGuardrails((_checks, _subject, known) => {
      begun.push(known);
      return { verdicts: () => [now], stop: () => undefined };
    });
  const first = leader();
  expect(first.kept('u')).toBeUndefined();
  first.attend([shift()]);
  const kept = first.kept('u');
  expect(kept?.checks?.states).toEqual([{ ...now, samples: [sample, sample] }]);
  // It is stored as JSON.
  const stored = JSON.parse(JSON.stringify(kept)) as Pick<ShiftState, 'checks'>;
  leader().attend([shift(stored)]);
  leader().attend([shift({ ...stored, run: 2 })]);
  leader().attend([shift(stored, 'result < 0.02')]);
  expect(begun).toEqual([[], stored.checks?.states, [], []]);
});
