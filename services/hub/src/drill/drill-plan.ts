/** What a drill would move, where to, and what stands against it: from what is measured and known now. */
import { scopesMeet, selectionsMeet } from '@hawser/model/drain-scope.ts';
import type { DrillSpec } from '@hawser/model/drill.ts';
import { type DrillCourse, drillCourse, leavesPlace, scenarioPlace } from '@hawser/model/drill-course.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceKey } from '@hawser/model/service-host.ts';
import type { DrillPlanView, MovedRequests } from '@hawser/wire/drill-views.ts';
import type { DrainWorld, Taken } from '../drain/drain-assertions.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import { drainForecast, formOf } from '../drain/drain-forecast.ts';
import { drainsInForce, drainWorld, membersIn, takenBy } from '../drain/drain-world.ts';
import type { Headroom } from '../drain/headroom.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { serviceAnswers } from '../fleet/service-view.ts';
import { resourcesInForce } from '../placement/spec-in-force.ts';
import { type MeasuredRates, measuredRates, movesOf } from './drill-moves.ts';
import { type DrillSelection, regionsLeft, selectionOf, selectionScope } from './drill-selection.ts';
import { rotationCourse } from './rotation-outlook.ts';
import { type ShiftOutlook, shiftCourse, shiftOutlook } from './shift-outlook.ts';

/** What a plan is made from. */
export interface DrillPlanParts {
  readonly context: FleetContext;
  /** Undefined while traffic is not measured. */
  readonly traffic: () => MeasuredTraffic | undefined;
}

/** A drill with everything that is known of what it would do. */
export interface DrillPlan {
  readonly course: DrillCourse;
  readonly world: DrainWorld;
  /** Clusters in its scope, by name. */
  readonly clusters: readonly string[];
  readonly selection: DrillSelection;
  /** By service; none where nothing would move. */
  readonly moves: ReadonlyMap<string, readonly MovedRequests[]>;
  readonly headroom: readonly Headroom[];
  /** Requests/s, or why they are not known. */
  readonly rates: MeasuredRates | string;
  /** Regions that serve a service all the same, by service. */
  readonly regionsLeft: ReadonlyMap<string, readonly string[]>;
  /** The Drain in force that is about the same requests, by name. */
  readonly overlaps: string | undefined;
  /** Of a shift that has services. */
  readonly shift: ShiftOutlook | undefined;
  /** In sentences, of a shift or a rotation. */
  readonly sentences: readonly string[];
}

/** Everything that a drill would do. Asks for the desired state to have been read. */
export function drillPlanOf(drill: Resource, { context, traffic }: DrillPlanParts): DrillPlan {
  const spec = drill.spec as DrillSpec;
  const course = drillCourse(spec);
  const { scope } = course;
  const others = drainsInForce(context, '').map(takenBy);
  const world = drainWorld(context, others);
  const members = scope === undefined ? (context.distribution.desired?.members ?? []) : membersIn(context, { scope });
  const { type } = course;
  const selection = selectionOf({ scope: selectionScope(course), blastRadius: spec.blastRadius }, world);
  const { services } = selection;
  const measured = traffic();
  const rates = measuredRates(measured);
  const isLeft = leavesPlace(type) && scope !== undefined && services.length > 0;
  const asDrain = isLeft ? drainLike(drill, { scope, services: { names: [...services] } }) : undefined;
  const shift = type === 'trafficShift' && services.length > 0 ? shiftOutlook({ drill, services, context, traffic: measured }) : undefined;
  const part = (spec.scenario.percent ?? 100) / 100;
  const free = course.readiness.minHeadroomPercent / 100;
  const isMet = (other: Taken): boolean =>
    (shift !== undefined || scopesMeet(scope ?? {}, other.scope, world.places)) && selectionsMeet({ names: [...services] }, other.services);
  return {
    ...{ course, world, selection, rates },
    clusters: members.map(({ name }) => name),
    moves: asDrain === undefined ? new Map() : movesWith(asDrain, { context, rates, services, part }),
    // Of a fault that hits some requests, too, all of them: endpoints that fail often are ejected.
    headroom:
      asDrain === undefined ? [] : drainForecast({ drain: asDrain, percents: [100] }, { context, traffic: measured, borne: {}, free }),
    regionsLeft: new Map(services.map((service) => [service, regionsLeft({ scope }, service, world)])),
    overlaps: isLeft || shift !== undefined ? others.find(isMet)?.name : undefined,
    ...{ shift, sentences: shift === undefined ? sentencesOf(spec, context) : shiftCourse(shift) },
  };
}

