/** PURE: runs of drills as text. */
import { scenarioPlace } from '@hawser/model/drill-course.ts';
import { DRILL_PHASES, type DrillRunSpec } from '@hawser/model/drill-run.ts';
import { weightsText } from '@hawser/model/drill-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillRunCheck, DrillRunStatusFields } from '@hawser/wire/drill-views.ts';
import { ageOf, shortSpan } from '../output/age.ts';
import type { Look } from '../output/live-lines.ts';
import { type Column, tableLines } from '../output/table.ts';

/** A DrillRun as the hub answers with it. */
export type DrillRunResource = Resource<DrillRunSpec, DrillRunStatusFields>;

/** Whether nothing moves it any more. */
export function isRunOver({ status }: DrillRunResource): boolean {
  return status?.phase === 'Done';
}

/** What is shown of a run while it goes on. */
export function runLook(run: DrillRunResource, now: number): Look {
  return { lines: runLines(run, now), plain: plainRun(run) };
}

/** A run with its timeline: phases, time, recovery so far, requests that failed, checks. */
export function runLines(run: DrillRunResource, now: number): string[] {
  const { metadata, spec, status } = run;
  const title = `run ${metadata.name} of drill ${spec.drill}: ${scenarioText(spec)}, ${modeText(spec.mode)}`;
  if (status === undefined) return [title];
  const { phase, outcome, message, waiting, approvals = [], notes = [], checks = [] } = status;
  const ended = isRunOver(run) ? Date.parse(status.phases.at(-1)?.at ?? '') : now;
  const since = shortSpan(ended - Date.parse(status.phases[0]?.at ?? ''));
  return [
    title,
    `  ${outcome ?? phase} after ${since}, asked for by ${status.startedBy}${spec.reason === undefined ? '' : `: ${spec.reason}`}`,
    ...(message === undefined ? [] : [`  ${message}`]),
    ...(waiting === undefined ? [] : [`  waits: ${waiting}`]),
    ...neededLines(run),
    ...measuredLines(run),
    ...checks.map((check) => `  ${checkText(check)}`),
    ...phaseLines(run, ended),
    ...status.timeline
      .slice(-TIMELINE)
      .map(({ at, event, detail }) => `  ${at.slice(11, 19)} ${event}${detail === '' ? '' : `: ${detail}`}`),
    ...approvals.map(({ at, by, verdict, comment }) => `  ${at.slice(11, 19)} ${verdict} by ${by}${comment === '' ? '' : `: ${comment}`}`),
    ...notes.map(({ at, by, text }) => `  ${at.slice(11, 19)} note by ${by}: ${text}`),
  ];
}

function neededLines({ metadata, status }: DrillRunResource): string[] {
  const { approvalsNeeded, approvalGroups = [], approvals = [] } = status ?? {};
  const given = approvals.filter(({ verdict }) => verdict === 'approved').length;
  if (approvalsNeeded === undefined || given >= approvalsNeeded) return [];
  const whose = approvalGroups.length === 0 ? '' : ` of ${approvalGroups.join(' or ')}`;
  return [`  ${given} of ${approvalsNeeded} approvals${whose}: hawser drill approve ${metadata.name}`];
}

/** One line for a log that nobody rewrites: without what changes every moment. */
export function plainRun({ metadata, status }: DrillRunResource): string {
  if (status === undefined) return metadata.name;
  const { phase, outcome, percent, follows, message, waiting, checks = [], requestsFailed = 0 } = status;
  const steady = waiting?.replace(/\d+(\.\d+)?/g, 'some');
  const failing = checks
    .filter(({ verdict }) => verdict === 'failed' || verdict === 'error')
    .map(({ name, verdict }) => `${name} ${verdict}`);
  const parts = [
    outcome === undefined ? phase : `${phase} (${outcome})`,
    ...(percent === undefined ? [] : [`${percent} % goes elsewhere`]),
    ...(follows === undefined || outcome !== undefined ? [] : [follows.part]),
    ...(requestsFailed === 0 ? [] : ['requests have failed']),
    ...failing,
    ...[message, steady].filter((text) => text !== undefined),
  ];
  return `${metadata.name}: ${parts.join('; ')}`;
}

