/** What the status of a TrafficShift in steps shows. */
import Type, { type Static } from 'typebox';

/** One destination. Parts of `totalWeight`, but for `observedPercent`. */
const ShiftWeight = Type.Object({
  name: Type.String(),
  desired: Type.Number(),
  acked: Type.Optional(Type.Number()),
  observedPercent: Type.Optional(Type.Number()),
});

/** The status, beside what every resource has. Absent fields are not known, or make no sense in this phase. */
export const ShiftStatus = Type.Object({
  phase: Type.String(),
  /** From 0; as many as `steps` when all are done. */
  stepIndex: Type.Integer(),
  steps: Type.Integer(),
  totalWeight: Type.Integer(),
  weights: Type.Array(ShiftWeight),
  requestedBy: Type.String(),
  pausedBy: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  waitsFor: Type.Optional(Type.String()),
  /** Duration until `onDeadline`. */
  deadlineIn: Type.Optional(Type.String()),
  /** RFC 3339. */
  startsAt: Type.Optional(Type.String()),
  endsAt: Type.Optional(Type.String()),
  approvals: Type.ReadonlyType(Type.Array(Type.Object({ by: Type.String(), step: Type.Integer() }))),
  /** Of the replica that leads alone. */
  checks: Type.Optional(Type.Array(Type.Object({ name: Type.String(), verdict: Type.String(), message: Type.String() }))),
});
export type ShiftStatus = Static<typeof ShiftStatus>;