/** The plan for people and tools; `refusals` are what stands against it. */
export function planView(drill: Resource, plan: DrillPlan, refusals: readonly Refusal[]): DrillPlanView {
  const { course, clusters, selection, moves, headroom, rates } = plan;
  const { mode = 'dryRun', scenario } = drill.spec as DrillSpec;
  const percent = trafficPercent(plan);
  return {
    ...{ drill: drill.metadata.name, mode, scenario: course.type, scope: scenarioPlace(scenario) },
    clusters: [...clusters],
    services: selection.considered.map((one) => ({ ...one, moved: [...(moves.get(one.service) ?? [])] })),
    headroom: headroom.map(({ service, cluster, before, after, capacity, verdict }) => ({
      ...{ service, cluster, verdict },
      ...(before === undefined ? {} : { requestsNow: before }),
      ...(after === undefined ? {} : { requestsAfter: after }),
      ...(capacity === undefined ? {} : { capacity }),
    })),
    traffic: {
      maxPercent: course.maxTrafficPercent,
      ...(percent === undefined ? {} : { percent }),
      ...(typeof rates === 'string' ? { unmeasured: rates } : {}),
    },
    course: [...plan.sentences],
    remainingRegions: { names: [...commonRegions(plan)], least: course.minRemainingRegions },
    refusals: [...refusals],
  };
}

/** Of all requests that are measured, those that would have to go elsewhere, 0 to 100; undefined while they are not known. */
export function trafficPercent({ rates, moves, shift }: Pick<DrillPlan, 'rates' | 'moves' | 'shift'>): number | undefined {
  if (typeof rates === 'string') return undefined;
  if (shift !== undefined) {
    const { load, moved } = shift;
    if (load === undefined || moved === undefined) return undefined;
    return rates.all === 0 ? 0 : Math.min(100, ((load * moved) / rates.all) * 100);
  }
  const moved = [...moves.values()].flat().reduce((sum, { requests = 0 }) => sum + requests, 0);
  return rates.all === 0 ? 0 : (moved / rates.all) * 100;
}

/** The regions that serve every service of it all the same. */
export function commonRegions({ regionsLeft: left }: Pick<DrillPlan, 'regionsLeft'>): readonly string[] {
  const [first = [], ...more] = left.values();
  return first.filter((region) => more.every((regions) => regions.includes(region)));
}

function sentencesOf({ scenario }: DrillSpec, context: FleetContext): readonly string[] {
  return scenario.type === 'trustRotation' ? rotationCourse(context, scenario) : [];
}

interface Taking {
  readonly scope: NonNullable<DrillCourse['scope']>;
  readonly services: { readonly names: readonly string[] };
}

/** A drain that takes the same requests away: what is left of a place that does not serve is the same, whatever keeps it from serving. */
export function drainLike({ metadata, spec }: Resource, { scope, services }: Taking): Resource {
  const { to } = (spec as DrillSpec).scenario;
  return {
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: `drill.${metadata.name}` } },
    spec: { scope, services, reason: 'a drill', ...(to === undefined ? {} : { destinations: to }) },
  };
}

interface MoveParts {
  readonly context: FleetContext;
  readonly rates: MeasuredRates | string;
  readonly services: readonly string[];
  /** Of the requests there, the part that is hit, 0 to 1. */
  readonly part: number;
}

function movesWith(drain: Resource, { context, rates, services, part }: MoveParts): ReadonlyMap<string, readonly MovedRequests[]> {
  const policies = resourcesInForce(context.distribution.desired?.resources ?? []);
  const changed = [...policies, { ...drain, spec: formOf(drain, [100]) }];
  const leaving = new Set(membersIn(context, takenBy(drain)).map(({ name }) => name));
  const regionOf = (cluster: string): string => context.fleet.cluster(cluster)?.member.region ?? '';
  const known = typeof rates === 'string' ? undefined : rates;
  return new Map(
    services.map((service) => {
      const name = parseServiceKey(service);
      const before = serviceAnswers(context, name, { policies })?.answers ?? [];
      const after = serviceAnswers(context, name, { policies: changed })?.answers ?? [];
      return [service, movesOf({ answers: { service, before, after }, rates: known, leaving, regionOf, part })];
    }),
  );
}
