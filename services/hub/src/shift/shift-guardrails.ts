/** The checks of shifts that are under way: they run beside the leader's looks, and are asked for what they say. */
import type { CheckSpec } from '@hawser/model/check.ts';
import type { CheckState } from '@hawser/model/check-verdict.ts';
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import { canonicalJson, sha256 } from '@hawser/runtime/canonical-json.ts';
import type { RunningChecks } from '../checks/check-runner.ts';
import type { CheckSubject } from '../checks/hub-source.ts';
import type { UnderWay } from '../operations/operation-kind.ts';
import type { CheckVerdict } from './shift-evidence.ts';
import type { ShiftState } from './shift-state.ts';

/** Starts checks about services; those that are among `begun` go on from there. */
export type StartShiftChecks = (checks: readonly CheckSpec[], subject: CheckSubject, begun?: readonly CheckState[]) => RunningChecks;
/** Of the samples of each check so many are kept for the next leader; counts and verdicts are kept whole. */
const SAMPLES_KEPT = 2;

interface Running {
  /** Generation and run that the checks are of. */
  readonly of: string;
  readonly checks: RunningChecks;
}

/** They begin after the step that `analysis.startAfterStep` says, unless an analysis waits for them before. */
const AFTER_STEP = 1;
const GUARDED: readonly ShiftState['phase'][] = ['Progressing', 'Paused', 'AwaitingApproval', 'Analyzing'];

/** The running checks by the uid of their shift. */
export class ShiftGuardrails {
  readonly #start: StartShiftChecks;
  readonly #running = new Map<string, Running>();

  constructor(start: StartShiftChecks) {
    this.#start = start;
  }

  /** Starts what is missing, and stops what is not needed any more. */
  attend(underWay: readonly UnderWay<ShiftState>[]): void {
    const wanted = new Map(underWay.flatMap((one) => (isGuarded(one) ? [[one.resource.metadata.uid ?? '', one] as const] : [])));
    for (const [uid, { of, checks }] of this.#running) {
      const one = wanted.get(uid);
      if (one !== undefined && runOf(one) === of) continue;
      checks.stop();
      this.#running.delete(uid);
    }
    for (const [uid, one] of wanted) if (!this.#running.has(uid)) this.#running.set(uid, this.#begin(one));
  }

  #begin(one: UnderWay<ShiftState>): Running {
    const { resource } = one;
    const namespace = resource.metadata.namespace ?? '';
    const { services, analysis } = resource.spec as SteppedShift;
    const { checks: kept } = one.state;
    const of = runOf(one);
    const during = (analysis?.checks ?? []).filter(({ when }) => when === undefined || when.includes('during'));
    const subject = { namespace, services: services.map((service) => `${namespace}/${service}`) };
    return { of, checks: this.#start(during, subject, kept?.of === of ? kept.states : []) };
  }

  /** What the next leader goes on from. */
  kept(uid: string): Pick<ShiftState, 'checks'> | undefined {
    const running = this.#running.get(uid);
    if (running === undefined) return undefined;
    const states = running.checks.verdicts().map((state) => ({ ...state, samples: state.samples.slice(-SAMPLES_KEPT) }));
    return { checks: { of: running.of, states } };
  }

  verdicts(uid: string): readonly CheckVerdict[] {
    return this.#running.get(uid)?.checks.verdicts() ?? [];
  }
}

function isGuarded({ resource, state }: UnderWay<ShiftState>): boolean {
  const { analysis } = resource.spec as SteppedShift;
  if (analysis === undefined || !GUARDED.includes(state.phase)) return false;
  return state.step >= (analysis.startAfterStep ?? AFTER_STEP) || state.phase === 'Analyzing';
}

function runOf({ resource, state }: UnderWay<ShiftState>): string {
  return sha256(`${canonicalJson((resource.spec as SteppedShift).analysis ?? null)} ${state.run}`);
}
