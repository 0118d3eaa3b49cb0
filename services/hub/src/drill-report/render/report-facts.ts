/** PURE: what HTML and Markdown say alike: the figures on top, and the rows of tables. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { reportSummary } from '../report-summary.ts';
import { destinationsOf, trafficByPhase } from './traffic-columns.ts';
import { clock, duration, instant, measured, number, percent, UNKNOWN } from './words.ts';

/** One figure of the report's head. */
export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  /** Whether it is as it should be; undefined: there is nothing it should be. */
  readonly isGood: boolean | undefined;
}

/** A table: texts alone, and which columns are numbers. */
export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly numbers?: readonly number[];
  readonly rows: readonly (readonly string[])[];
  /** What stands there when there are no rows. */
  readonly none?: string;
}

/** The figures on top. */
export function tilesOf(evidence: DrillEvidence): readonly Tile[] {
  const { timings, objectives } = evidence;
  const { requests, failed, longestGapMs } = reportSummary(evidence);
  const goal = (name: string): { note: string; isGood: boolean | undefined } => {
    const found = objectives.find((one) => one.name === name);
    if (found === undefined) return { note: '', isGood: undefined };
    return { note: `objective ${measured(found.target, found.unit)}`, isGood: found.met === true };
  };
  const within = timings.rtoResolutionMs === null ? '' : `, ± ${duration(timings.rtoResolutionMs)}`;
  const rto = goal('rto');
  return [
    { name: 'Recovery time (RTO)', value: duration(timings.rtoMs), ...rto, note: `${rto.note}${within}` },
    { name: 'Failed requests', value: number(failed), ...failureNote(requests, failed), isGood: goal('errorRate').isGood },
    { name: 'Longest gap', value: duration(longestGapMs), note: 'without a success, of any caller', isGood: undefined },
    { name: 'Propagation', value: duration(timings.propagateP99Ms), ...goal('propagation') },
    { name: 'Restore', value: duration(timings.restoreMs), note: 'until all was as before', isGood: undefined },
  ];
}

function failureNote(requests: number, failed: number): { readonly note: string } {
  return { note: requests === 0 ? 'no requests were measured' : `of ${number(requests)}: ${percent((failed / requests) * 100)}` };
}

const KINDS: Readonly<Record<string, string>> = {
  regionLoss: 'Loss of',
  clusterLoss: 'Loss of',
  zoneLoss: 'Loss of',
  serviceLoss: 'Loss of services in',
  drain: 'Drain of',
  trafficShift: 'Shift of traffic from',
  hubLoss: 'Hub lost to',
  busPartition: 'Bus lost to',
  trustRotation: 'Rotation of trust of',
};

/** The scenario as a sentence without a full stop. */
export function scenarioOf({ scenario, mode }: DrillEvidence): string {
  const fault = scenario.fault === null ? '' : `: ${scenario.fault}`;
  const rehearsed = mode === 'dryRun' ? ' (dry run: nothing was changed)' : '';
  return `${KINDS[scenario.type] ?? scenario.type} ${scenario.from}${fault}${rehearsed}`;
}

const OBJECTIVES: Readonly<Record<string, string>> = {
  rto: 'Recovery time (RTO)',
  propagation: 'Propagation',
  errorRate: 'Failed requests',
};
const WORDS = { true: 'met', false: 'missed', null: 'not known' } as const;

/** Objectives, phases and times. */
export function timeTables({ objectives, phases, timings }: DrillEvidence): readonly Table[] {
  const lasted = phases.map(({ phase, from, to }) => [phase, instant(from), duration(Date.parse(to) - Date.parse(from))]);
  return [
    {
      ...{ caption: 'Objectives', head: ['Objective', 'Target', 'Measured', 'Verdict'], numbers: [1, 2], none: 'None was set.' },
      rows: objectives.map(({ name, unit, target, actual, met }) => [
        OBJECTIVES[name] ?? name,
        `≤ ${measured(target, unit)}`,
        measured(actual, unit),
        WORDS[`${met}`],
      ]),
    },
    {
      ...{ caption: 'Times', head: ['Part', 'Time'], numbers: [1] },
      rows: [
        ['decide', duration(timings.decideMs)],
        ['propagate, half of the proxies', duration(timings.propagateP50Ms)],
        ['propagate, 99 of 100 proxies', duration(timings.propagateP99Ms)],
        ['inject', duration(timings.injectMs)],
        ['detect', duration(timings.detectMs)],
        ['recover', duration(timings.recoverMs)],
        ['restore', duration(timings.restoreMs)],
      ],
    },
    { caption: 'Phases', head: ['Phase', 'Begin', 'Lasted'], numbers: [2], rows: lasted },
  ];
}

