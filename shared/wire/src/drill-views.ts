/** What the hub says of drills before they run: what would move, whether all is ready, and when they come. */
import Type, { type Static } from 'typebox';
import { DestinationForecast } from './drain.ts';

const Refusal = Type.Object({ rule: Type.String(), message: Type.String() });

/** Requests of one cluster's callers that would have to go elsewhere. Requests/s; absent where they are not measured. */
export const MovedRequests = Type.Object({
  source: Type.String(),
  requests: Type.Optional(Type.Number()),
  /** Who would answer them, as agents divide them; `share` of 0 to 1. Empty: nobody. */
  to: Type.Array(
    Type.Object({ cluster: Type.String(), region: Type.String(), share: Type.Number(), requests: Type.Optional(Type.Number()) }),
  ),
});
export type MovedRequests = Static<typeof MovedRequests>;

/** A service that the drill is for, or is not, and why. */
export const PlannedService = Type.Object({
  /** `NAMESPACE/NAME`. */
  service: Type.String(),
  included: Type.Boolean(),
  why: Type.String(),
  moved: Type.Array(MovedRequests),
});
export type PlannedService = Static<typeof PlannedService>;

/** Answer of `GET …/drills/NAME/plan`. */
export const DrillPlanView = Type.Object({
  drill: Type.String(),
  mode: Type.String(),
  scenario: Type.String(),
  /** Such as `region us-east`. */
  scope: Type.String(),
  /** Clusters in the scope. */
  clusters: Type.Array(Type.String()),
  services: Type.Array(PlannedService),
  /** Destinations that would get more, the tightest first. */
  headroom: Type.Array(DestinationForecast),
  /** Of all requests that are measured, those that would have to go elsewhere; absent where that is not known, and `unmeasured` says why. */
  traffic: Type.Object({
    percent: Type.Optional(Type.Number()),
    maxPercent: Type.Number(),
    unmeasured: Type.Optional(Type.String()),
  }),
  /** What it does, in sentences, of a scenario that leaves no place: a shift, a rotation. */
  course: Type.Array(Type.String()),
  /** Regions that serve every service of it all the same. */
  remainingRegions: Type.Object({ names: Type.Array(Type.String()), least: Type.Integer() }),
  /** What stands against it, by the names of the rules; empty: it may begin. */
  refusals: Type.Array(Refusal),
});
export type DrillPlanView = Static<typeof DrillPlanView>;

/** One thing that was looked at. */
export const ReadinessCheck = Type.Object({
  name: Type.String(),
  ready: Type.Boolean(),
  /** What was found, and when it is not ready what to do. */
  message: Type.String(),
});
export type ReadinessCheck = Static<typeof ReadinessCheck>;

/** Answer of `GET …/drills/NAME/readiness`. */
export const DrillReadinessView = Type.Object({
  drill: Type.String(),
  state: Type.Union([Type.Literal('Ready'), Type.Literal('NeedsAttention')]),
  /** RFC 3339. */
  checkedAt: Type.String(),
  /** When its schedule starts it next; absent when it has none, is suspended, or never may. */
  nextStartAt: Type.Optional(Type.String()),
  checks: Type.Array(ReadinessCheck),
});
export type DrillReadinessView = Static<typeof DrillReadinessView>;

/** One start of a schedule. */
export const CalendarEntry = Type.Object({
  drill: Type.String(),
  /** RFC 3339. */
  at: Type.String(),
  /** By when it is over at the latest, if it starts. */
  until: Type.String(),
  mode: Type.String(),
  scope: Type.String(),
  /** People who must consent to it. */
  approvals: Type.Integer(),
  /** Whether nothing that is known now keeps it from starting. */
  starts: Type.Boolean(),
  /** What keeps it, each with the name of its rule; what it waits for. */
  why: Type.Array(Type.String()),
});
export type CalendarEntry = Static<typeof CalendarEntry>;

/** Answer of `GET /hawser/v1/drill-calendar`. */
export const DrillCalendarView = Type.Object({
  from: Type.String(),
  to: Type.String(),
  entries: Type.Array(CalendarEntry),
  /** Drills that have no start in that time, and why. */
  without: Type.Array(Type.Object({ drill: Type.String(), why: Type.String() })),
  /** Whether there are more entries than are shown. */
  truncated: Type.Boolean(),
});
export type DrillCalendarView = Static<typeof DrillCalendarView>;

/** `status` of a DrillRun, beside its conditions. Times are RFC 3339. */
export interface DrillRunStatusFields {
  readonly phase: string;
  readonly outcome?: string;
  readonly mode: string;
  readonly startedBy: string;
  readonly message?: string;
  /** What it waits for now. */
  readonly waiting?: string;
  readonly services?: readonly string[];
  readonly clusters?: readonly string[];
  readonly proxies?: { readonly expected: number; readonly acked: number };
  /** Of a drain: how much goes elsewhere. */
  readonly percent?: number;
  /** What it began elsewhere: a TrafficShift (`NAMESPACE/NAME`), or a rotation, and where that is. */
  readonly follows?: {
    readonly kind: string;
    readonly name: string;
    readonly part: string;
    readonly weights?: Readonly<Record<string, number>>;
  };
  /** Of a drain: percentage of the requests that is still seen to go there. */
  readonly residualPercent?: number;
  readonly approvalsNeeded?: number;
  /** Whose consent counts; absent: every approver's. */
  readonly approvalGroups?: readonly string[];
  readonly approvals?: readonly { readonly by: string; readonly at: string; readonly verdict: string; readonly comment: string }[];
  readonly notes?: readonly { readonly by: string; readonly at: string; readonly text: string }[];
  readonly checks?: readonly DrillRunCheck[];
  /** Client requests to its services since it began, while it is in force. */
  readonly requests?: number;
  readonly requestsFailed?: number;
  readonly rtoMs?: number;
  readonly phases: readonly { readonly phase: string; readonly at: string }[];
  readonly timeline: readonly { readonly at: string; readonly event: string; readonly detail: string }[];
  /** What was measured, once it is over. */
  readonly results?: {
    readonly requests?: number;
    readonly requestsFailed?: number;
    readonly rtoMs?: number;
    readonly reportDigest?: string;
    /** Milliseconds by phase, as the evidence has them; null: not reached. */
    readonly timings?: Readonly<Record<string, number | null>>;
  };
}

/** A check of a run as it stands. */
export interface DrillRunCheck {
  readonly name: string;
  readonly role: string;
  readonly verdict: string;
  readonly message?: string;
  readonly value?: number | null;
}
