/** Signs of life while a drill is in force: request `drill-lease` (hub → agents), and what agents say of drills in their account. */
import Type, { type Static } from 'typebox';

/** Method of the request. */
export const DRILL_LEASE = 'drill-lease';

/** That the hub attends to a run. */
export const DrillLeaseRequest = Type.Object({ run: Type.String() });
export type DrillLeaseRequest = Static<typeof DrillLeaseRequest>;

/** Whether the agent goes on with it; not when it knows nothing of the run, or has lifted it. */
export const DrillLeaseResponse = Type.Union([Type.Object({ obeyed: Type.Boolean() }), Type.Object({ error: Type.String() })]);
export type DrillLeaseResponse = Static<typeof DrillLeaseResponse>;

/** What an agent makes of a run: it obeys it, has lifted the fault by itself, acts as if it were cut off, or did so until the lease ended. */
export const DrillAccount = Type.Object({
  run: Type.String(),
  state: Type.Union([Type.Literal('obeyed'), Type.Literal('lifted'), Type.Literal('cut'), Type.Literal('rejoined')]),
  /** Since when, RFC 3339. */
  at: Type.String(),
});
export type DrillAccount = Static<typeof DrillAccount>;
