/** What a drain is judged by, gathered when it is asked for: most looks ask for little. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import { type ResolvedCourse, resolvedCourse } from '@hawser/model/drain-course.ts';
import { isSelected, scopesMeet, selectionsMeet } from '@hawser/model/drain-scope.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { currentRollout, type FleetContext } from '../fleet/fleet-context.ts';
import type { OperationContext } from '../operations/operation-kind.ts';
import type { LearnedCapacity } from '../overflow/learned-capacity.ts';
import { permitIn } from '../safety/steering-world.ts';
import { assertionRefusal, unknownScope } from './drain-assertions.ts';
import type { DrainEvidence, Refusal, Residual, RolloutEvidence } from './drain-evidence.ts';
import { drainForecast, loadBorne } from './drain-forecast.ts';
import { percentsAt, percentsOf, type StagePercents, stageOf, stepAfter } from './drain-stages.ts';
import { type DrainState, nextStepBack } from './drain-state.ts';
import { HEADROOM } from './drain-waits.ts';
import {
  affectedPlaces,
  drainMoves,
  drainsInForce,
  drainWorld,
  membersIn,
  movedServices,
  percentInForce,
  placeOf,
  servicesMoved,
  takenBy,
} from './drain-world.ts';
import type { ForecastMemory } from './forecast-memory.ts';
import { headroomRefusal } from './headroom.ts';
import { residualOf } from './residual.ts';
import { unfitToReturn } from './return-readiness.ts';

/** What drains need beside the fleet. */
export interface DrainParts {
  /** Undefined while traffic is not measured. */
  readonly traffic: () => MeasuredTraffic | undefined;
  /** What clusters were seen to answer well; undefined: nothing is known. */
  readonly learned?: () => LearnedCapacity;
  /** Where there is none, every look makes its forecast anew. */
  readonly forecasts?: ForecastMemory;
}

const NO_STAGES: ReadonlySet<number> = new Set();

/** The evidence for one look. */
export class JudgedDrain implements DrainEvidence {
  readonly now: number;
  readonly clock: number;
  readonly course: ResolvedCourse;
  readonly #context: FleetContext;
  readonly #drain: Resource;
  readonly #state: DrainState | undefined;
  readonly #parts: DrainParts;

  constructor({ fleet, now, clock }: OperationContext, drain: Resource, given: { state: DrainState | undefined; parts: DrainParts }) {
    this.now = now;
    this.clock = clock;
    this.#context = fleet;
    this.#drain = drain;
    this.course = resolvedCourse(drain.spec as DrainSpec);
    this.#state = given.state;
    this.#parts = given.parts;
  }

