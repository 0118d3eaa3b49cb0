/** How Drill differs from other kinds: its status says whether it could begin. */

import type { DrillSpec } from '@hawser/model/drill.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillReadinessView } from '@hawser/wire/drill-views.ts';
import type { Condition } from '../hub-core.ts';
import type { KindBehaviour } from '../resource/kind-behaviour.ts';
import { scheduleProblem } from '../shift/shift-schedule.ts';

/** What was found last of a drill; undefined while it was not looked at. */
export type KnownReadiness = (drill: Resource) => DrillReadinessView | undefined;

/** `.status.readiness`, and the condition `ReadyToRun` (no kstatus type: a drill that is not ready was stored all right). */
export function drillBehaviour(known: KnownReadiness): KindBehaviour {
  return {
    check: async (_tx, { spec }) => {
      const { schedule } = spec as DrillSpec;
      const problem = schedule === undefined ? undefined : scheduleProblem(schedule.cron, schedule.timeZone);
      return problem === undefined ? [] : [{ path: 'spec.schedule.cron', code: 'FieldValueInvalid', message: problem }];
    },
    statuses: async (_tx, drills) =>
      new Map(
        drills.map((drill) => {
          const found = known(drill);
          const condition = readyToRun(found);
          return [
            drill.metadata.uid ?? '',
            found === undefined ? { conditions: [condition] } : { ...statusOf(found), conditions: [condition] },
          ];
        }),
      ),
  };
}

function statusOf({ state, checkedAt, nextStartAt, checks }: DrillReadinessView): Readonly<Record<string, unknown>> {
  const reasons = checks.filter(({ ready }) => !ready).map(({ name, message }) => ({ name, message }));
  return { readiness: { state, checkedAt, reasons }, ...(nextStartAt === undefined ? {} : { nextStartAt }) };
}

function readyToRun(found: DrillReadinessView | undefined): Condition {
  if (found === undefined) return { type: 'ReadyToRun', status: 'Unknown', reason: 'Unchecked', message: 'it was not looked at yet' };
  const reasons = found.checks.filter(({ ready }) => !ready).map(({ name, message }) => `${name}: ${message}`);
  const message = reasons.length === 0 ? `looked at ${found.checkedAt}` : reasons.join('; ');
  return { type: 'ReadyToRun', status: reasons.length === 0 ? 'True' : 'False', reason: found.state, message };
}
