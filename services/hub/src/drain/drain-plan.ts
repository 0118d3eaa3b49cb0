/** What a drain would do, and why it would be refused, before there is one. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { resolvedCourse } from '@hawser/model/drain-course.ts';
import type { DrainStage } from '@hawser/model/drain-waves.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrainPlan } from '@hawser/wire/drain.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { assertionRefusal, type Taken } from './drain-assertions.ts';
import type { Refusal } from './drain-evidence.ts';
import { drainForecast } from './drain-forecast.ts';
import { type DrainParts, guardRefusal } from './drain-judge.ts';
import { percentsAt, stageOf } from './drain-stages.ts';
import { HEADROOM } from './drain-waits.ts';
import { drainWorld, membersIn, servicesMoved, takenBy } from './drain-world.ts';
import { headroomRefusal } from './headroom.ts';

/** What a plan is made from. */
export interface PlanParts extends DrainParts {
  readonly context: FleetContext;
}

/** Every rule that refuses the drain as it is written; overridden ones are not among them. */
export function refusalsOf(drain: Resource, others: readonly Taken[], parts: PlanParts): readonly Refusal[] {
  const { context } = parts;
  const course = resolvedCourse(drain.spec as DrainSpec);
  const { urgency, overrides } = course;
  const asserted = assertionRefusal(takenBy(drain), drainWorld(context, others));
  // What is not there has no services and no load.
  if (asserted?.rule === 'known-scope') return [asserted];
  const percents = percentsAt(course.steps.length - 1, course);
  const guarded = guardRefusal(context, drain, { verb: 'drain', percent: Math.max(...percents) });
  const isWaived = urgency === 'emergency' || overrides.includes(HEADROOM);
  const short = isWaived
    ? undefined
    : headroomRefusal(drainForecast({ drain, percents }, { context, traffic: parts.traffic(), learned: parts.learned?.(), borne: {} }));
  return [asserted, guarded, short].filter((refusal) => refusal !== undefined);
}

/** What it would move, where to, and what stands against it. */
export function planOf(drain: Resource, others: readonly Taken[], parts: PlanParts): DrainPlan {
  const { context } = parts;
  const spec = drain.spec as DrainSpec;
  const course = resolvedCourse(spec);
  const { steps, stages, urgency } = course;
  const percents = percentsAt(steps.length - 1, course);
  const forecast = drainForecast({ drain, percents }, { context, traffic: parts.traffic(), learned: parts.learned?.(), borne: {} });
  return {
    clusters: membersIn(context, spec).map(({ name }) => name),
    services: [...servicesMoved(context, spec)],
    urgency,
    steps: steps.filter(({ stage }) => stage === 0).map((step) => ({ percent: step.percent, holdSeconds: step.holdMs / 1_000 })),
    ...(stages.length === 1 ? {} : { waves: wavesOf(servicesMoved(context, spec), stages) }),
    headroom: forecast.map(({ service, cluster, before, after, capacity, verdict }) => ({
      ...{ service, cluster, verdict },
      ...(before === undefined ? {} : { requestsNow: before }),
      ...(after === undefined ? {} : { requestsAfter: after }),
      ...(capacity === undefined ? {} : { capacity }),
    })),
    refusals: [...refusalsOf(drain, others, parts)],
  };
}

function wavesOf(services: readonly string[], stages: readonly DrainStage[]): NonNullable<DrainPlan['waves']> {
  return stages.map(({ waves }, stage) => ({
    names: [...waves],
    services: services.filter((service) => stageOf(service, stages) === stage),
  }));
}
