/** The rotation that a run begins and follows: it goes by its own phases, and stays when it is done. */
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { Statements } from '../db/database.ts';
import type { RolloutEvidence } from '../drain/drain-evidence.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { OperationChange } from '../operations/operation-kind.ts';
import { evidenceFor } from '../trust/fleet-evidence.ts';
import { newRotation } from '../trust/rotation-service.ts';
import { advance, commanded, isOver, type Rotation, waiting } from '../trust/rotation-state.ts';
import { findRotation, insertRotation, updateRotation } from '../trust/rotation-store.ts';
import { trustAcknowledged } from '../trust/trust-acknowledged.ts';
import type { DrillState } from './drill-state.ts';
import type { Followed, FollowedNow } from './followed.ts';

/** Begins it, in the transaction that begins the run; a text says why that cannot be. */
export async function beginRotation(
  tx: Statements,
  { resource: run }: OperationChange<DrillState>,
  context: FleetContext,
): Promise<Followed | string> {
  const { cluster = '', authority: kind = 'root' } = (run.spec as DrillRunSpec).plan.scenario;
  const evidence = evidenceFor(context, cluster);
  if (evidence.epoch === undefined) return `there is no cluster ${cluster} (rule known-scope)`;
  const by = nameOf(run);
  const rotation = newRotation({ cluster, kind }, { actor: by, emergency: false, evidence });
  const act = { actor: 'hub', verb: 'rotate', reason: `${kind} of ${cluster}, for ${by}` };
  if (await insertRotation(tx, advance(rotation, evidence), act)) return { id: rotation.id, points: [] };
  return `a rotation of ${cluster} is under way: let it end, or roll it back: hawser trust rotate ${cluster} --rollback (rule rotation-under-way)`;
}

/** Rolls it back, where that is still possible; a text says why it is not. */
export async function rollBackRotation(
  tx: Statements,
  { followed, resource: run }: { readonly followed: Followed } & Pick<OperationChange<DrillState>, 'resource'>,
  context: FleetContext,
): Promise<string | undefined> {
  const before = await findRotation(tx, followed.id, 'lock');
  if (before === undefined || isOver(before) || before.phase === 'RollingBack') return undefined;
  const evidence = evidenceFor(context, before.cluster);
  const after = commanded(before, 'rollback', evidence);
  if (typeof after === 'string') return `${after}; it goes on to its end`;
  const act = { actor: 'hub', verb: 'rollback', reason: `${before.cluster}: ${after.phase}, for ${nameOf(run)}`, now: evidence.now };
  await updateRotation(tx, before, after, act);
  return undefined;
}

/** How it stands; undefined: it was not found. */
export function rotationNow(rotation: Rotation | undefined, context: FleetContext): FollowedNow {
  if (rotation === undefined) return { stage: 'gone', points: [], message: '' };
  const { phases, phase, paused, message = '' } = rotation;
  const points = phases.map((one) => ({ at: one.at, part: one.phase }));
  const stage = STAGES[phase] ?? 'moving';
  if (stage !== 'moving' && stage !== 'returning') return { stage, points, message: message === '' ? phase : message };
  if (paused) return { stage, points, message: `it is paused: hawser trust rotate ${rotation.cluster} --resume` };
  const waits = waiting(rotation, evidenceFor(context, rotation.cluster)).filter(({ blocks }) => blocks);
  return { stage, points, message: waits.map(({ cluster, reason }) => `${cluster}: ${reason}`).join('; ') };
}

const STAGES: Readonly<Partial<Record<Rotation['phase'], FollowedNow['stage']>>> = {
  Done: 'arrived',
  RollingBack: 'returning',
  RolledBack: 'returned',
  Failed: 'returned',
};

/** Proxies of all clusters that trust it, and those of them that have acknowledged what signs now, or is going to. */
export function rotationRollout(rotation: Rotation | undefined, context: FleetContext): RolloutEvidence {
  if (rotation === undefined) return { complete: false, expected: 0, acked: 0, waitingFor: [], disconnected: [] };
  return trustAcknowledged(rotation, evidenceFor(context, rotation.cluster));
}

function nameOf({ metadata }: OperationChange<DrillState>['resource']): string {
  return `DrillRun/${metadata.name}`;
}
