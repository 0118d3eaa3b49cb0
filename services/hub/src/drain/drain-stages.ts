/** PURE: how much of each stage of a drain goes elsewhere: those before the present one have left, those after it have not begun. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import type { ResolvedCourse } from '@hawser/model/drain-course.ts';
import { isSelected } from '@hawser/model/drain-scope.ts';
import type { DrainStage } from '@hawser/model/drain-waves.ts';
import type { DrainState } from './drain-state.ts';

/** Percentages by stage, such as `[100, 25, 0]`. */
export type StagePercents = readonly number[];

/** Where a drain is, as far as its form goes. */
export type Position = Pick<DrainState, 'phase' | 'step' | 'percent' | 'reached'>;

/** By a step of the way there; −1: before the first. */
export function percentsAt(step: number, { steps, stages }: ResolvedCourse): StagePercents {
  const present = steps[step];
  return stages.map((_, stage) => {
    if (present === undefined || stage > present.stage) return 0;
    return stage === present.stage ? present.percent : (steps.findLast((one) => one.stage === stage)?.percent ?? 0);
  });
}

/** In force. On the way back no stage keeps more away than the others may. */
export function percentsOf({ phase, step, percent, reached = 0 }: Position, course: ResolvedCourse): StagePercents {
  if (percent === 0) return course.stages.map(() => 0);
  const there = percentsAt(phase === 'Restoring' ? reached : step, course);
  return phase === 'Restoring' ? there.map((one) => Math.min(one, percent)) : there;
}

/** The step of the way there after another: stages without services are passed over. Undefined after the last. */
export function stepAfter(step: number, { steps }: ResolvedCourse, idle: ReadonlySet<number>): number | undefined {
  const next = steps[step + 1];
  if (next === undefined) return undefined;
  if (next.stage === steps[step]?.stage) return step + 1;
  const found = steps.findIndex(({ stage }, index) => index > step && !idle.has(stage));
  return found < 0 ? steps.length - 1 : found;
}

/** The stage that has a service: the first that selects it. */
export function stageOf(service: string, stages: readonly DrainStage[]): number {
  return stages.findIndex(({ services }) => isSelected(services, service));
}

/** What agents get of it. Agents of an earlier release know no stages: they go as slowly as the last one. */
export function stagedForm(percents: StagePercents, stages: readonly DrainStage[]): Pick<DrainSpec, 'percent' | 'stages'> {
  const named = stages.flatMap(({ services }, stage) => (services === undefined ? [] : [{ services, percent: percents[stage] ?? 0 }]));
  return { percent: percents.at(-1) ?? 0, ...(named.length === 0 ? {} : { stages: named }) };
}
