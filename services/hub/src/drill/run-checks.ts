/** PURE: what the checks of a run say together. */
import type { CheckWhen, RunCheck } from './run-evidence.ts';

/** What the checks of a run have said, for whoever leads next. JSON. */
export interface KeptChecks {
  /** The part of the run that they were in. */
  readonly part: CheckWhen;
  readonly now: readonly RunCheck[];
  /** Of the parts before. */
  readonly past: readonly RunCheck[];
}

/** A check that says no in a part of the run, with its words; undefined: none does. Those that only record are not asked. */
export function failedCheck(checks: readonly RunCheck[], when: CheckWhen): string | undefined {
  const failed = checksOf(checks, when).find(({ state }) => state.verdict === 'failed' && state.action !== 'record');
  return failed === undefined ? undefined : wordsOf(failed);
}

/** A check that does not say yes; undefined: all do. No data is no yes. */
export function unsettledCheck(checks: readonly RunCheck[], when: CheckWhen): string | undefined {
  const open = checksOf(checks, when).find(({ state }) => state.verdict !== 'passed' && state.action !== 'record');
  return open === undefined ? undefined : wordsOf(open);
}

/** What keeps a run from beginning now, by its own word; undefined: nothing does. */
export function blocked(checks: readonly RunCheck[]): string | undefined {
  return failedCheck(
    checks.filter(({ role }) => role === 'blocker'),
    'before',
  );
}

/** A guardrail, or a steady state that counts during the run, that ends it. A pause would keep what fails in force, so there is none. */
export function tripped(checks: readonly RunCheck[]): string | undefined {
  const words = failedCheck(checks, 'during');
  if (words !== undefined) return words;
  const blind = checksOf(checks, 'during').find(({ state }) => state.verdict === 'error' && state.action !== 'record');
  return blind === undefined ? undefined : wordsOf(blind);
}

/** A guardrail that has no data now: the run is blind on that eye. */
export function blind(checks: readonly RunCheck[]): string | undefined {
  const found = checksOf(checks, 'during').find(({ role, state }) => role === 'guardrail' && state.verdict === 'inconclusive');
  return found === undefined ? undefined : wordsOf(found);
}

function checksOf(checks: readonly RunCheck[], when: CheckWhen): readonly RunCheck[] {
  return checks.filter((check) => check.when.includes(when));
}

const WORDS = { guardrail: 'guardrail', steadyState: 'steady state', blocker: 'blocker', objective: 'objective' } as const;

function wordsOf({ role, state: { name, verdict, message } }: RunCheck): string {
  return `the ${WORDS[role]} ${name} is ${verdict}${message === '' ? '' : `: ${message}`}`;
}
