/** PURE: whether a drill could begin, check by check, of what was gathered; each says what was found and what to do. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { type DrillCourse, isLoss, isPartition } from '@hawser/model/drill-course.ts';
import type { ReadinessCheck } from '@hawser/wire/drill-views.ts';
import type { Refusal } from '../drain/drain-evidence.ts';
import type { Unprotected } from './drill-protections.ts';

/** One cluster that callers, or what they call, are in. */
export interface ClusterReadiness {
  readonly name: string;
  /** Since it was heard of last, milliseconds; undefined: never. */
  readonly silentMs: number | undefined;
  /** Since it should have served something that it does not yet, milliseconds; 0 when it serves everything. */
  readonly behindMs: number;
  readonly proxies: number;
  readonly synced: number;
}

/** Endpoints of a service where its requests would go. */
export interface EndpointReadiness {
  readonly service: string;
  readonly cluster: string;
  /** Those that are meant to take traffic. */
  readonly total: number;
  readonly healthy: number;
}

/** Everything that is looked at. */
export interface DrillFacts {
  readonly spec: DrillSpec;
  readonly course: DrillCourse;
  /** What stands against it by rules. */
  readonly refusals: readonly Refusal[];
  readonly busConnected: boolean;
  readonly clusters: readonly ClusterReadiness[];
  readonly endpoints: readonly EndpointReadiness[];
  readonly trust: readonly string[];
  readonly unprotected: readonly Unprotected[];
  /** Services by name that its fault would do nothing to. */
  readonly unreached: readonly string[];
  /** Unix milliseconds; `never`: its schedule has no start that nothing keeps. */
  readonly nextStart: number | 'never' | undefined;
}

type Judge = (facts: DrillFacts) => ReadinessCheck;

/** All that go for its scenario, in an order of their own. */
export function readinessChecks(facts: DrillFacts): readonly ReadinessCheck[] {
  const { type } = facts.course;
  const judges = [
    ...ALWAYS,
    ...(isPartition(type) ? [] : type === 'trustRotation' ? [trust] : OF_REQUESTS),
    ...(isLoss(type) ? OF_LOSSES : []),
    guardrails,
    schedule,
  ];
  return judges.map((judge) => judge(facts));
}

/** Whether nothing is to be done. */
export function isReady(checks: readonly ReadinessCheck[]): boolean {
  return checks.every(({ ready }) => ready);
}

const ALWAYS: readonly Judge[] = [({ refusals }) => found('rules', 'no rule stands against it', sentences(refusals)), agents, lag, synced];
const trust: Judge = (facts) => found('trust', 'callers and those who would answer them believe each other', facts.trust);
const OF_REQUESTS: readonly Judge[] = [endpoints, trust];
const OF_LOSSES: readonly Judge[] = [
  faultReach,
  ({ unprotected }) => found('outlier-detection', 'what fails is ejected', of(unprotected, 'outlier-detection')),
  ({ unprotected }) => found('retries', 'what fails is tried elsewhere', of(unprotected, 'retries')),
];

/** Delays and errors are of requests, and what nobody reads as HTTP has none. */
function faultReach({ unreached, spec: { scenario } }: DrillFacts): ReadinessCheck {
  const fault = scenario.fault ?? 'refuse';
  const problem = `${listed(unreached)} ${unreached.length === 1 ? 'has' : 'have'} no HTTP port, and fault ${fault} does nothing to other ports: choose refuse or drop, or leave it out (blastRadius.exclude)`;
  return found('fault-reach', `the proxies of its services can ${fault}`, unreached.length === 0 ? [] : [problem]);
}

function found(name: string, well: string, problems: readonly string[]): ReadinessCheck {
  return { name, ready: problems.length === 0, message: problems.length === 0 ? well : listed(problems) };
}

const LISTED = 3;

function listed(problems: readonly string[]): string {
  return `${problems.slice(0, LISTED).join('; ')}${problems.length > LISTED ? `; and ${problems.length - LISTED} more` : ''}`;
}

function sentences(refusals: readonly Refusal[]): string[] {
  return refusals.map(({ rule, message }) => `${rule}: ${message}`);
}

