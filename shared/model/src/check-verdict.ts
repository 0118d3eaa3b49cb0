/** What samples of a check say, one after the other. No data is never a success, and neither is silence. Pure. */
import type { Check } from './check.ts';
import type { Condition } from './condition/condition.ts';

/**
 * What was had of a source: a number, nothing, or a reason why it could not be asked. `partial` says what the number leaves out: by
 * such a one a check may fail, and never pass.
 */
export type Measurement =
  | { readonly value: number; readonly partial?: string | undefined }
  | { readonly noData: string }
  | { readonly error: string };

/** One look. */
export interface CheckSample {
  /** RFC 3339. */
  readonly at: string;
  readonly outcome: 'passed' | 'failed' | 'noData' | 'error';
  readonly value?: number;
  readonly message?: string;
}

/**
 * `pending`: nothing is known yet, or the newest sample failed within the limits; `passed`: the newest sample passed;
 * `inconclusive`: the newest one had no data. `failed` and `error` (no samples to be had) stay.
 */
export type CheckVerdict = 'pending' | 'passed' | 'failed' | 'inconclusive' | 'error';

/** Where one check is. */
export interface CheckState {
  readonly name: string;
  readonly action: Check['action'];
  readonly verdict: CheckVerdict;
  /** Why the verdict is what it is; empty while it is good. */
  readonly message: string;
  /** Samples so far. */
  readonly taken: number;
  readonly failures: number;
  readonly errorsInARow: number;
  /** RFC 3339, of the first sample that failed. */
  readonly firstFailedAt?: string;
  /** The newest ones, and the first one that failed; in the order in which they were taken. */
  readonly samples: readonly CheckSample[];
}

/** Samples that a state keeps: `taken` and `failures` count all. */
export const SAMPLES_KEPT = 60;

/** Before the first sample. */
export function unchecked({ name, action }: Pick<Check, 'name' | 'action'>): CheckState {
  return { name, action, verdict: 'pending', message: 'no sample was taken yet', taken: 0, failures: 0, errorsInARow: 0, samples: [] };
}

/** What one measurement is to a check. A condition that cannot be evaluated is an error. */
export function sampleOf(check: Check, condition: Condition | undefined, measured: Measurement, at: string): CheckSample {
  if ('error' in measured) return { at, outcome: 'error', message: measured.error };
  if ('noData' in measured) return { at, outcome: 'noData', message: measured.noData };
  const { value } = measured;
  // JSON has neither; and of what is no number no condition can be asked.
  if (Number.isNaN(value)) return { at, outcome: 'noData', message: 'the result is no number' };
  const shown = Number.isFinite(value) ? { value } : {};
  const { source } = check;
  if ('http' in source && value !== (source.http.expectStatus ?? 200)) {
    return {
      at,
      outcome: 'failed',
      ...shown,
      message: `${value === 0 ? 'it did not answer' : `it answered ${value}, and not ${source.http.expectStatus ?? 200}`}`,
    };
  }
  const outcome = condition?.evaluate({ result: value }) ?? { holds: true };
  if ('problem' in outcome) return { at, outcome: 'error', ...shown, message: outcome.problem };
  if (!outcome.holds) return { at, outcome: 'failed', ...shown, message: `result is ${value}, and the condition does not hold` };
  return measured.partial === undefined
    ? { at, outcome: 'passed', ...shown }
    : { at, outcome: 'noData', ...shown, message: measured.partial };
}

/** The state after one more sample. `failed` and `error` stay what they are: whoever goes on begins anew. */
export function afterSample(check: Check, state: CheckState, sample: CheckSample): CheckState {
  const counted = countedAs(check, sample);
  const failures = state.failures + (counted === 'failed' ? 1 : 0);
  const errorsInARow = counted === 'error' ? state.errorsInARow + 1 : 0;
  const next = {
    ...state,
    taken: state.taken + 1,
    failures,
    errorsInARow,
    ...(counted === 'failed' && state.firstFailedAt === undefined ? { firstFailedAt: sample.at } : {}),
    samples: bounded([...state.samples, sample]),
  };
  if (state.verdict === 'failed' || state.verdict === 'error') return next;
  return { ...next, ...verdictAfter(check, counted, { failures, errorsInARow, sample }) };
}

/** Without the oldest where there are too many; by the first one that failed a verdict is understood. */
function bounded(samples: readonly CheckSample[]): readonly CheckSample[] {
  if (samples.length <= SAMPLES_KEPT) return samples;
  return samples.toSpliced(samples[0]?.outcome === 'failed' ? 1 : 0, 1);
}

function countedAs({ onNoData }: Check, { outcome }: CheckSample): 'passed' | 'failed' | 'noData' | 'error' {
  if (outcome !== 'noData' || onNoData === 'inconclusive') return outcome;
  return onNoData === 'fail' ? 'failed' : 'passed';
}

interface Counts {
  readonly failures: number;
  readonly errorsInARow: number;
  readonly sample: CheckSample;
}

function verdictAfter(
  { failureLimit, consecutiveErrorLimit }: Check,
  counted: ReturnType<typeof countedAs>,
  { failures, errorsInARow, sample }: Counts,
): Pick<CheckState, 'verdict' | 'message'> {
  const why = sample.message ?? '';
  if (failures > failureLimit) return { verdict: 'failed', message: `${failures} samples failed, ${failureLimit} may: ${why}` };
  if (errorsInARow > consecutiveErrorLimit)
    return { verdict: 'error', message: `no sample was had ${errorsInARow} times in a row: ${why}` };
  if (counted === 'passed') return { verdict: 'passed', message: '' };
  if (counted === 'noData') return { verdict: 'inconclusive', message: why };
  const within = counted === 'failed' ? `${failures} of ${failureLimit} failures that are let pass` : 'no sample was had';
  return { verdict: 'pending', message: `${within}: ${why}` };
}

/** What checks mean for whoever moves traffic. `wait`: some are not known to be good; nothing is to go forward by them. */
export interface ChecksDecision {
  readonly decision: 'proceed' | 'wait' | 'pause' | 'abort';
  /** The check that decides, and why; empty when all is well. */
  readonly because: string;
}

/** The gravest of what the checks say. Those that are to be recorded alone decide nothing. */
export function decisionOf(states: readonly CheckState[]): ChecksDecision {
  const asked = states.filter(({ action }) => action !== 'record');
  const first = (decision: ChecksDecision['decision'], found: (state: CheckState) => boolean): ChecksDecision | undefined => {
    const state = asked.find(found);
    return state === undefined ? undefined : { decision, because: `${state.name} is ${state.verdict}: ${state.message}` };
  };
  return (
    first('abort', ({ verdict, action }) => verdict === 'failed' && action === 'abort') ??
    first('pause', ({ verdict }) => verdict === 'failed' || verdict === 'error' || verdict === 'inconclusive') ??
    first('wait', ({ verdict }) => verdict === 'pending') ?? { decision: 'proceed', because: '' }
  );
}
