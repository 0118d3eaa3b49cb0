/** What became of each test file in a run of `npm test`, and which of them may run once more. */
import { relative } from 'node:path';
import type { SerializedError, TestCase, TestModule } from 'vitest/node';

/** A test file and what its tests came to. `failures` also holds what broke outside of any test. */
export interface FileOutcome {
  /** Path from the repository's root. */
  readonly file: string;
  readonly passed: number;
  readonly skipped: readonly string[];
  readonly failures: readonly Failure[];
}

/** A failed test and the first thing that it said. */
export interface Failure {
  readonly test: string;
  readonly message: string;
}

/** An error that no test caught, and where Vitest says that it came from: the path of the test file that ran. */
export type UncaughtError = SerializedError & { readonly VITEST_TEST_PATH?: string };

/** Stands for a file where something broke outside of all of them. */
export const THE_RUN = 'the run itself';

/** More failing files than this are not bad luck on a busy machine. */
const MOST_AGAIN = 2;
/** Found by chance, and true: what random input breaks is broken, however the next input does. */
const BY_RANDOM_INPUT = /\.property\.test\.ts$|Property failed|simulation/;

/** Counts the tests of one file; one that cannot be loaded is a failure too. */
export function outcomeOf(module: TestModule): FileOutcome {
  const tests = [...module.children.allTests()];
  const inState = (state: string): TestCase[] => tests.filter((test) => test.result().state === state);
  const failures = inState('failed').map((test) => ({ test: test.fullName, message: firstLine(test.result().errors?.[0]?.message) }));
  if (module.state() === 'failed' && failures.length === 0)
    failures.push({ test: 'the file itself', message: firstLine(module.errors()[0]?.message) });
  return {
    file: module.relativeModuleId,
    passed: inState('passed').length,
    skipped: tests.filter((test) => !['passed', 'failed'].includes(test.result().state)).map((test) => test.fullName),
    failures,
  };
}

/** The outcomes with the errors that no test caught: failures of the file that ran in that process, or of `THE_RUN` where nobody knows. */
export function withUncaught(outcomes: readonly FileOutcome[], errors: readonly UncaughtError[], root: string): FileOutcome[] {
  const files = new Set(outcomes.map(({ file }) => file));
  const uncaught = Map.groupBy(errors, ({ VITEST_TEST_PATH: path = '' }) => {
    const file = relative(root, path);
    return files.has(file) ? file : THE_RUN;
  });
  const failuresOf = (file: string): Failure[] =>
    (uncaught.get(file) ?? []).map(({ message }) => ({ test: 'outside of any test', message: firstLine(message) }));
  const known = outcomes.map((outcome) => ({ ...outcome, failures: [...outcome.failures, ...failuresOf(outcome.file)] }));
  return uncaught.has(THE_RUN) ? [...known, { file: THE_RUN, passed: 0, skipped: [], failures: failuresOf(THE_RUN) }] : known;
}

/**
 * Files that get a second run, alone: tests of real processes in real time can miss a deadline on a machine that others use too. None when more than two
 * files failed, and never what failed by random input.
 */
export function worthAnotherRun(outcomes: readonly FileOutcome[]): string[] {
  const failed = outcomes.filter(({ failures }) => failures.length > 0);
  if (failed.length > MOST_AGAIN || failed.some(({ file }) => file === THE_RUN)) return [];
  const byChance = ({ file, failures }: FileOutcome): boolean =>
    BY_RANDOM_INPUT.test(file) || failures.some(({ message }) => BY_RANDOM_INPUT.test(message));
  return failed.filter((outcome) => !byChance(outcome)).map(({ file }) => file);
}

/** The run with the second outcomes in place of the first, and a line for each test that only then passed. */
export function afterSecondRun(
  first: readonly FileOutcome[],
  second: readonly FileOutcome[],
): { outcomes: FileOutcome[]; unsteady: string[] } {
  const again = new Map(second.map((outcome) => [outcome.file, outcome]));
  const outcomes = first.map((outcome) => again.get(outcome.file) ?? outcome);
  const unsteady = first.flatMap(({ file, failures }) => {
    const still = again.get(file)?.failures;
    if (still === undefined) return [];
    const passed = failures.filter(({ test }) => !still.some((failure) => failure.test === test));
    return passed.map(({ test, message }) => `${file} > ${test}: ${message}`);
  });
  return { outcomes, unsteady };
}

function firstLine(text = 'no message'): string {
  return text.split('\n', 1)[0] ?? '';
}