/** Runs as a table, those that want somebody's consent first. */
export function runTable(runs: readonly DrillRunResource[], now: number): string[] {
  if (runs.length === 0) return ['no drill is under way'];
  const columns: Column<DrillRunResource>[] = [
    { title: 'RUN', cell: ({ metadata }) => metadata.name },
    { title: 'DRILL', cell: ({ spec }) => spec.drill },
    { title: 'SCENARIO', cell: ({ spec }) => scenarioText(spec) },
    { title: 'MODE', cell: ({ spec }) => spec.mode },
    { title: 'PHASE', cell: ({ status }) => status?.phase ?? '' },
    { title: 'OUTCOME', cell: ({ status }) => status?.outcome ?? '' },
    { title: 'RTO', cell: (run) => rtoText(run) ?? '' },
    { title: 'FAILED', cell: (run) => String(measuredOf(run).requestsFailed ?? '') },
    { title: 'AGE', cell: ({ status }) => ageOf(status?.phases[0]?.at, now) },
  ];
  const rank = ({ status }: DrillRunResource): number => (status?.phase === 'AwaitingApproval' ? 0 : 1);
  return tableLines(
    columns,
    [...runs].sort((a, b) => rank(a) - rank(b)),
  );
}

/** Events that are shown. */
const TIMELINE = 12;
const WAYS: readonly string[] = DRILL_PHASES;

function scenarioText({ plan }: DrillRunSpec): string {
  const { type, fault } = plan.scenario;
  const how = fault === undefined || fault === 'refuse' ? '' : ` (${fault})`;
  return `${type} of ${scenarioPlace(plan.scenario)}${how}`;
}

function modeText(mode: string): string {
  return mode === 'live' ? 'live' : 'a dry run';
}

/** While it is in force the status has it, and what is left of it is in the results. */
function measuredOf({ status }: DrillRunResource): Pick<DrillRunStatusFields, 'requests' | 'requestsFailed' | 'rtoMs'> {
  return { ...status?.results, ...(status?.requests === undefined ? {} : status) };
}

function rtoText(run: DrillRunResource): string | undefined {
  const { rtoMs } = measuredOf(run);
  return rtoMs === undefined ? undefined : `${(rtoMs / 1_000).toFixed(rtoMs < 10_000 ? 2 : 0)}s`;
}

function measuredLines(run: DrillRunResource): string[] {
  const { requests, requestsFailed } = measuredOf(run);
  const { proxies, percent } = run.status ?? {};
  const objective = run.spec.plan.objectives.rto;
  const rto = rtoText(run);
  return [
    ...(percent === undefined ? [] : [`  ${percent} % goes elsewhere`]),
    ...followsLines(run),
    ...(proxies === undefined || proxies.expected === 0 ? [] : [`  ${proxies.acked} of ${proxies.expected} proxies have acknowledged it`]),
    ...(requests === undefined ? [] : [`  ${requestsFailed ?? 0} of ${requests} requests failed`]),
    ...(rto === undefined ? [] : [`  recovery ${isRunOver(run) ? 'took' : 'so far'} ${rto}, objective ${objective}`]),
  ];
}

/** What it began elsewhere, while it goes on. */
function followsLines(run: DrillRunResource): string[] {
  const { follows } = run.status ?? {};
  if (follows === undefined || isRunOver(run)) return [];
  const { kind, name, part, weights } = follows;
  return [`  ${kind} ${name}${part === '' ? '' : `: ${part}`}${weights === undefined ? '' : `, ${weightsText(weights)}`}`];
}

function checkText({ name, role, verdict, message, value }: DrillRunCheck): string {
  const mark = { passed: '√', failed: '×', error: '×' }[verdict] ?? '‼';
  const seen = value === undefined || value === null ? '' : ` ${Number(value.toPrecision(4))}`;
  return `${mark} ${role} ${name}: ${verdict}${seen}${message === undefined ? '' : ` (${message})`}`;
}

/** How long each phase took, in one line. */
function phaseLines({ status }: DrillRunResource, end: number): string[] {
  const phases = status?.phases ?? [];
  const spans = phases.map(({ phase, at }, index) => {
    const until = phases[index + 1]?.at;
    const last = until === undefined ? end : Date.parse(until);
    return phase === 'Done' ? 'Done' : `${phase} ${shortSpan(last - Date.parse(at))}`;
  });
  const known = spans.filter((_, index) => WAYS.includes(phases[index]?.phase ?? ''));
  return known.length === 0 ? [] : [`  ${known.join(' → ')}`];
}
