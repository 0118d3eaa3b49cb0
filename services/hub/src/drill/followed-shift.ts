/** The TrafficShift of a run: made when it begins, followed, and taken away in the end, so that everything is as before. */

import { drillCourse } from '@hawser/model/drill-course.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import { shiftSpecOf } from '@hawser/model/drill-shift.ts';
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceKey } from '@hawser/model/service-host.ts';
import type { Statements } from '../db/database.ts';
import type { OperationChange } from '../operations/operation-kind.ts';
import { dropOperation, newestOperations, withForm } from '../operations/operation-store.ts';
import { newRow, resourceOf } from '../resource/resource-row.ts';
import { findRow, newestRevision, type RowKey, recordWrite } from '../resource/resource-store.ts';
import type { ShiftState } from '../shift/shift-state.ts';
import type { DrillState } from './drill-state.ts';
import type { Followed, FollowedNow, FollowedPoint } from './followed.ts';

/** A shift as it is stored, in force with its form. */
export interface FoundShift {
  readonly resource: Resource;
  readonly state: ShiftState;
}

const KIND = 'TrafficShift';

/** The TrafficShift that a run of this plan makes. */
export function shiftResource(
  name: string,
  { plan, overrides = [] }: Pick<DrillRunSpec, 'plan' | 'overrides'>,
  services: readonly string[],
) {
  const { shift } = plan.scenario;
  if (shift === undefined) throw new Error('a drill that is no trafficShift has no shift');
  const names = services.map(parseServiceKey);
  const { minHeadroomPercent } = drillCourse(plan).readiness;
  const spec = shiftSpecOf({ shift, services: names.map(({ service }) => service), minHeadroomPercent, overrides });
  const metadata = { namespace: names[0]?.namespace ?? '', name, labels: { 'hawser.dev/drill-run': name } };
  return { apiVersion: 'hawser.dev/v1alpha1', kind: KIND, metadata, spec } satisfies Resource;
}

/** Makes it, in the transaction that begins the run; a text says why that cannot be. */
export async function beginShift(
  tx: Statements,
  { after, resource, now, others }: OperationChange<DrillState>,
): Promise<Followed | string> {
  const spec = resource.spec as DrillRunSpec;
  const shift = shiftResource(resource.metadata.name, spec, after.services);
  const { namespace, name } = shift.metadata;
  if ((await findRow(tx, { kind: KIND, namespace, name })) !== undefined)
    return `there is a TrafficShift ${namespace}/${name} already (rule overlapping-shifts)`;
  const issues = (await others.kind(KIND)?.check?.(tx, shift, [])) ?? [];
  if (issues.length > 0) return issues.map(({ path, message }) => `its TrafficShift cannot begin: ${path} ${message}`).join('; ');
  const row = newRow(shift, new Date(now));
  const by = { actor: 'hub', reason: reasonOf(resource) };
  await others.begin(tx, resourceOf(row), by);
  await recordWrite(tx, { action: 'create', row, ...by });
  return { id: `${namespace}/${name}`, uid: row.uid, points: [] };
}

/** Takes it away, whatever it is doing: its weights go with it. */
export async function endShift(tx: Statements, followed: Followed, run: Resource): Promise<Followed> {
  const row = await findRow(tx, keyOf(followed), 'lock');
  if (row === undefined || row.uid !== followed.uid) return { ...followed, goneAt: await newestRevision(tx) };
  await dropOperation(tx, row.uid);
  const gone = await recordWrite(tx, { action: 'delete', row, actor: 'hub', reason: reasonOf(run) });
  return { ...followed, goneAt: gone?.revision ?? (await newestRevision(tx)) };
}

/** As it is stored; undefined when it is gone. */
export async function findShift(tx: Statements, followed: Followed): Promise<FoundShift | undefined> {
  const row = await findRow(tx, keyOf(followed));
  if (row === undefined || row.uid !== followed.uid) return undefined;
  const newest = (await newestOperations(tx, [row.uid])).get(row.uid);
  return newest === undefined ? undefined : { resource: withForm(resourceOf(row), newest), state: newest.state as ShiftState };
}

/** How it stands, Unix milliseconds `now`. */
export function shiftNow(found: FoundShift | undefined, now: number): FollowedNow {
  if (found === undefined) return { stage: 'gone', points: [], message: '' };
  const { state } = found;
  const { phase, step, pausedBy, message = '', weights, ackedWeights: acked } = state;
  const { steps } = found.resource.spec as SteppedShift;
  const point: FollowedPoint = { at: new Date(now).toISOString(), part: `step ${Math.min(step + 1, steps.length)}`, weights, acked };
  const stage = STAGES[phase] ?? 'moving';
  const waits = stage === 'moving' && pausedBy !== undefined ? `step ${step + 1} of ${steps.length} is held by ${pausedBy}` : '';
  return { stage, points: [point], message: [waits, message].filter((text) => text !== '').join(': ') };
}

const STAGES: Readonly<Partial<Record<ShiftState['phase'], FollowedNow['stage']>>> = {
  Done: 'arrived',
  RollingBack: 'returning',
  RolledBack: 'returned',
  Failed: 'returned',
};

function keyOf({ id }: Followed): RowKey {
  const { namespace, service: name } = parseServiceKey(id);
  return { kind: KIND, namespace, name };
}

function reasonOf({ metadata }: Resource): string {
  return `DrillRun/${metadata.name}`;
}
