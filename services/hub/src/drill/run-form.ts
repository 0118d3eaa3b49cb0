/** PURE: what agents get of a run. */

import type { DrillSpec } from '@hawser/model/drill.ts';
import { DRILL_LEASE, drillCourse, isFollowed, isLoss } from '@hawser/model/drill-course.ts';
import type { DrillForm } from '@hawser/model/drill-form.ts';
import type { DrillState } from './drill-state.ts';

/** The form in force; undefined when nothing is. */
export function formOf(run: string, plan: DrillSpec, state: DrillState): DrillForm | undefined {
  const { scenario } = plan;
  const { holdMs } = drillCourse(plan);
  const { phase, percent, services, clusters } = state;
  const base = { run, lease: DRILL_LEASE };
  const { type, from, to } = scenario;
  if (type === 'drain') {
    if (percent === 0 || from === undefined) return undefined;
    const destinations = to === undefined ? {} : { destinations: to };
    return { ...base, divert: { scope: from, services: { names: [...services] }, percent, panicMode: 'spread', ...destinations } };
  }
  // What has a course of its own is in force by its own form, or order.
  if (isFollowed(type) || (phase !== 'Injecting' && phase !== 'Holding')) return undefined;
  if (isLoss(type))
    return from === undefined ? undefined : { ...base, inject: { scope: from, services: [...services], fault: faultOf(scenario) } };
  // Nobody renews a lease on being cut off: it is as long as the cut.
  const lease = `${Math.max(1, Math.ceil(holdMs / 1_000))}s`;
  return { run, lease, partition: { clusters: [...clusters], from: type === 'hubLoss' ? 'hub' : 'bus' } };
}

function faultOf({
  fault = 'refuse',
  delay = '2s',
  status = 503,
  percent = 100,
}: DrillSpec['scenario']): NonNullable<DrillForm['inject']>['fault'] {
  if (fault === 'refuse') return { refuse: true };
  if (fault === 'drop') return { drop: true };
  return fault === 'delay' ? { delay, percent } : { error: status, percent };
}

/** What happens, in words for the evidence. */
export function faultText({ type, fault = 'refuse', delay = '2s', status = 503, percent = 100 }: DrillSpec['scenario']): string | null {
  if (!isLoss(type)) return null;
  if (fault === 'delay') return `delay ${delay} for ${percent} %`;
  return fault === 'error' ? `error ${status} for ${percent} %` : fault;
}
