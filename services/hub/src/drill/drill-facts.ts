/** What the hub knows that the readiness of drills is judged by; all of it is in memory. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { isLoss } from '@hawser/model/drill-course.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillReadinessView } from '@hawser/wire/drill-views.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { isSynced } from '../fleet/status-view.ts';
import { resourcesInForce } from '../placement/spec-in-force.ts';
import { nextStart } from './drill-calendar.ts';
import { type DrillPlan, type DrillPlanParts, drillPlanOf } from './drill-plan.ts';
import { unprotected } from './drill-protections.ts';
import { type ClusterReadiness, type DrillFacts, type EndpointReadiness, isReady, readinessChecks } from './drill-readiness.ts';
import { drillRefusals } from './drill-refusals.ts';
import { scheduledDrill } from './drill-times.ts';
import { type TrustPath, trustProblems } from './drill-trust.ts';
import { trustingClusters } from './rotation-outlook.ts';
import { shiftClusters } from './shift-outlook.ts';

/** The readiness of a drill as it is now. Asks for the desired state to have been read. */
export function drillReadiness(drill: Resource, parts: DrillPlanParts): DrillReadinessView {
  const facts = drillFacts(drill, parts);
  const checks = [...readinessChecks(facts)];
  return {
    drill: drill.metadata.name,
    state: isReady(checks) ? 'Ready' : 'NeedsAttention',
    checkedAt: new Date(parts.context.now()).toISOString(),
    ...(typeof facts.nextStart === 'number' ? { nextStartAt: new Date(facts.nextStart).toISOString() } : {}),
    checks,
  };
}

/** Everything that is looked at; `plan` is the drill's, where it is made already. */
export function drillFacts(drill: Resource, parts: DrillPlanParts, plan = drillPlanOf(drill, parts)): DrillFacts {
  const { context } = parts;
  const spec = drill.spec as DrillSpec;
  const policies = isLoss(plan.course.type) ? resourcesInForce(context.distribution.desired?.resources ?? []) : [];
  return {
    ...{ spec, course: plan.course, busConnected: context.bus.connected },
    refusals: refusalsOf(drill, plan, context),
    clusters: clustersOf(context),
    endpoints: endpointsOf(plan, context),
    trust: trustProblems(context, pathsOf(plan, context)),
    unreached: unreachedBy(plan, spec.scenario.fault, context),
    unprotected: unprotected(plan.selection.services, spec.scenario, policies),
    nextStart: nextOf(drill, context),
  };
}

/** What is frozen now matters to a drill that is started by hand; one with a schedule starts when it may. */
function refusalsOf(drill: Resource, plan: DrillPlan, context: FleetContext): readonly Refusal[] {
  const { schedule } = drill.spec as DrillSpec;
  const all = drillRefusals(drill, plan, { context, urgency: schedule === undefined ? 'manual' : 'scheduled', overrides: [] });
  return schedule === undefined ? all : all.filter(({ rule }) => !rule.startsWith('freeze/'));
}

/** All members: each of them may call, and each must hear of what a drill does. */
function clustersOf(context: FleetContext): readonly ClusterReadiness[] {
  const members = context.distribution.desired?.members ?? [];
  return members.map(({ name }) => {
    const account = context.accounts.get(name);
    const heardAt = account === undefined ? undefined : Math.max(account.lastHeardAt, context.fleet.cluster(name)?.lastHeardAt ?? 0);
    const proxies = account?.status?.proxies ?? [];
    return {
      name,
      silentMs: heardAt === undefined ? undefined : Math.max(0, context.now() - heardAt),
      behindMs: behind(context, account?.status?.revision),
      proxies: proxies.length,
      synced: proxies.filter(isSynced).length,
    };
  });
}

/** How long ago the first write was that it does not serve; what this hub did not see written counts since it started. */
function behind({ distribution, startedAt, now }: FleetContext, revision: number | undefined): number {
  if (revision === undefined || revision >= distribution.published) return 0;
  return Math.max(0, now() - (distribution.committedAt(revision + 1) ?? startedAt));
}

/** Of each service, the clusters that would get its requests; by a shift, those of its destinations that serve it. */
function endpointsOf({ selection, moves, shift }: DrillPlan, context: FleetContext): readonly EndpointReadiness[] {
  return selection.services.flatMap((service) => {
    const moved = (moves.get(service) ?? []).flatMap(({ to }) => to.map(({ cluster }) => cluster));
    const shifted = shift === undefined ? [] : shiftClusters(shift.shift, context);
    const isServed = (cluster: string): boolean => context.fleet.cluster(cluster)?.shards.has(service) === true;
    const destinations = new Set([...moved, ...shifted.filter(isServed)]);
    return [...destinations].sort().map((cluster) => {
      const { total = 0, healthy = 0, draining = 0 } = context.fleet.cluster(cluster)?.shards.get(service) ?? {};
      return { service, cluster, total: total - draining, healthy };
    });
  });
}

/** Services that have no port where they are hit to which a fault of requests does anything. */
function unreachedBy(
  { selection, clusters }: Pick<DrillPlan, 'selection' | 'clusters'>,
  fault: DrillSpec['scenario']['fault'],
  context: FleetContext,
): readonly string[] {
  if (fault !== 'delay' && fault !== 'error') return [];
  return selection.services.filter((service) => {
    const ports = clusters.flatMap((cluster) => context.fleet.cluster(cluster)?.shards.get(service)?.ports ?? []);
    return ports.every(({ protocol }) => protocol === 'tcp');
  });
}

/** Of a shift, calls of every cluster that serves or is measured; of a rotation, of all that trust the cluster. */
function pathsOf({ moves, shift, course, rates, selection }: DrillPlan, context: FleetContext): readonly TrustPath[] {
  const { type, scope } = course;
  const { cluster = '' } = scope ?? {};
  if (type === 'trustRotation') return trustingClusters(context, cluster).map((source) => ({ source, destination: cluster }));
  if (shift !== undefined) {
    const all = (context.distribution.desired?.members ?? []).map(({ name }) => name);
    const calls = (source: string): boolean =>
      typeof rates === 'string' || selection.services.some((service) => all.some((to) => rates.at(service, source, to) > 0));
    return shiftClusters(shift.shift, context).flatMap((destination) => all.filter(calls).map((source) => ({ source, destination })));
  }
  return [...moves.values()].flat().flatMap(({ source, to }) => to.map(({ cluster: destination }) => ({ source, destination })));
}

function nextOf(drill: Resource, context: FleetContext): DrillFacts['nextStart'] {
  const scheduled = scheduledDrill(drill, context);
  if (scheduled.schedule === undefined || scheduled.suspended) return undefined;
  return nextStart(scheduled, context.now()) ?? 'never';
}
