/** PURE: requests per second by destination, stacked, and below them those that failed. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { across, type ChartBox, type ChartFrame, chartBox, down, framed, rounded } from './chart-frame.ts';
import { colourOf } from './colours.ts';
import { type Markup, markup, type Piece } from './markup.ts';
import { destinationsOf, type TrafficColumn, trafficByPhase, trafficColumns } from './traffic-columns.ts';
import { duration, number } from './words.ts';

/** How large a chart is, and of which service. */
export interface TrafficChart {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly service?: string;
}

/** The chart of requests. */
export function requestsChart(evidence: DrillEvidence, { id, width, height, service }: TrafficChart): Markup {
  const columns = trafficColumns(evidence, service);
  const most = Math.max(0, ...columns.map(({ rates }) => [...rates.values()].reduce((sum, rate) => sum + rate, 0)));
  const box = chartBox({ width, height, span: spanOf(evidence, columns), most });
  const of = service === undefined ? 'all services of the drill' : service;
  const frame: ChartFrame = {
    ...{ box, id, phases: evidence.phases, isNamed: service === undefined, unit: '/s' },
    title: `Requests per second to ${of}, by destination`,
    description: inWords(evidence),
  };
  return framed(frame, [stacked(evidence, box, columns), gaps(box, columns), service === undefined ? recovery(evidence, box) : undefined]);
}

/** The chart of those that failed. */
export function failuresChart(evidence: DrillEvidence, { id, width, height }: TrafficChart): Markup {
  const columns = trafficColumns(evidence);
  const most = Math.max(1, ...columns.map(({ failed }) => failed));
  const box = chartBox({ width, height, span: spanOf(evidence, columns), most });
  const frame: ChartFrame = {
    ...{ box, id, phases: evidence.phases, isNamed: false, unit: '/s' },
    title: 'Failed requests per second',
    description: failuresInWords(evidence),
  };
  const bars = columns.map(({ from, to, failed }) => {
    if (failed === 0) return undefined;
    const [x, base] = [across(box, from), down(box, 0)];
    // One in a thousand is to be seen as well.
    const y = Math.min(down(box, failed), base - 2);
    return markup`<rect class="failed" x="${x}" y="${y}" width="${Math.max(2, rounded(across(box, to) - x - 0.5))}" height="${rounded(base - y)}"/>`;
  });
  return framed(frame, [bars, gaps(box, columns)]);
}

function spanOf({ traffic }: DrillEvidence, columns: readonly TrafficColumn[]): { readonly from: number; readonly to: number } {
  const from = Date.parse(traffic.from);
  return { from, to: Math.max(from + 1_000, ...columns.map(({ to }) => to)) };
}

function stacked(evidence: DrillEvidence, box: ChartBox, columns: readonly TrafficColumn[]): Piece {
  const below = columns.map(() => 0);
  return destinationsOf(evidence).map((destination) => {
    const lower = [...below];
    for (const [index, { rates }] of columns.entries()) below[index] = (below[index] ?? 0) + (rates.get(destination) ?? 0);
    const edge = (heights: readonly number[]): string[] =>
      columns.flatMap(({ from, to }, index) => {
        const y = down(box, heights[index] ?? 0);
        return [`${across(box, from)} ${y}`, `${across(box, to)} ${y}`];
      });
    const points = [...edge(below), ...edge(lower).reverse()].join('L');
    return points === '' ? undefined : markup`<path class="area" style="fill:${colourOf(evidence, destination)}" d="M${points}Z"/>`;
  });
}

/** Steps that some callers did not account for. */
function gaps(box: ChartBox, columns: readonly TrafficColumn[]): Piece {
  return columns.map(({ from, to, isPartial }) => {
    if (!isPartial) return undefined;
    const x = across(box, from);
    return markup`<rect class="unknown" x="${x}" y="${box.top}" width="${Math.max(1.5, rounded(across(box, to) - x))}" height="${box.height - box.top - box.bottom}"/>`;
  });
}

/** From the fault in force to the recovery. */
function recovery({ phases, timings }: DrillEvidence, box: ChartBox): Piece {
  const begin = phases.find(({ phase }) => phase === 'Injecting' || phase === 'Shifting');
  if (begin === undefined || timings.rtoMs === null) return undefined;
  const from = Date.parse(begin.from) + (timings.injectMs ?? 0);
  const [x, end] = [across(box, from), across(box, from + timings.rtoMs)];
  const [top, foot] = [box.top + 4, box.height - box.bottom];
  return markup`<g class="rto"><rect x="${x}" y="${top}" width="${Math.max(2, rounded(end - x))}" height="${foot - top}"/><text x="${Math.min(end + 6, box.width - 90)}" y="${top + 11}">RTO ${duration(timings.rtoMs)}</text></g>`;
}

function inWords(evidence: DrillEvidence): string {
  const phases = trafficByPhase(evidence).map(({ phase, requests }) => {
    const parts = [...requests].map(([name, count]) => `${number(count)} to ${name === '' ? 'nowhere' : name}`);
    return `${phase}: ${parts.join(', ')}`;
  });
  return phases.length === 0 ? 'Nothing was measured.' : `Requests by phase. ${phases.join('; ')}.`;
}

function failuresInWords(evidence: DrillEvidence): string {
  const phases = trafficByPhase(evidence).map(({ phase, failed }) => `${phase} ${number(failed)}`);
  return phases.length === 0 ? 'Nothing was measured.' : `Failed requests by phase: ${phases.join(', ')}.`;
}