function of(unprotected: readonly Unprotected[], name: Unprotected['name']): string[] {
  return unprotected.filter((one) => one.name === name).map(({ message }) => message);
}

function agents({ busConnected, clusters }: DrillFacts): ReadinessCheck {
  const silent = clusters.filter(({ silentMs }) => silentMs === undefined).map(({ name }) => `nothing was heard of the agent of ${name}`);
  const problems = busConnected ? silent : ['the hub has no connection to NATS', ...silent];
  return found(
    'agents',
    clusters.length === 1 ? '1 cluster speaks' : `${clusters.length} clusters speak`,
    clusters.length === 0 ? [...problems, 'no cluster has to do with it'] : problems,
  );
}

function lag({ clusters, course: { readiness } }: DrillFacts): ReadinessCheck {
  const most = readiness.maxAgentLagMs;
  const late = clusters.flatMap(({ name, silentMs = 0, behindMs }) => [
    ...(silentMs > most ? [`${name} was not heard of for ${seconds(silentMs)}`] : []),
    ...(behindMs > most ? [`${name} does not serve what was written ${seconds(behindMs)} ago`] : []),
  ]);
  const worst = Math.max(0, ...clusters.map(({ silentMs = 0, behindMs }) => Math.max(silentMs, behindMs)));
  return found('agent-lag', `at most ${seconds(worst)}`, late.length === 0 ? [] : [`${listed(late)}; at most ${seconds(most)} is allowed`]);
}

function synced({ clusters, course: { readiness } }: DrillFacts): ReadinessCheck {
  const [all, done] = [sum(clusters.map(({ proxies }) => proxies)), sum(clusters.map((cluster) => cluster.synced))];
  if (all === 0) return { name: 'synced-proxies', ready: false, message: 'no proxy is connected: nobody would do what a drill asks for' };
  const least = readiness.minSyncedProxiesPercent;
  const text = `${done} of ${all} proxies have everything`;
  const behind = clusters.filter((cluster) => cluster.synced < cluster.proxies).map(({ name }) => name);
  const short = (done / all) * 100 < least;
  return found('synced-proxies', text, short ? [`${text} (not all of ${behind.join(', ')}); ${least} % must: hawser proxy-status`] : []);
}

function endpoints({ endpoints: all, course: { readiness } }: DrillFacts): ReadinessCheck {
  const least = readiness.minHealthyEndpointsPercent;
  const poor = all.filter(({ healthy, total }) => healthy < (total * least) / 100);
  const texts = poor.map(({ service, cluster, healthy, total }) => `${healthy} of ${total} of ${service} in ${cluster}`);
  const text = `${sum(all.map(({ healthy }) => healthy))} of ${sum(all.map(({ total }) => total))} endpoints are healthy where the requests would go`;
  return found('healthy-endpoints', text, texts.length === 0 ? [] : [`healthy are ${listed(texts)}; ${least} % must be`]);
}

function guardrails({ spec: { mode = 'dryRun', guardrails: given = [] }, course }: DrillFacts): ReadinessCheck {
  if (given.length > 0) return { name: 'guardrails', ready: true, message: `${given.map(({ name }) => name).join(', ')} would end it` };
  if (mode === 'live')
    return { name: 'guardrails', ready: false, message: 'nothing would end a live drill: name checks in spec.guardrails' };
  const message = isLoss(course.type) ? 'none, which a dry run does not need and a live one does' : 'none';
  return { name: 'guardrails', ready: true, message };
}

function schedule({ nextStart, spec }: DrillFacts): ReadinessCheck {
  const name = 'schedule';
  if (nextStart === 'never')
    return {
      name,
      ready: false,
      message: `${spec.schedule?.cron} has no start that its windows and the freezes allow: hawser drill calendar`,
    };
  if (nextStart !== undefined) return { name, ready: true, message: `it starts at ${new Date(nextStart).toISOString()}` };
  return { name, ready: true, message: spec.schedule === undefined ? 'none: it is started by hand' : 'suspended: it is started by hand' };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
