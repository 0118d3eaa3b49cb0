/** PURE: what shifts are judged by, and what follows of it for one step. */
import { parseDuration } from '@hawser/model/duration.ts';
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';

/** What the proxies have answered to what is in force. */
export interface ShiftRollout {
  /** Whether it is on the bus for every cluster. */
  readonly published: boolean;
  readonly expected: number;
  readonly acked: number;
  readonly nacked: number;
  /** Connected clusters that have said nothing of it yet. */
  readonly unaccounted: readonly string[];
  /** Clusters that are not connected: they keep what they had, and nobody waits for them. */
  readonly away: readonly string[];
  readonly connected: number;
  /** The first refusal, for people. */
  readonly refusal?: string | undefined;
}

/** Client requests measured since the weights in force were acknowledged, by destination; what went elsewhere is in `total` alone. */
export interface ObservedRequests {
  readonly total: number;
  readonly byDestination: Readonly<Record<string, number>>;
}

/** What one check says. */
export interface CheckVerdict {
  readonly name: string;
  readonly verdict: 'pending' | 'passed' | 'failed' | 'inconclusive' | 'error';
  readonly action: 'abort' | 'pause' | 'record';
  readonly message?: string | undefined;
}

/** What is known of a destination; undefined: not known. */
export interface DestinationFacts {
  /** Endpoints that could take a request. */
  readonly endpoints: number | undefined;
  /** Requests that it can bear, per second. */
  readonly capacity: number | undefined;
}

/** Whether freezes and safety rules let the next step be. */
export type StepPermit =
  | { readonly allowed: true; readonly overridden?: readonly string[] }
  | { readonly allowed: false; readonly rule: string; readonly message: string };

/** Everything known at one time. */
export interface ShiftEvidence {
  /** Unix milliseconds by the wall clock: for times of day, and to find what was measured. */
  readonly now: number;
  /** Milliseconds attended. */
  readonly clock: number;
  /** Undefined while the bus or the newest revision is not known. */
  readonly rollout: ShiftRollout | undefined;
  /** Undefined where nothing is measured. */
  readonly observed: ObservedRequests | undefined;
  readonly checks: readonly CheckVerdict[];
  readonly permit: StepPermit;
  /** The emergency that it makes way for, while there is one. */
  readonly interruption: string | undefined;
  readonly destinations: Readonly<Record<string, DestinationFacts>>;
  /** Requests to the services, per second; undefined: not known. */
  readonly load: number | undefined;
}

/** How a question about a step stands: `wait` while it may still come, `fail` when it cannot. */
export interface StepVerdict {
  readonly verdict: 'yes' | 'wait' | 'fail' | 'inconclusive';
  readonly message: string;
}

/** Milliseconds of a duration that was validated. */
export function msOf(text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : (parseDuration(text) ?? fallback);
}

const ACK_TIMEOUT_MS = 60_000;
const WINDOW_MS = 60_000;
const QUORUM_PERCENT = 99;

/** How long shares are looked at. */
export function observedWindowMs({ advance }: Pick<SteppedShift, 'advance'>): number {
  return msOf(advance?.observed?.window, WINDOW_MS);
}

/** Whether the proxies have acknowledged what is in force, `waitedMs` after it came into force. */
export function acknowledged({ advance }: Pick<SteppedShift, 'advance'>, { rollout }: ShiftEvidence, waitedMs: number): StepVerdict {
  const quorum = advance?.ackQuorumPercent ?? QUORUM_PERCENT;
  const late = waitedMs > msOf(advance?.ackTimeout, ACK_TIMEOUT_MS);
  const missing = (message: string): StepVerdict => ({ verdict: late ? 'fail' : 'wait', message });
  if (rollout === undefined || !rollout.published) return missing('it is not on the bus yet');
  const { expected, acked, nacked, unaccounted, connected, refusal } = rollout;
  const needed = Math.ceil((expected * quorum) / 100);
  if (nacked > expected - needed) {
    return { verdict: 'fail', message: `${nacked} of ${expected} proxies refused it${refusal === undefined ? '' : `: ${refusal}`}` };
  }
  if (connected === 0) return missing('no cluster is connected');
  if (unaccounted.length > 0) return missing(`${unaccounted.join(', ')} did not answer yet`);
  if (acked < needed) return missing(`${acked} of ${expected} proxies have acknowledged it, and ${needed} must have`);
  return { verdict: 'yes', message: `${acked} of ${expected} proxies have acknowledged it` };
}

/** Whether the traffic is seen where the weights send it, `waitedMs` after they were acknowledged. */
export function seen(
  spec: SteppedShift,
  weights: Readonly<Record<string, number>>,
  { observed }: ShiftEvidence,
  waitedMs: number,
): StepVerdict {
  const { minRequests = 100, tolerancePercent = 5 } = spec.advance?.observed ?? {};
  if (minRequests === 0) return { verdict: 'yes', message: 'shares are not looked at' };
  const late = waitedMs > observedWindowMs(spec);
  const missing = (message: string): StepVerdict => ({ verdict: late ? 'inconclusive' : 'wait', message });
  if (observed === undefined) return missing('no traffic is measured');
  if (observed.total < minRequests) return missing(`${observed.total} requests were seen, and ${minRequests} must be`);
  const total = spec.totalWeight ?? 100;
  const off = spec.destinations.flatMap(({ name }) => {
    const share = (100 * (observed.byDestination[name] ?? 0)) / observed.total;
    const asked = (100 * (weights[name] ?? 0)) / total;
    return Math.abs(share - asked) > tolerancePercent
      ? [`${name} got ${share.toFixed(1)} % of ${observed.total} requests, not ${asked} %`]
      : [];
  });
  return off.length > 0 ? missing(off.join('; ')) : { verdict: 'yes', message: `seen in ${observed.total} requests` };
}

/** Why weights may not come into force now; undefined when they may. */
export function obstacle(
  spec: SteppedShift,
  { weights, before }: { readonly weights: Readonly<Record<string, number>>; readonly before: Readonly<Record<string, number>> },
  evidence: Pick<ShiftEvidence, 'permit' | 'destinations' | 'load'>,
): string | undefined {
  if (!evidence.permit.allowed) return `${evidence.permit.rule}: ${evidence.permit.message}`;
  const risen = spec.destinations.filter(({ name }) => (weights[name] ?? 0) > (before[name] ?? 0));
  for (const { name } of risen) {
    const facts = evidence.destinations[name];
    if (facts?.endpoints === 0) return `destination-without-endpoints: ${name} has no endpoint that could take a request`;
    const full = overCapacity(spec, { name, weight: weights[name] ?? 0 }, evidence);
    if (full !== undefined) return full;
  }
  return undefined;
}

function overCapacity(
  spec: SteppedShift,
  { name, weight }: { name: string; weight: number },
  evidence: Pick<ShiftEvidence, 'destinations' | 'load'>,
): string | undefined {
  const capacity = evidence.destinations[name]?.capacity;
  const most = spec.capacityGuard?.maxDestinationUtilization ?? 0.8;
  if (capacity === undefined) return undefined;
  if (evidence.load === undefined) return `capacity-guard: ${name} can bear ${capacity} requests/s, and how many there are is not known`;
  const wanted = (evidence.load * weight) / (spec.totalWeight ?? 100);
  if (wanted <= capacity * most) return undefined;
  return `capacity-guard: ${name} would get ${wanted.toFixed(0)} requests/s, of the ${capacity} that it can bear at most ${(most * 100).toFixed(0)} %`;
}
