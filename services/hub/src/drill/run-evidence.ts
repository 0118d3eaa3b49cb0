/** PURE: what a run of a drill is judged by. */
import type { CheckState } from '@hawser/model/check-verdict.ts';
import type { Refusal, Residual, RolloutEvidence } from '../drain/drain-evidence.ts';
import type { FollowedNow } from './followed.ts';

/** What a check of a drill is for. */
export type CheckRole = 'steadyState' | 'guardrail' | 'blocker' | 'objective';
/** When it counts. */
export type CheckWhen = 'before' | 'during' | 'after';

/** A check as it stands. */
export interface RunCheck {
  readonly role: CheckRole;
  readonly when: readonly CheckWhen[];
  readonly state: CheckState;
}

/** What the callers measured of it. */
export interface Recovery {
  /** Unix milliseconds from which on they are served within the objective again, and nothing goes there; undefined: not seen yet. */
  readonly recoveredAt: number | undefined;
  /** Unix milliseconds of the first failure that they saw; undefined: none. */
  readonly firstFailureAt: number | undefined;
  /** Unix milliseconds at which they first sent less there. */
  readonly detectedAt: number | undefined;
  /** How far off these times may be, milliseconds. */
  readonly resolutionMs: number;
  readonly requests: number;
  readonly failed: number;
  /** Seconds, of one caller's cluster each, of which nobody knows what was in them: their requests count where a later report told of them. */
  readonly unknownSeconds: number;
}

/** Everything known at one time. */
export interface RunEvidence {
  /** Unix milliseconds, for people and to find what was measured. */
  readonly now: number;
  /** Milliseconds attended. */
  readonly clock: number;
  /** What the proxies said of what is in force: of the form, of the TrafficShift, of the new root. */
  readonly rollout: RolloutEvidence;
  /** What it follows; undefined: nothing. */
  readonly followed?: FollowedNow | undefined;
  /** Why it may not begin, or take its next step. */
  readonly refusal: Refusal | undefined;
  /** Why it is not known what is sent where; undefined: it is known. */
  readonly unmeasured: string | undefined;
  /** What is not ready, and may yet be. */
  readonly unready: string | undefined;
  /** Of drains: why the traffic may not take its next step back. */
  readonly returning: Refusal | undefined;
  /** Of drains: requests/s that the places bear of each service now, by `borneKey`. */
  readonly baseline: Readonly<Record<string, number>>;
  /** Another run that is under way. */
  readonly busy: string | undefined;
  /** Whom it gives way to: what people do by hand, or an emergency, with the same services. */
  readonly preemptedBy: string | undefined;
  /** Clusters whose agents lifted it by themselves. */
  readonly lapsedIn: readonly string[];
  /** Clusters that it hits whose agents a hub that has just come has not heard yet: they may have lifted it. */
  readonly unheard: readonly string[];
  readonly checks: readonly RunCheck[];
  readonly recovery: Recovery | undefined;
  /** Unix milliseconds until which traffic is known. */
  readonly measuredUntil: number;
  /** Of drains: what is still seen to go there. */
  readonly residual: Residual;
  /** `NAMESPACE/NAME` that it is for, as they are now. */
  readonly services: readonly string[];
  /** Clusters that it hits. */
  readonly clusters: readonly string[];
  /** Newest revision that is known. */
  readonly revision: number;
}