  get rollout(): RolloutEvidence {
    const { inForceRevision, metadata } = this.#drain;
    const revision = inForceRevision ?? Number(metadata.resourceVersion ?? 0);
    const { complete, proxies, waitingFor, disconnected } = currentRollout(this.#context, revision);
    const { expected, acked } = proxies;
    // Some that are away are not waited for; where all are, nobody has said anything.
    const isNobodyThere = disconnected.length === (this.#context.distribution.desired?.members ?? []).length;
    if (isNobodyThere) return { complete: false, expected, acked, waitingFor: disconnected, disconnected };
    return { complete, expected, acked, waitingFor, disconnected };
  }

  get residual(): Residual {
    const { course } = this;
    const isOnItsWay = this.#state?.phase === 'Draining' && course.stages.length > 1;
    return this.#residualOf(isOnItsWay ? course.steps[this.#state?.step ?? -1]?.stage : undefined);
  }

  get ahead(): Residual {
    const { course } = this;
    const next = stepAfter(this.#state?.step ?? -1, course, this.idleStages);
    return this.#residualOf(course.stages.length === 1 ? undefined : course.steps[next ?? this.#state?.step ?? -1]?.stage);
  }

  get idleStages(): ReadonlySet<number> {
    const { stages } = this.course;
    if (stages.length === 1) return NO_STAGES;
    const busy = new Set(servicesMoved(this.#context, this.#spec).map((service) => stageOf(service, stages)));
    return new Set(stages.keys().filter((stage) => !busy.has(stage)));
  }

  get baseline(): Readonly<Record<string, number>> {
    const clusters = new Set(membersIn(this.#context, this.#spec).map(({ name }) => name));
    return loadBorne(this.#parts.traffic(), servicesMoved(this.#context, this.#spec), clusters);
  }

  get leaving(): Refusal | undefined {
    const { course } = this;
    const last = course.steps.length - 1;
    const isBegun = this.#state !== undefined && this.#state.step >= 0;
    const percents = percentsAt(isBegun ? (stepAfter(this.#state?.step ?? -1, course, this.idleStages) ?? last) : last, course);
    const others = drainsInForce(this.#context, this.#drain.metadata.name).map(takenBy);
    return (
      this.#unread() ??
      assertionRefusal(takenBy(this.#drain), drainWorld(this.#context, others)) ??
      guardRefusal(this.#context, this.#drain, { verb: 'drain', percent: Math.max(...percents) }) ??
      (course.urgency === 'emergency' ? undefined : this.#shortOf(percents))
    );
  }

  get returning(): Refusal | undefined {
    if (this.#state === undefined) return undefined;
    const percent = nextStepBack(this.#state, this.course);
    const percents = percentsOf(this.#state, this.course).map((one) => Math.min(one, percent));
    const clusters = membersIn(this.#context, this.#spec).map(({ name }) => name);
    const services = servicesMoved(this.#context, this.#spec);
    return (
      this.#unread() ??
      unfitToReturn(this.#context, { clusters, services }) ??
      guardRefusal(this.#context, this.#drain, { verb: 'restore', percent }) ??
      this.#shortOf(percents)
    );
  }

  get preemptedBy(): string | undefined {
    const own = takenBy(this.#drain);
    if (own.urgency === 'emergency') return undefined;
    const places = (this.#context.distribution.desired?.members ?? []).map(placeOf);
    const others = drainsInForce(this.#context, own.name).filter((other) => percentInForce(other) >= 100);
    return others.map(takenBy).find((other) => {
      return other.urgency === 'emergency' && scopesMeet(own.scope, other.scope, places) && selectionsMeet(own.services, other.services);
    })?.name;
  }

  get scopeGone(): string | undefined {
    const members = this.#context.distribution.desired?.members;
    return members === undefined
      ? undefined
      : unknownScope(this.#spec, { places: members.map((member) => ({ ...placeOf(member), draining: false })) })?.message;
  }

  /** Of the services of one stage, or of all. */
  #residualOf(stage: number | undefined): Residual {
    const { stages } = this.course;
    const { scope, services } = this.#spec;
    const ackedClock = this.#state?.ackedClock;
    const isNew = this.#state === undefined || this.#state.phase === 'Pending';
    const sinceMs = isNew ? undefined : ackedClock === undefined ? 0 : this.clock - ackedClock;
    const away = new Set(this.#state === undefined ? [] : this.rollout.disconnected);
    const traffic = this.#parts.traffic();
    const asked = (traffic?.services() ?? []).filter(
      (service) => isSelected(services, service) && (stage === undefined || stageOf(service, stages) === stage),
    );
    return residualOf(this.#context, traffic, { scope, services: asked, sinceMs, away });
  }

  get #spec(): DrainSpec {
    return this.#drain.spec as DrainSpec;
  }

  #unread(): Refusal | undefined {
    if (this.#context.distribution.desired !== undefined) return undefined;
    return { rule: 'desired-state', message: 'the hub has not read yet what there is; try again in a moment' };
  }

  #shortOf(percents: StagePercents): Refusal | undefined {
    if (this.course.overrides.includes(HEADROOM)) return undefined;
    const { traffic: trafficOf, learned: learnedOf, forecasts } = this.#parts;
    const [traffic, learned] = [trafficOf(), learnedOf?.()];
    const parts = { context: this.#context, traffic, learned, borne: this.#state?.baseline ?? {} };
    const make = (): Refusal | undefined => headroomRefusal(drainForecast({ drain: this.#drain, percents }, parts));
    const { uid = '', generation } = this.#drain.metadata;
    // What it bore before is the same as long as it is the same operation.
    const from = [this.#context.distribution.desired, this.#context.fleet.revision, traffic?.knownUntil(), learned, generation];
    const key = `${uid} ${this.#state?.phases[0]?.at ?? ''} ${percents.join()}`;
    return forecasts === undefined || this.#state === undefined ? make() : forecasts.refusal(key, from, make);
  }
}

/** Why freezes, safety rules, or what goes before it refuse a drain at a percentage. */
export function guardRefusal(
  context: FleetContext,
  drain: Resource,
  { verb, percent }: { readonly verb: 'drain' | 'restore'; readonly percent: number },
): Refusal | undefined {
  const taken = takenBy(drain);
  const answer = permitIn(
    context,
    {
      ...{ verb, urgency: taken.urgency === 'emergency' ? 'emergency' : 'manual' },
      ...{ from: affectedPlaces(context, taken, percent), services: movedServices(context, taken) },
      ...{ overrides: resolvedCourse(drain.spec as DrainSpec).overrides, self: `Drain//${taken.name}` },
    },
    { underWay: drainMoves(context) },
  );
  return answer.allowed ? undefined : { rule: answer.rule, message: answer.message };
}
