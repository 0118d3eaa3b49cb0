/** Whether the traffic of a drained drill may take its next step back (decision 30): the way out of a region is the easy half. */

import { drillCourse } from '@hawser/model/drill-course.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import { drainForecast } from '../drain/drain-forecast.ts';
import { headroomRefusal } from '../drain/headroom.ts';
import { unfitToReturn } from '../drain/return-readiness.ts';
import { type DrillPlanParts, drainLike } from './drill-plan.ts';
import type { DrillState } from './drill-state.ts';

/** Why not; undefined when it may. What the run was to go on in spite of is not asked. */
export function returnRefusal(run: Resource, state: DrillState, { context, traffic }: DrillPlanParts): Refusal | undefined {
  const { plan, drill, overrides = [] } = run.spec as DrillRunSpec;
  const { scope, restoreSteps, readiness } = drillCourse(plan);
  if (context.distribution.desired === undefined) return { rule: 'desired-state', message: 'the hub has not read yet what there is' };
  if (scope === undefined) return undefined;
  const { clusters, services } = state;
  const unfit = overrides.includes('readiness') ? undefined : unfitToReturn(context, { clusters, services });
  if (unfit !== undefined || overrides.includes('headroom')) return unfit;
  const next = restoreSteps[state.phase === 'Restoring' ? state.step + 1 : 0]?.percent ?? 100;
  const drain = drainLike({ ...run, metadata: { name: drill }, spec: plan }, { scope, services: { names: [...services] } });
  const free = readiness.minHeadroomPercent / 100;
  const headroom = drainForecast(
    { drain, percents: [100 - next], insteadOf: { kind: run.kind, name: run.metadata.name } },
    { context, traffic: traffic(), borne: state.baseline ?? {}, free },
  );
  return headroomRefusal(headroom, free);
}
