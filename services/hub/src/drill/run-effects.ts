/** What follows of a run elsewhere: its TrafficShift, or its rotation, begun and given up in the transaction that says so. */
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { Statements } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { OperationChange } from '../operations/operation-kind.ts';
import type { Rotation } from '../trust/rotation-state.ts';
import { findRotation } from '../trust/rotation-store.ts';
import { type DrillState, ended } from './drill-state.ts';
import type { Followed } from './followed.ts';
import { beginRotation, rollBackRotation } from './followed-rotation.ts';
import { beginShift, endShift, type FoundShift, findShift } from './followed-shift.ts';

type Change = OperationChange<DrillState>;

/** What a run follows, as the database has it. */
export interface FoundElsewhere {
  readonly shift?: FoundShift | undefined;
  readonly rotation?: Rotation | undefined;
}

/** Reads it; undefined for a run that follows nothing. */
export async function findFollowed(tx: Statements, { followed }: DrillState): Promise<FoundElsewhere | undefined> {
  if (followed === undefined) return undefined;
  if (followed.uid !== undefined) return { shift: await findShift(tx, followed) };
  return { rotation: await findRotation(tx, followed.id, 'read') };
}

/** Does it; what cannot begin is over. */
export async function carriedOut(tx: Statements, change: Change, context: FleetContext): Promise<DrillState> {
  const { before, after, resource } = change;
  const isBegun = before.phase === 'Preflight' && after.phase !== 'Preflight';
  const { followed } = after;
  if (isBegun && after.phase === 'Shifting' && (resource.spec as DrillRunSpec).plan.scenario.type === 'trafficShift')
    return begun(change, 'TrafficShift', await beginShift(tx, change));
  if (isBegun && after.phase === 'Rotating') return begun(change, 'TrustRotation', await beginRotation(tx, change, context));
  const isBack = before.phase !== after.phase && (after.phase === 'Restoring' || after.phase === 'Done');
  if (!isBack || followed === undefined) return after;
  if (followed.uid !== undefined)
    return followed.goneAt === undefined ? { ...after, followed: await endShift(tx, followed, resource) } : after;
  // One that went well stays: what it is for is done.
  const kept = after.outcome === undefined ? undefined : await rollBackRotation(tx, { followed, resource }, context);
  return kept === undefined ? after : { ...after, message: `${after.message ?? ''}; it cannot be rolled back: ${kept}` };
}

function begun({ before, after, now, clock }: Change, kind: string, made: Followed | string): DrillState {
  if (typeof made === 'string') return ended(before, 'Skipped', { now, clock, why: made });
  const event = { at: new Date(now).toISOString(), event: kind, detail: made.id };
  return { ...after, followed: made, timeline: [...after.timeline, event] };
}
