/** What the hub says of drains, beside the resources themselves. */
import { DrainSpec } from '@hawser/model/drain.ts';
import Type, { type Static } from 'typebox';

/** Body of `POST /hawser/v1/drain-plans`: a drain that is not to be made. */
export const DrainPlanRequest = Type.Object(
  { name: Type.Optional(Type.String({ maxLength: 253 })), spec: DrainSpec },
  { additionalProperties: false },
);
export type DrainPlanRequest = Static<typeof DrainPlanRequest>;

/** A destination that would get more. Requests/s; absent where they are not known. */
export const DestinationForecast = Type.Object({
  service: Type.String(),
  cluster: Type.String(),
  verdict: Type.Union([Type.Literal('enough'), Type.Literal('short'), Type.Literal('unknown')]),
  requestsNow: Type.Optional(Type.Number()),
  requestsAfter: Type.Optional(Type.Number()),
  capacity: Type.Optional(Type.Number()),
});
export type DestinationForecast = Static<typeof DestinationForecast>;

/** Its answer. */
export const DrainPlan = Type.Object({
  clusters: Type.Array(Type.String()),
  /** `NAMESPACE/NAME`. */
  services: Type.Array(Type.String()),
  urgency: Type.Union([Type.Literal('graceful'), Type.Literal('emergency')]),
  steps: Type.Array(Type.Object({ percent: Type.Number(), holdSeconds: Type.Number() })),
  /** Services that leave one after another, each in those steps; those of no wave at the end, without a name. */
  waves: Type.Optional(Type.Array(Type.Object({ names: Type.Array(Type.String()), services: Type.Array(Type.String()) }))),
  /** The tightest first. */
  headroom: Type.Array(DestinationForecast),
  /** What stands against it, by the names of the rules; empty: it may be made. */
  refusals: Type.Array(Type.Object({ rule: Type.String(), message: Type.String() })),
});
export type DrainPlan = Static<typeof DrainPlan>;

/** A drain that an agent made by itself, while there was no hub to ask. */
export const LocalDrainView = Type.Object({
  cluster: Type.String(),
  reason: Type.String(),
  by: Type.String(),
  /** RFC 3339. */
  since: Type.String(),
  until: Type.String(),
});
export type LocalDrainView = Static<typeof LocalDrainView>;

/** Answer of `GET /hawser/v1/local-drains`. */
export const LocalDrains = Type.Object({ items: Type.Array(LocalDrainView) });
export type LocalDrains = Static<typeof LocalDrains>;

/** `status` of a Drain, beside its conditions. */
export interface DrainStatusFields {
  readonly phase: string;
  /** Of what would go there, how much goes elsewhere by the form in force. */
  readonly percent: number;
  /** Such as `2/4`; none before the first. */
  readonly step?: string;
  /** Waves of the step, where there are any; none of them: what no wave selects. */
  readonly waves?: readonly string[];
  /** Who approved that it comes back. */
  readonly approvals?: readonly string[];
  /** What it waits for now. */
  readonly waiting?: string;
  readonly message?: string;
  readonly proxies: { readonly expected: number; readonly acked: number };
  /** Percentage of the requests seen to go there; none where that is not known, and `unobserved` says why. */
  readonly residualPercent?: number;
  readonly unobserved?: string;
  readonly startedBy: string;
  /** RFC 3339; none when it has ended. */
  readonly expiresAt?: string;
  readonly renewals: number;
  readonly phases: readonly { readonly phase: string; readonly at: string }[];
}
