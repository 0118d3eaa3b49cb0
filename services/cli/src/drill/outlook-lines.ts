/** PURE: what drills would do, whether they could, and when they come, as text. */
import type { CalendarEntry, DrillCalendarView, DrillPlanView, DrillReadinessView, PlannedService } from '@hawser/wire/drill-views.ts';
import { shortSpan } from '../output/age.ts';
import { HEADROOM, rate } from '../output/headroom.ts';
import { type Column, tableLines } from '../output/table.ts';

/** What would move, where to, whom it spares, and what stands against it. */
export function drillPlanLines(plan: DrillPlanView): string[] {
  const { clusters, services, headroom, traffic, course, remainingRegions, refusals } = plan;
  const spared = services.filter(({ included }) => !included);
  const rows = services.filter(({ included }) => included).flatMap(rowsOf);
  return [
    `drill ${plan.drill}: ${plan.scenario} of ${plan.scope} (${clusters.length === 0 ? 'no cluster' : clusters.join(', ')}), ${plan.mode === 'live' ? 'live' : 'a dry run'}`,
    ...(course.length === 0 ? moveLines(rows) : ['', ...course.map((line) => `  ${line}`), '']),
    trafficText(traffic),
    ...(course.length === 0 ? [`${regionsText(remainingRegions.names)}; ${remainingRegions.least} must be left`] : []),
    ...(headroom.length === 0 ? [] : ['', ...tableLines(HEADROOM, headroom)]),
    ...(spared.length === 0 ? [] : ['', ...spared.map(({ service, why }) => `not ${service}: ${why}`)]),
    ...(refusals.length === 0 ? [] : ['', ...refusals.map(({ rule, message }) => `refused by ${rule}: ${message}`)]),
  ];
}

/** Check by check. */
export function readinessLines({ drill, state, nextStartAt, checks }: DrillReadinessView, now: number): string[] {
  const next = nextStartAt === undefined ? '' : `, starts in ${shortSpan(Date.parse(nextStartAt) - now)}`;
  return [`drill ${drill}: ${state}${next}`, ...checks.map(({ name, ready, message }) => `  ${ready ? '√' : '×'} ${name}: ${message}`)];
}

/** Starts in their order, then those that have none. */
export function calendarLines({ entries, without, to, truncated }: DrillCalendarView): string[] {
  return [
    ...(entries.length === 0 ? [`no drill starts before ${to.slice(0, 16)}Z`] : tableLines(CALENDAR, entries)),
    ...(truncated ? ['there are more: ask for fewer --days'] : []),
    ...without.map(({ drill, why }) => `${drill}: ${why}`),
  ];
}

interface Row {
  readonly service: string;
  readonly source: string;
  readonly requests: number | undefined;
  readonly to: string;
}

function moveLines(rows: readonly Row[]): string[] {
  return rows.length === 0 ? ['no request would move'] : ['', ...tableLines(MOVES, rows), ''];
}

function rowsOf({ service, moved }: PlannedService): Row[] {
  if (moved.length === 0) return [{ service, source: '', requests: 0, to: 'nobody calls it there' }];
  return moved.map(({ source, requests, to }) => ({
    ...{ service, source, requests },
    to: to.length === 0 ? 'nobody is left' : to.map(({ cluster, share }) => `${cluster} ${Math.round(share * 100)} %`).join(', '),
  }));
}

function trafficText({ percent, maxPercent, unmeasured }: DrillPlanView['traffic']): string {
  const share =
    percent === undefined
      ? `an unknown share of all requests (${unmeasured ?? 'it is not measured'})`
      : `${percent.toFixed(1)} % of all requests`;
  return `${share} would move; at most ${maxPercent} % may`;
}

function regionsText(names: readonly string[]): string {
  if (names.length === 0) return 'no region would serve all of it';
  return `${names.join(', ')} would serve all of it`;
}

const MOVES: readonly Column<Row>[] = [
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'CALLERS', cell: ({ source }) => source },
  { title: 'MOVED/S', cell: ({ requests }) => rate(requests) },
  { title: 'TO', cell: ({ to }) => to },
];
const CALENDAR: readonly Column<CalendarEntry>[] = [
  { title: 'WHEN', cell: ({ at }) => `${at.slice(0, 16)}Z` },
  { title: 'DRILL', cell: ({ drill }) => drill },
  { title: 'OF', cell: ({ scope }) => scope },
  { title: 'MODE', cell: ({ mode }) => mode },
  { title: 'APPROVALS', cell: ({ approvals }) => String(approvals) },
  { title: 'STARTS', cell: ({ starts }) => (starts ? 'yes' : 'no') },
  { title: 'WHY', cell: ({ why }) => why.join('; ') },
];
