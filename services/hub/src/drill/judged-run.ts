/** What a run is judged by, gathered when it is asked for: most looks ask for little. */
import { checkOf } from '@hawser/model/check.ts';
import { unchecked } from '@hawser/model/check-verdict.ts';
import type { DrainSpec } from '@hawser/model/drain.ts';
import { isSelected } from '@hawser/model/drain-scope.ts';
import { drillCourse, isLoss } from '@hawser/model/drill-course.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import { isFrozen } from '@hawser/model/freeze.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Refusal, Residual, RolloutEvidence } from '../drain/drain-evidence.ts';
import { loadBorne } from '../drain/drain-forecast.ts';
import { percentInForce } from '../drain/drain-world.ts';
import { residualOf } from '../drain/residual.ts';
import { currentRollout, type FleetContext } from '../fleet/fleet-context.ts';
import type { OperationContext } from '../operations/operation-kind.ts';
import { placedRevision } from '../placement/spec-in-force.ts';
import { wentTo } from '../shift/shift-destinations.ts';
import type { TracedTraffic } from '../traffic/traffic-trace.ts';
import { drillFacts } from './drill-facts.ts';
import { type DrillGuardrails, givenOf } from './drill-guardrails.ts';
import { type DrillPlan, drillPlanOf } from './drill-plan.ts';
import { readinessChecks } from './drill-readiness.ts';
import { drillRefusals } from './drill-refusals.ts';
import type { DrillState, RunPlan } from './drill-state.ts';
import { windowTimes } from './drill-times.ts';
import { finerRecovery, secondAfter } from './finer-recovery.ts';
import type { FollowedNow } from './followed.ts';
import { rotationNow, rotationRollout } from './followed-rotation.ts';
import { shiftNow } from './followed-shift.ts';
import { lapsedIn } from './lease-renewal.ts';
import type { FoundElsewhere } from './run-effects.ts';
import type { Recovery, RunCheck, RunEvidence } from './run-evidence.ts';
import { isInForce } from './run-progress.ts';
import type { RecordQuestion, RunRecord } from './run-record.ts';
import { type RunCell, recoveryOf } from './run-recovery.ts';
import type { RunAccount } from './run-report.ts';
import { returnRefusal } from './run-return.ts';
import { versionsOf } from './run-versions.ts';

/** What runs are judged with. */
export interface RunJudgeParts {
  readonly traffic: () => TracedTraffic | undefined;
  readonly guardrails: DrillGuardrails;
  readonly record: RunRecord;
  /** The run that keeps this one from beginning, by name. */
  readonly busy: (uid: string) => string | undefined;
}

/** Readiness without which nothing begins; the rest is what a drill may be there to find. */
const NEEDED: ReadonlySet<string> = new Set(['agents', 'agent-lag', 'synced-proxies', 'healthy-endpoints', 'trust', 'fault-reach']);

/** The shift of a drill goes to every cluster. */
const ANYWHERE = { metadata: { name: '' } };

/** A hub that has just come waits so long for the word of agents, who give it every few seconds. */
const UNHEARD_MS = 30_000;

/** The Drill that a run is of, as it was when the run was made. */
export function drillOf({ apiVersion, spec }: Resource): Resource {
  const { drill, plan } = spec as DrillRunSpec;
  return { apiVersion, kind: 'Drill', metadata: { name: drill }, spec: plan };
}

/** What a run goes by. */
export function planOfRun({ spec }: Resource): RunPlan {
  const { plan, mode, trigger, overrides = [], scheduledAt } = spec as DrillRunSpec;
  return {
    ...{ course: drillCourse(plan), mode, trigger, overrides },
    scheduledAt: scheduledAt === undefined ? undefined : Date.parse(scheduledAt),
  };
}

/** Which seconds are a run's. */
export function recordOf({ metadata, spec }: Resource, { services, marks, record: kept }: DrillState): RecordQuestion | undefined {
  if (marks.publishedAt === undefined) return undefined;
  const byVersion = (spec as DrillRunSpec).plan.scenario.type === 'trafficShift';
  return { uid: metadata.uid ?? '', services, from: marks.publishedAt, kept, byVersion };
}

/** Why the windows of a drill keep it now, whoever asks. */
export function closedWindow({ plan: { windows } }: Pick<DrillRunSpec, 'plan'>, now: number): Refusal | undefined {
  const times = windowTimes(windows);
  if (times === undefined || !isFrozen({ windows: times }, new Date(now))) return undefined;
  return { rule: 'windows', message: 'spec.windows do not allow the drill now' };
}

