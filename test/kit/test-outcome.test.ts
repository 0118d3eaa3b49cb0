import { expect, it } from 'vitest';
import { afterSecondRun, type FileOutcome, THE_RUN, type UncaughtError, withUncaught, worthAnotherRun } from './test-outcome.ts';

const file = (name: string, ...messages: string[]): FileOutcome => ({
  ...{ file: name, passed: 3, skipped: [] },
  failures: messages.map((message, index) => ({ test: `case ${index}`, message })),
});
const good = file('test/good.test.ts');
const late = file('test/late.test.ts', 'not there in 30 s', 'expected 1 to be 2');

it('one or two failing files run again, more do not', () => {
  expect(worthAnotherRun([good, late])).toEqual(['test/late.test.ts']);
  expect(worthAnotherRun([file('a', 'x'), file('b', 'x')])).toEqual(['a', 'b']);
  expect(worthAnotherRun([file('a', 'x'), file('b', 'x'), file('c', 'x')])).toEqual([]);
  expect(worthAnotherRun([file('a', 'x'), file(THE_RUN, 'a promise that nobody caught')])).toEqual([]);
  expect(worthAnotherRun([good])).toEqual([]);
});

it('what random input broke does not run again', () => {
  expect(worthAnotherRun([file('xds/stream.property.test.ts', 'x')])).toEqual([]);
  expect(worthAnotherRun([file('a', 'Property failed after 3 tests')])).toEqual([]);
  expect(worthAnotherRun([file('test/simulation/simulation.test.ts', 'seed 7')])).toEqual([]);
});

it('the second run counts, and tells what it forgave', () => {
  const second = { ...late, passed: 4, failures: late.failures.slice(1) };
  const { outcomes, unsteady } = afterSecondRun([good, late], [second]);
  expect(outcomes).toEqual([good, second]);
  expect(unsteady).toEqual(['test/late.test.ts > case 0: not there in 30 s']);
});

it('an error that no test caught is a failure of the file that ran, and of the run where nobody knows which', () => {
  const error = (path?: string): UncaughtError => ({ message: 'read ECONNRESET\n  at', ...(path && { VITEST_TEST_PATH: path }) });
  const uncaught = { test: 'outside of any test', message: 'read ECONNRESET' };
  expect(withUncaught([good, late], [error('/r/test/late.test.ts')], '/r')).toEqual([
    good,
    { ...late, failures: [...late.failures, uncaught] },
  ]);
  const lost = { file: THE_RUN, passed: 0, skipped: [], failures: [uncaught, uncaught] };
  expect(withUncaught([good], [error(), error('/r/other.test.ts')], '/r')).toEqual([good, lost]);
  expect(withUncaught([good], [], '/r')).toEqual([good]);
});
