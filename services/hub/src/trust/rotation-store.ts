/** Rotations in PostgreSQL. A change of what a cluster is told is a write like any other: it has a revision, a history and an outbox entry. */
import type { TrustOrder } from '@hawser/wire/trust.ts';
import { and, desc, eq, isNotNull, notInArray, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { members, rotations } from '../db/schema.ts';
import { recordAct } from '../resource/act-store.ts';
import { orderOf, type Rotation } from './rotation-state.ts';

/** The kind under which the history and the audit show rotations; it is no resource kind. */
export const ROTATION_KIND = 'TrustRotation';
const LISTED = 100;

/** Who changes a rotation, and why. */
export interface RotationAct {
  readonly actor: string;
  readonly verb: string;
  readonly reason: string;
}

/** Those that are under way. */
export async function rotationsUnderWay(tx: Statements): Promise<readonly Rotation[]> {
  const rows = await tx
    .select({ state: rotations.state })
    .from(rotations)
    .where(notInArray(rotations.phase, ['Done', 'RolledBack', 'Failed']));
  return rows.map(({ state }) => state);
}

/** The newest ones, of one cluster if that is given. */
export async function listRotations(tx: Statements, cluster: string | undefined): Promise<readonly Rotation[]> {
  const rows = await tx
    .select({ state: rotations.state })
    .from(rotations)
    .where(cluster === undefined ? undefined : eq(rotations.cluster, cluster))
    .orderBy(desc(rotations.createdAt))
    .limit(LISTED);
  return rows.map(({ state }) => state);
}

/** One rotation; `lock` keeps others from changing it until the transaction ends. */
export async function findRotation(tx: Statements, id: string, lock: 'lock' | 'read'): Promise<Rotation | undefined> {
  const query = tx.select({ state: rotations.state }).from(rotations).where(eq(rotations.id, id));
  const [row] = await (lock === 'lock' ? query.for('update') : query);
  return row?.state;
}

/** What each cluster was told last, of its present enrolment. */
export async function trustOrders(tx: Statements): Promise<ReadonlyMap<string, TrustOrder>> {
  const rows = await tx
    .selectDistinctOn([rotations.cluster], { cluster: rotations.cluster, order: rotations.order })
    .from(rotations)
    .innerJoin(members, and(eq(members.cluster, rotations.cluster), sql`${members.epoch} = (${rotations.state} ->> 'epoch')::bigint`))
    .where(isNotNull(rotations.order))
    .orderBy(rotations.cluster, desc(rotations.createdAt));
  return new Map(rows.flatMap(({ cluster, order }) => (order === null ? [] : [[cluster, order]])));
}

/** Stores a new one; false when one of its cluster is under way. */
export async function insertRotation(tx: Statements, rotation: Rotation, act: RotationAct): Promise<boolean> {
  const { id, cluster, phase, createdAt } = rotation;
  const row = {
    id,
    cluster,
    phase,
    state: rotation,
    order: orderOf(rotation, Date.parse(createdAt)) ?? null,
    createdAt: new Date(createdAt),
  };
  const made = await tx.insert(rotations).values(row).onConflictDoNothing().returning({ id: rotations.id });
  if (made.length === 0) return false;
  await note(tx, rotation, { ...act, action: 'create' });
  return true;
}

/** Stores what became of one, and says it to its cluster where that is something new. */
export async function updateRotation(tx: Statements, before: Rotation, after: Rotation, act: RotationAct & { now: number }): Promise<void> {
  const order = orderOf(after, act.now);
  const isNew = order !== undefined && order.phase !== orderOf(before, act.now)?.phase;
  // An agent that starts again must not do what was given up.
  const said = after.phase === 'Failed' ? { order: null } : isNew ? { order } : {};
  await tx
    .update(rotations)
    .set({ phase: after.phase, state: after, ...said })
    .where(eq(rotations.id, after.id));
  await note(tx, after, { ...act, action: 'update' });
}

/** Takes a revision, which locks its row until commit: nothing is done after it. */
async function note(tx: Statements, rotation: Rotation, act: RotationAct & { readonly action: 'create' | 'update' }): Promise<void> {
  const { id, cluster, phase, paused, createdAt } = rotation;
  const { action, actor, verb, reason } = act;
  await recordAct(tx, {
    ...{ kind: ROTATION_KIND, namespace: '', name: id, action, actor, verb, reason, createdAt },
    ...{ generation: rotation.phases.length, spec: { cluster, phase, paused } },
  });
}
