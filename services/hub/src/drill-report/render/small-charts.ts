/** PURE: small charts, one for each: weights of a cluster as they were to be, acknowledged and seen, and samples of a check. */
import { counted } from '@hawser/model/counted.ts';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { across, type ChartFrame, chartBox, down, framed, pathThrough, type Span } from './chart-frame.ts';
import { colourOf } from './colours.ts';
import { type Markup, markup } from './markup.ts';
import { clock, number, percent } from './words.ts';

const SIZE = { width: 400, height: 150 };
const KINDS = ['desired', 'acked', 'observed'] as const;

/** Weights of one cluster. */
export function weightChart(evidence: DrillEvidence, cluster: string, id: string): Markup {
  const weights = evidence.weights.filter((one) => one.cluster === cluster);
  const span = spanOf(weights.map(({ at }) => at));
  const box = chartBox({ ...SIZE, span, most: weights.reduce((most, one) => Math.max(most, ...KINDS.map((kind) => one[kind] ?? 0)), 1) });
  const last = weights.at(-1);
  const least = (kind: (typeof KINDS)[number]): string => percent(weights.reduce<number | null>((low, one) => lower(low, one[kind]), null));
  const frame: ChartFrame = {
    ...{ box, id, phases: evidence.phases, isNamed: false, unit: '%' },
    title: `Share of the requests that goes to ${cluster}`,
    description: `Lowest: desired ${least('desired')}, acknowledged ${least('acked')}, observed ${least('observed')}. In the end: desired ${percent(last?.desired ?? null)}, acknowledged ${percent(last?.acked ?? null)}, observed ${percent(last?.observed ?? null)}.`,
  };
  const lines = KINDS.map((kind) => {
    const points = weights.map((one) => {
      const value = one[kind];
      return value === null ? undefined : ([across(box, Date.parse(one.at)), down(box, value)] as const);
    });
    return markup`<path class="line ${kind}" style="stroke:${colourOf(evidence, cluster)}" d="${pathThrough(kind === 'observed' ? points : stepped(points))}"/>`;
  });
  return framed(frame, lines);
}

function lower(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

type Point = readonly [x: number, y: number] | undefined;

/** What is ordered stays until something else is. */
function stepped(points: readonly Point[]): readonly Point[] {
  return points.flatMap((point, index): readonly Point[] => {
    const before = points[index - 1];
    return point === undefined || before === undefined || before[1] === point[1] ? [point] : [[point[0], before[1]], point];
  });
}

/** Samples of one check. */
export function checkChart(evidence: DrillEvidence, check: DrillEvidence['checks'][number], id: string): Markup {
  const { samples, name, taken = samples.length } = check;
  const values = samples.flatMap(({ value }) => value ?? []);
  const span = spanOf([
    ...samples.map(({ at }) => at),
    ...evidence.phases.filter(({ phase }) => phase === 'Holding').flatMap(({ from, to }) => [from, to]),
  ]);
  const box = chartBox({ ...SIZE, span, most: Math.max(0, ...values) });
  const range = values.length === 0 ? 'without a value' : `from ${number(Math.min(...values), 4)} to ${number(Math.max(...values), 4)}`;
  const bad = samples.filter(({ outcome }) => outcome !== 'passed');
  const frame: ChartFrame = {
    ...{ box, id, phases: evidence.phases, isNamed: false, unit: '' },
    title: `Samples of the check ${name}`,
    description: `${taken > samples.length ? `${samples.length} of ${counted(taken, 'sample')}, the newest and the first that failed,` : counted(taken, 'sample')} ${range}; ${
      bad.length === 0
        ? 'all of them passed'
        : `${bad.length} did not pass: ${bad
            .slice(0, 5)
            .map(({ at, outcome }) => `${outcome} at ${clock(at)}`)
            .join(', ')}`
    }.`,
  };
  const points = samples.map(({ at, value }) => (value === null ? undefined : ([across(box, Date.parse(at)), down(box, value)] as const)));
  const marks = samples.map(({ at, value, outcome }) => {
    const [x, y] = [across(box, Date.parse(at)), down(box, value ?? 0)];
    // Told apart by their shape as well: a disc is good, a cross is not.
    if (outcome === 'passed') return markup`<circle class="passed" cx="${x}" cy="${y}" r="2.6"/>`;
    return markup`<path class="mark ${outcome}" d="M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x - 4} ${y + 4}L${x + 4} ${y - 4}"/>`;
  });
  return framed(frame, [markup`<path class="line sample" d="${pathThrough(points)}"/>`, marks]);
}

function spanOf(times: readonly string[]): Span {
  const known = times.map((at) => Date.parse(at)).filter((at) => !Number.isNaN(at));
  if (known.length === 0) return { from: 0, to: 1_000 };
  const [from, to] = [Math.min(...known), Math.max(...known)];
  return { from, to: Math.max(to, from + 1_000) };
}
