/** PURE: what a run begins and follows: a TrafficShift that is the run's own, or the rotation of an authority. */
import { type DrillState, entered, type RunPlan } from './drill-state.ts';
import type { RunEvidence } from './run-evidence.ts';
import { held, turnedBack } from './run-progress.ts';

type Weights = Readonly<Record<string, number>>;

/** Where it was. */
export interface FollowedPoint {
  /** RFC 3339. */
  readonly at: string;
  /** Its own word: `step 2`, `Preparing`. */
  readonly part: string;
  /** Of a shift, by destination: those in force, and those that enough proxies have acknowledged. */
  readonly weights?: Weights | undefined;
  readonly acked?: Weights | undefined;
}

/** As a run has it in its state. */
export interface Followed {
  /** `NAMESPACE/NAME` of the TrafficShift, or the rotation's id. */
  readonly id: string;
  /** Of the TrafficShift. */
  readonly uid?: string | undefined;
  /** Revision since which the TrafficShift is gone. */
  readonly goneAt?: number | undefined;
  /** In order of time. */
  readonly points: readonly FollowedPoint[];
}

/** As it stands: on its way, there, on its way back, back, or gone by another's hand. */
export interface FollowedNow {
  readonly stage: 'moving' | 'arrived' | 'returning' | 'returned' | 'gone';
  /** In order of time, the present one last. */
  readonly points: readonly FollowedPoint[];
  /** What it waits for, or why it goes back; '' when there is nothing to say. */
  readonly message: string;
}

/** On with a run that follows something. */
export function followedOn(state: DrillState, plan: RunPlan, evidence: RunEvidence): DrillState {
  const { followed } = evidence;
  if (followed === undefined) return state;
  const { stage, message } = followed;
  const what = plan.course.type === 'trafficShift' ? 'its TrafficShift' : 'the rotation';
  if (stage === 'gone') return turnedBack(state, 'Interrupted', { ...evidence, why: `${what} was taken away (rule precedence)` });
  if (stage === 'returning' || stage === 'returned')
    return turnedBack(state, 'Aborted', { ...evidence, why: `${what} goes back${message === '' ? '' : `: ${message}`}` });
  if (state.phase === 'Holding') return held(state, plan, evidence);
  return stage === 'arrived' ? entered(state, 'Holding', evidence) : state;
}

/** Whether it is as it was, or as it is to stay. */
export function isSettled(stage: FollowedNow['stage']): boolean {
  return stage === 'arrived' || stage === 'returned' || stage === 'gone';
}

/** Notes where it has come to. */
export function withPoints(state: DrillState, { followed: now }: Pick<RunEvidence, 'followed'>): DrillState {
  const { followed } = state;
  if (followed === undefined || now === undefined) return state;
  const last = followed.points.at(-1);
  const known = last === undefined ? -1 : now.points.findLastIndex((point) => isSame(point, last));
  const fresh = now.points.slice(known + 1);
  if (fresh.length === 0) return state;
  const events = fresh
    .filter(({ part }, index) => part !== (fresh[index - 1] ?? last)?.part)
    .map(({ at, part, weights }) => ({ at, event: 'Part', detail: weights === undefined ? part : `${part}: ${listed(weights)}` }));
  return {
    ...state,
    followed: { ...followed, points: [...followed.points, ...fresh] },
    timeline: [...state.timeline, ...events],
  };
}

function isSame(a: FollowedPoint, b: FollowedPoint): boolean {
  return a.part === b.part && listed(a.weights) === listed(b.weights) && listed(a.acked) === listed(b.acked);
}

function listed(weights: Weights = {}): string {
  return Object.entries(weights)
    .map(([name, weight]) => `${name} ${weight}`)
    .join(', ');
}
