/** From results of probes to readiness, as Kubernetes counts them. Pure. */
import type { WorkloadProbe } from '@hawser/wire/workload-health.ts';

/** How a probe is timed and counted; milliseconds. Kubernetes' defaults where a field is missing or 0. */
export interface ProbePlan {
  readonly delayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successes: number;
  readonly failures: number;
}

/** The plan of a probe. */
export function planOf(probe: WorkloadProbe): ProbePlan {
  return {
    delayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds || 10) * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    successes: probe.successThreshold || 1,
    failures: probe.failureThreshold || 3,
  };
}

/** What is known: `ready` is undefined until one of the thresholds was reached. */
export interface Readiness {
  readonly ready: boolean | undefined;
  /** Equal results in a row, and which. */
  readonly run: number;
  readonly last: boolean | undefined;
}

export const UNDECIDED: Readiness = { ready: undefined, run: 0, last: undefined };

/** After one more result. */
export function withResult(before: Readiness, success: boolean, plan: ProbePlan): Readiness {
  const run = before.last === success ? before.run + 1 : 1;
  const isReached = run >= (success ? plan.successes : plan.failures);
  return { ready: isReached ? success : before.ready, run, last: success };
}