/** Who was served, and from where. */
export function serviceTables(evidence: DrillEvidence): readonly Table[] {
  const destinations = destinationsOf(evidence);
  return [
    {
      ...{ caption: 'Callers', numbers: [2, 3, 4, 5], none: 'No requests were measured.' },
      head: ['Service', 'Callers in', 'Requests', 'Failed', 'Longest gap', 'Unknown seconds'],
      rows: evidence.services.map((one) => [
        ...[one.service, one.sourceCluster, number(one.requests), number(one.failed)],
        ...[gapText(one), number(one.unknownSeconds)],
      ]),
    },
    {
      ...{ caption: 'Requests by phase and destination', none: 'No requests were measured.' },
      head: ['Phase', ...destinations.map((name) => (name === '' ? 'nowhere' : name)), 'Failed'],
      numbers: [...destinations.keys(), destinations.length].map((index) => index + 1),
      rows: trafficByPhase(evidence).map(({ phase, requests, failed, unknownSteps }) => [
        unknownSteps === 0 ? phase : `${phase} (${unknownSteps} steps not known of all callers)`,
        ...destinations.map((name) => number(requests.get(name) ?? 0)),
        number(failed),
      ]),
    },
  ];
}

function gapText({ longestGapMs, gapResolutionMs }: DrillEvidence['services'][number]): string {
  const gap = duration(longestGapMs);
  return longestGapMs === null || gapResolutionMs == null ? gap : `${gap} ± ${duration(gapResolutionMs)}`;
}

/** Checks in short. */
export function checkTable({ checks }: DrillEvidence): Table {
  return {
    ...{ caption: 'Checks', head: ['Check', 'For', 'Condition', 'On failure', 'Samples', 'Verdict'], numbers: [4], none: 'None was set.' },
    rows: checks.map(({ name, role, when, condition, action, samples, taken = samples.length, verdict, message }) => [
      ...[name, `${role}: ${when.join(', ')}`, condition === '' ? UNKNOWN : condition, action, number(taken)],
      message === '' ? verdict : `${verdict}: ${message}`,
    ]),
  };
}

/** What people said and did. */
export function peopleTables({ approvals, overrides, notes }: DrillEvidence): readonly Table[] {
  return [
    {
      ...{ caption: 'Approvals', head: ['Time (UTC)', 'Who', 'Said', 'Comment'], none: 'Nobody was asked, or nobody answered.' },
      rows: approvals.map(({ at, by, verdict, comment }) => [instant(at), by, verdict, comment]),
    },
    {
      ...{ caption: 'Overrides', head: ['Time (UTC)', 'Who', 'Rule set aside'], none: 'No rule was set aside.' },
      rows: overrides.map(({ at, by, rule }) => [instant(at), by, rule]),
    },
    {
      ...{ caption: 'Notes', head: ['Time (UTC)', 'Who', 'Note'], none: 'None.' },
      rows: notes.map(({ at, by, text }) => [instant(at), by, text]),
    },
  ];
}

/** Everything in order of time. */
export function timelineTable({ timeline }: DrillEvidence): Table {
  return {
    ...{ caption: 'Timeline', head: ['Time (UTC)', 'Event', 'Detail'], none: 'Nothing happened.' },
    rows: timeline.map(({ at, event, detail }) => [clock(at), event, detail]),
  };
}

/** What ran where. */
export function versionTable({ versions }: DrillEvidence): Table {
  const agents = versions.agents.map(({ cluster, version }) => ['agent', cluster, version]);
  const envoys = versions.envoys.map(({ cluster, version, proxies }) => [`Envoy (${number(proxies)} proxies)`, cluster, version]);
  const servers = (versions.servers ?? []).map(({ name, version }) => [name, UNKNOWN, version]);
  const rows = [['hub', UNKNOWN, versions.hub], ...servers, ...agents, ...envoys];
  return { caption: 'Versions', head: ['Part', 'Cluster', 'Version'], rows };
}
