/** Makes runs of drills: the one way in, of people and of schedules. */

import type { DrillSpec } from '@hawser/model/drill.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Transaction } from '../db/database.ts';
import { notFound, StatusError } from '../http/status.ts';
import type { Operations } from '../operations/operations.ts';
import { newRow, resourceOf } from '../resource/resource-row.ts';
import { findRow, recordWrite } from '../resource/resource-store.ts';
import { lockRuns, runUnderWay, scheduledSince, wasMade } from './drill-run-store.ts';

/** Who wants a run, and how. */
export interface RunRequest extends Pick<DrillRunSpec, 'trigger' | 'reason' | 'overrides' | 'scheduledAt'> {
  readonly drill: string;
  /** Undefined: as the drill says. */
  readonly mode?: DrillRunSpec['mode'] | undefined;
  readonly actor: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Makes a run and begins it; answers with its name. Throws `StatusError` for a drill that is not there, or while another run is under way. */
export async function makeRun(tx: Transaction, operated: Operations, request: RunRequest): Promise<string> {
  await lockRuns(tx);
  const kind = kindNamed('Drill');
  if (kind === undefined) throw new Error('Drill is no kind');
  const row = await findRow(tx, { kind: 'Drill', namespace: '', name: request.drill });
  if (row === undefined) throw notFound({ kind, namespace: '', name: request.drill });
  const other = request.trigger === 'manual' ? await runUnderWay(tx) : undefined;
  if (other !== undefined)
    throw new StatusError(
      'Conflict',
      `the run ${other} is under way, and there is one at a time (rule one-run): wait, or hawser drill abort ${other}`,
    );
  const run = runOf(resourceOf(row).spec as DrillSpec, await freeName(tx, request), request);
  const made = newRow(run, new Date(request.now));
  await operated.begin(tx, resourceOf(made), { actor: request.actor });
  const { reason, overrides = [] } = request;
  if (overrides.length > 0)
    await insertAudit(
      tx,
      overrides.map((rule) => overriddenRow(rule, run.metadata.name, request.actor)),
    );
  await recordWrite(tx, { action: 'create', row: made, actor: request.actor, reason });
  return run.metadata.name;
}

/** Makes the run for a time of a schedule; undefined when there was one already, the schedule was written after that time, or the drill is gone. */
export async function makeScheduledRun(
  tx: Transaction,
  operated: Operations,
  { drill, scheduledAt, now }: { readonly drill: string; readonly scheduledAt: string; readonly now: number },
): Promise<string | undefined> {
  await lockRuns(tx);
  const row = await findRow(tx, { kind: 'Drill', namespace: '', name: drill });
  if (row === undefined || Date.parse(scheduledAt) <= (await scheduledSince(tx, row))) return undefined;
  if (await wasMade(tx, { drill, scheduledAt })) return undefined;
  return await makeRun(tx, operated, { drill, trigger: 'schedule', actor: 'hub', scheduledAt, now });
}

function runOf(plan: DrillSpec, name: string, request: RunRequest): Resource {
  const { drill, trigger, mode = plan.mode ?? 'dryRun', reason, overrides, scheduledAt } = request;
  if (mode === 'live' && (plan.guardrails ?? []).length === 0)
    throw new StatusError('Conflict', `the drill ${drill} has no guardrails: a live run needs one that ends it (rule guardrails)`);
  const spec: DrillRunSpec = {
    ...{ drill, trigger, mode, plan },
    ...(reason === undefined ? {} : { reason }),
    ...(overrides === undefined || overrides.length === 0 ? {} : { overrides }),
    ...(scheduledAt === undefined ? {} : { scheduledAt }),
  };
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name, labels: { 'hawser.dev/drill': drill } }, spec };
}

const LONGEST_NAME = 63;

/** Of the drill and the minute, such as `west-20261124-1000`; a second one of that minute gets a number. */
async function freeName(tx: Transaction, { drill, scheduledAt, now }: RunRequest): Promise<string> {
  const digits = (scheduledAt ?? new Date(now).toISOString()).replaceAll(/[-:]/g, '');
  const suffix = `-${digits.slice(0, 8)}-${digits.slice(9, 13)}`;
  for (let count = 1; ; count += 1) {
    const end = count === 1 ? suffix : `${suffix}-${count}`;
    const name = `${drill.slice(0, LONGEST_NAME - end.length)}${end}`;
    if ((await findRow(tx, { kind: 'DrillRun', namespace: '', name })) === undefined) return name;
  }
}

function overriddenRow(rule: string, run: string, actor: string): ReturnType<typeof auditRow> {
  const guard = rule.startsWith('freeze/') ? { kind: 'Freeze', name: rule.slice('freeze/'.length) } : { kind: 'SafetyRule', name: rule };
  const reason = `DrillRun/${run} names it in overrides`;
  return auditRow({ ...guard, namespace: '', verb: 'override', outcome: 'allowed', code: 200, actor, reason }, 'override');
}
