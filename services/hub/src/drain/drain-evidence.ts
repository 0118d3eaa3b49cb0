/** PURE: what a drain is judged by. */

/** Why something may not be, by the name of the rule that says so. */
export interface Refusal {
  readonly rule: string;
  readonly message: string;
}

/** What is seen of the requests to the services in question: those of the stage that is on its way, else all. */
export type Residual =
  /** Percentage of the requests that go to what is drained. */
  | { readonly kind: 'observed'; readonly percent: number }
  /** It is known that there are no requests. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'unobserved'; readonly why: string };

/** What the proxies said of the form in force. */
export interface RolloutEvidence {
  /** Every agent that is connected has accounted for it. */
  readonly complete: boolean;
  readonly expected: number;
  readonly acked: number;
  /** Clusters whose agents have not answered, and those that are not connected: they are not waited for. */
  readonly waitingFor: readonly string[];
  readonly disconnected: readonly string[];
}

/** Everything known at one time. */
export interface DrainEvidence {
  /** Unix milliseconds, for people. */
  readonly now: number;
  /** Milliseconds of the operation's clock. */
  readonly clock: number;
  readonly rollout: RolloutEvidence;
  readonly residual: Residual;
  /** The same of the stage that comes after the present one; of the present one where none does. */
  readonly ahead: Residual;
  /** Stages whose services nobody serves in its scope; none where there is only one. */
  readonly idleStages: ReadonlySet<number>;
  /** Requests/s that go there now, by service; of those that are measured. */
  readonly baseline: Readonly<Record<string, number>>;
  /** Why the next step of the way there may not be taken now. */
  readonly leaving: Refusal | undefined;
  /** Why the next step of the way back may not be taken now. */
  readonly returning: Refusal | undefined;
  /** The emergency that has taken its place, by name. */
  readonly preemptedBy: string | undefined;
  /** Why there is nothing to drain any more. */
  readonly scopeGone: string | undefined;
}