/** The evidence for one look. */
export class JudgedRun implements RunEvidence {
  readonly now: number;
  readonly clock: number;
  readonly #context: FleetContext;
  readonly #run: Resource;
  readonly #state: DrillState | undefined;
  readonly #parts: RunJudgeParts;
  readonly #found: FoundElsewhere | undefined;
  #planned: DrillPlan | undefined;
  /** Worked out once a look: undefined in it is an answer. */
  #seen: { readonly recovery: Recovery | undefined } | undefined;

  constructor(
    { fleet, now, clock, found }: OperationContext,
    run: Resource,
    given: { state: DrillState | undefined; parts: RunJudgeParts },
  ) {
    this.now = now;
    this.clock = clock;
    this.#context = fleet;
    this.#found = found as FoundElsewhere | undefined;
    this.#run = run;
    this.#state = given.state;
    this.#parts = given.parts;
  }

  get rollout(): RolloutEvidence {
    const { followed } = this.#state ?? {};
    if (followed !== undefined && followed.uid === undefined) return rotationRollout(this.#found?.rotation, this.#context);
    const revision = followed?.goneAt ?? placedRevision(this.#found?.shift?.resource ?? this.#run);
    const { complete, proxies, waitingFor, disconnected } = currentRollout(this.#context, revision);
    return { complete, expected: proxies.expected, acked: proxies.acked, waitingFor, disconnected };
  }

  /** Undefined while nothing is, and where the database was not asked. */
  get followed(): FollowedNow | undefined {
    const { followed } = this.#state ?? {};
    if (followed === undefined || this.#found === undefined || followed.goneAt !== undefined) return undefined;
    return followed.uid === undefined ? rotationNow(this.#found.rotation, this.#context) : shiftNow(this.#found.shift, this.now);
  }

  get refusal(): Refusal | undefined {
    if (this.#context.distribution.desired === undefined) return undefined;
    const { overrides = [], trigger } = this.#spec;
    const closed = isInForce(this.#state ?? { phase: 'Pending' }) ? undefined : closedWindow(this.#spec, this.now);
    if (closed !== undefined && !overrides.includes(closed.rule)) return closed;
    const urgency = trigger === 'schedule' ? 'scheduled' : 'manual';
    const asked = { context: this.#context, urgency, overrides, self: `DrillRun//${this.#run.metadata.name}` } as const;
    return drillRefusals(drillOf(this.#run), this.#plan, asked)[0];
  }

  get unmeasured(): string | undefined {
    const { rates } = this.#plan;
    return typeof rates === 'string' ? rates : undefined;
  }

  get unready(): string | undefined {
    if (this.#context.distribution.desired === undefined) return 'the hub has not read yet what there is';
    const facts = drillFacts(drillOf(this.#run), { context: this.#context, traffic: this.#parts.traffic }, this.#plan);
    return readinessChecks(facts).find(({ name, ready }) => NEEDED.has(name) && !ready)?.message;
  }

  /** Of a drain, as a Drain is asked on its way back: whether what gets traffic again speaks, is healthy, and has room for it. */
  get returning(): Refusal | undefined {
    const state = this.#state;
    if (state === undefined) return undefined;
    return returnRefusal(this.#run, state, { context: this.#context, traffic: this.#parts.traffic });
  }

  get baseline(): Readonly<Record<string, number>> {
    return loadBorne(this.#parts.traffic(), this.services, new Set(this.clusters));
  }

  get busy(): string | undefined {
    return this.#parts.busy(this.#run.metadata.uid ?? '');
  }

  /** What was written, or moved on, by hand since it began. */
  get preemptedBy(): string | undefined {
    const state = this.#state;
    if (state === undefined || !isInForce(state)) return undefined;
    const { sinceRevision, services, followed } = state;
    const others = (this.#context.distribution.desired?.resources ?? []).filter(
      (one) => placedRevision(one) > sinceRevision && (followed?.uid === undefined || one.metadata.uid !== followed.uid),
    );
    const found = others.find((one) => services.some((service) => moves(one, service)));
    return found === undefined ? undefined : `${found.kind} ${found.metadata.name}`;
  }

  /** Clusters whose agents have lifted it by themselves: they heard of no hub for as long as its lease. */
  get lapsedIn(): readonly string[] {
    return lapsedIn(this.#context, this.#run.metadata.name, this.#state?.clusters ?? []);
  }

  get unheard(): readonly string[] {
    const { startedAt, accounts } = this.#context;
    if (this.now - startedAt >= UNHEARD_MS) return [];
    return (this.#state?.clusters ?? []).filter((cluster) => accounts.get(cluster)?.status === undefined);
  }

  get checks(): readonly RunCheck[] {
    const state = this.#state;
    const running = state === undefined ? undefined : this.#parts.guardrails.checks(this.#run.metadata.uid ?? '', state);
    // A check that was not begun yet has said nothing: that is no yes.
    return running ?? givenOf(this.#spec).map(({ role, when, spec }) => ({ role, when, state: unchecked(checkOf(spec)) }));
  }

  get recovery(): Recovery | undefined {
    this.#seen ??= { recovery: this.#recovery() };
    return this.#seen.recovery;
  }

  #recovery(): Recovery | undefined {
    const question = this.#state === undefined ? undefined : recordOf(this.#run, this.#state);
    if (question === undefined || this.#state === undefined) return undefined;
    const { fault = 'refuse', percent = 100 } = this.#spec.plan.scenario;
    const { course } = planOfRun(this.#run);
    const asked = {
      ...{ countedFrom: question.from, begunAt: this.#state.marks.firstAckAt ?? question.from, until: this.#state.marks.restoringAt },
      ...{ scope: new Set(this.#state.clusters), maxErrorRatePercent: course.maxErrorRatePercent },
      isAway: isLoss(course.type) && fault !== 'delay' && percent === 100,
    };
    const coarse = recoveryOf(this.#parts.record.seconds(question), asked);
    if (coarse?.recoveredAt === undefined) return coarse;
    // Of a long run only its beginning is looked at, again and again.
    return finerRecovery(coarse, this.#parts.record.rows(question, secondAfter(coarse.recoveredAt)), asked);
  }

  /** Everything that there is to tell of it, in this state. */
  account(state: DrillState): RunAccount {
    const question = recordOf(this.#run, state);
    const members = this.#context.distribution.desired?.members ?? [];
    return {
      ...{ run: this.#run, plan: planOfRun(this.#run), state, members, recovery: this.recovery },
      destinationOf: (cell) => this.#destinationOf(cell),
      seconds: question === undefined ? [] : this.#parts.record.seconds(question),
      rows: question === undefined ? [] : this.#parts.record.rows(question),
      checks: this.#parts.guardrails.record(this.#run.metadata.uid ?? ''),
      versions: versionsOf(this.#context),
    };
  }

  /** Of a shift, the destination that requests went to. */
  #destinationOf({ service, destination: cluster, version = '' }: RunCell): string | undefined {
    const { desired } = this.#context.distribution;
    const { destinations = [] } = this.#spec.plan.scenario.shift ?? {};
    const region = desired?.members.find(({ name }) => name === cluster)?.region ?? '';
    const went = { service, destination: { cluster, region, version } };
    return destinations.find((one) => wentTo(one, went, { shift: ANYWHERE, desired }))?.name;
  }

  get measuredUntil(): number {
    return this.#parts.traffic()?.knownUntil() ?? this.now;
  }

  get residual(): Residual {
    const { scope } = planOfRun(this.#run).course;
    const services = this.#state?.services ?? [];
    const acked = this.#state?.ackedClock;
    const sinceMs = acked === undefined ? 0 : this.clock - acked;
    const away = new Set(this.rollout.disconnected);
    if (scope === undefined) return { kind: 'unobserved', why: 'nothing is drained' };
    return residualOf(this.#context, this.#parts.traffic(), { scope, services, sinceMs, away });
  }

  get services(): readonly string[] {
    return this.#plan.selection.services;
  }

  get clusters(): readonly string[] {
    return this.#plan.clusters;
  }

  get revision(): number {
    return this.#context.distribution.desired?.revision ?? 0;
  }

  get #spec(): DrillRunSpec {
    return this.#run.spec as DrillRunSpec;
  }

  get #plan(): DrillPlan {
    this.#planned ??= drillPlanOf(drillOf(this.#run), { context: this.#context, traffic: this.#parts.traffic });
    return this.#planned;
  }
}

/** Whether what people wrote moves requests to a service. */
function moves(resource: Resource, service: string): boolean {
  const { kind, metadata, spec } = resource;
  if (kind === 'Drain') return percentInForce(resource) > 0 && isSelected((spec as DrainSpec).services, service);
  if (kind !== 'TrafficShift') return false;
  return (spec as { readonly services: readonly string[] }).services.some((name) => `${metadata.namespace}/${name}` === service);
}
