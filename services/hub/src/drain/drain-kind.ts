/** Drain as an operation (decisions 27 and 30): its course as steps, its form for agents, its rules when it is written. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { resolvedCourse } from '@hawser/model/drain-course.ts';
import type { Issue, Resource } from '@hawser/model/resource.ts';
import type { Statements } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { StatusError } from '../http/status.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { learnedCapacity } from '../overflow/learned-store.ts';
import { commanded, DRAIN_COMMANDS, type DrainCommand } from './drain-commands.ts';
import { formOf } from './drain-forecast.ts';
import { type DrainParts, JudgedDrain } from './drain-judge.ts';
import type { DrainAccounts } from './drain-metrics.ts';
import { refusalsOf } from './drain-plan.ts';
import { type Position, percentsOf } from './drain-stages.ts';
import { advance, type DrainState, isOver, started } from './drain-state.ts';
import { statusOf } from './drain-status.ts';
import { drainsUnderWay } from './drain-store.ts';
import { ForecastMemory } from './forecast-memory.ts';

/** What drains need. */
export interface DrainKindParts extends DrainParts {
  readonly context: FleetContext;
  readonly drains: DrainAccounts;
}

/** The kind. */
export function drainKind(parts: DrainKindParts): OperationKind<DrainState, JudgedDrain> {
  const forecasts = new ForecastMemory();
  return {
    kind: 'Drain',
    commands: DRAIN_COMMANDS,
    check: (tx, resource) => writtenProblems(tx, resource, parts),
    keepsResource: ({ percent }, { metadata: { name } }) =>
      percent === 0
        ? undefined
        : `it keeps ${percent} % of the traffic away, which would all come back at once; hawser drain restore ${name} first`,
    evidence: (context, drain, state) => {
      if (state !== undefined) parts.drains.seen(drain.metadata.name, context.now + state.expiresClock - context.clock);
      return new JudgedDrain(context, drain, { state, parts: { ...parts, forecasts } });
    },
    attend: (underWay) => {
      forecasts.keepOnly(new Set(underWay.map(({ resource }) => resource.metadata.uid ?? '')));
      parts.drains.attend(underWay.map(({ resource, state }) => ({ name: resource.metadata.name, phase: state.phase })));
    },
    start: (_drain, evidence, { actor }) => started(evidence.course, evidence, actor),
    advance: (state, _drain, evidence) => advance(state, evidence.course, evidence),
    command: (state, command, { actor }, evidence) =>
      commanded(state, command as DrainCommand, { course: evidence.course, evidence, actor }),
    inForce,
    statusOf: (state, _drain, evidence) => statusOf(state, evidence),
    isEnded: isOver,
  };
}

/** What agents get; connections that last end when their time is over, where that is wanted. */
export function inForce(drain: Resource, state: Position & Pick<DrainState, 'closing'>): DrainSpec {
  const spec = drain.spec as DrainSpec;
  const percents = percentsOf(state, resolvedCourse(spec));
  return { ...formOf(drain, percents), closeLongLived: state.closing === true && spec.closeLongLived !== false };
}

/** What may not be, by the name of its rule. Two drains that are written at once look at each other. */
async function writtenProblems(tx: Statements, drain: Resource, parts: DrainKindParts): Promise<readonly Issue[]> {
  const { reason, percent, stages } = drain.spec as DrainSpec;
  if (reason === undefined)
    return [{ path: 'spec.reason', code: 'FieldValueRequired', message: 'is required: say why, for whoever sees it later' }];
  if (percent !== undefined)
    return [{ path: 'spec.percent', code: 'FieldValueForbidden', message: 'is worked out by the hub: say in spec.steps how it goes' }];
  if (stages !== undefined)
    return [{ path: 'spec.stages', code: 'FieldValueForbidden', message: 'is worked out by the hub: say in spec.waves what goes when' }];
  if (parts.context.distribution.desired === undefined)
    throw new StatusError('ServiceUnavailable', 'the hub has not read yet which clusters there are; try again in a moment');
  const others = await drainsUnderWay(tx, drain.metadata.name);
  const learned = await learnedCapacity(tx);
  return refusalsOf(drain, others, { ...parts, learned: () => learned })
    .slice(0, 1)
    .map(({ rule, message }) => ({ path: 'spec.scope', code: 'FieldValueForbidden', message: `rule ${rule}: ${message}` }));
}
