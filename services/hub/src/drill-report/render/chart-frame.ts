/** PURE: what charts have in common: scales, axes, the phases behind the curves, and words for who cannot see them. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { type Markup, markup, type Piece } from './markup.ts';
import { number } from './words.ts';

/** A span of time, Unix milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Measures of a chart, in units of its view box. */
export interface ChartBox {
  readonly width: number;
  readonly height: number;
  readonly span: Span;
  /** Upper end of the values. */
  readonly most: number;
  readonly left: number;
  readonly top: number;
  readonly bottom: number;
}

/** What frames a chart. */
export interface ChartFrame {
  readonly box: ChartBox;
  readonly id: string;
  /** Accessible name, and the chart in words. */
  readonly title: string;
  readonly description: string;
  readonly phases: DrillEvidence['phases'];
  /** Whether phases are named on it. */
  readonly isNamed: boolean;
  readonly unit: string;
}

const RIGHT = 8;

/** A box with the usual margins. */
export function chartBox(size: { readonly width: number; readonly height: number; readonly span: Span; readonly most: number }): ChartBox {
  return { ...size, most: niceMost(size.most), left: 46, top: 22, bottom: 24 };
}

/** Where a moment is, from the left. */
export function across({ width, left, span }: ChartBox, at: number): number {
  const part = (at - span.from) / Math.max(1, span.to - span.from);
  return rounded(left + Math.min(1, Math.max(0, part)) * (width - left - RIGHT));
}

/** Where a value is, from the top. */
export function down({ height, top, bottom, most }: ChartBox, value: number): number {
  const part = Math.min(1, Math.max(0, value / most));
  return rounded(height - bottom - part * (height - top - bottom));
}

/** The chart around its curves. */
export function framed(frame: ChartFrame, curves: Piece): Markup {
  const { box, id, title, description } = frame;
  return markup`<svg viewBox="0 0 ${box.width} ${box.height}" role="img" aria-labelledby="${id}-t ${id}-d" xmlns="http://www.w3.org/2000/svg">
<title id="${id}-t">${title}</title><desc id="${id}-d">${description}</desc>
${bands(frame)}${valueAxis(frame)}${timeAxis(box)}${curves}</svg>`;
}

/** Phases as bands, every other one shaded, those in which something is wrong in the colour of that. */
function bands({ box, phases, isNamed }: ChartFrame): Piece {
  return phases.map(({ phase, from, to }) => {
    const [begin, end] = [across(box, Date.parse(from)), across(box, Date.parse(to))];
    if (end - begin < 0.5) return undefined;
    const name =
      isNamed && end - begin > phase.length * 6.2
        ? markup`<text class="phase" x="${begin + 4}" y="${box.top - 8}">${phase}</text>`
        : undefined;
    const [top, height] = [box.top - 18, box.height - box.bottom - box.top + 18];
    return markup`<g><rect class="band ${bandOf(phase)}" x="${begin}" y="${top}" width="${rounded(end - begin)}" height="${height}"/><line class="edge" x1="${begin}" x2="${begin}" y1="${top}" y2="${top + height}"/>${name}</g>`;
  });
}

const BANDS: Readonly<Record<string, string>> = { Injecting: 'hurt', Shifting: 'hurt', Holding: 'held', Restoring: 'back' };

/** Class of a phase, by which it is coloured. */
export function bandOf(phase: string): string {
  return BANDS[phase] ?? 'calm';
}

function valueAxis({ box, unit }: ChartFrame): Piece {
  const step = box.most / 4;
  const digits = step >= 1 || step === 0 ? 0 : Math.min(6, Math.ceil(-Math.log10(step)) + 1);
  return [0, 1, 2, 3, 4].map((index) => {
    const y = down(box, step * index);
    const label = `${number(step * index, Number.isInteger(step) ? 0 : Math.max(digits, 1))}${index === 4 ? unit : ''}`;
    return markup`<line class="grid" x1="${box.left}" x2="${box.width - RIGHT}" y1="${y}" y2="${y}"/><text class="tick" text-anchor="end" x="${box.left - 6}" y="${y + 3.5}">${label}</text>`;
  });
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

function timeAxis(box: ChartBox): Piece {
  const wanted = (box.span.to - box.span.from) / 1_000 / Math.max(2, Math.floor((box.width - box.left) / 90));
  const step = (STEPS.find((one) => one >= wanted) ?? 86_400) * 1_000;
  const ticks: Markup[] = [];
  for (let at = Math.ceil(box.span.from / step) * step; at <= box.span.to; at += step) {
    const x = across(box, at);
    const y = box.height - box.bottom;
    ticks.push(
      markup`<line class="axis" x1="${x}" x2="${x}" y1="${y}" y2="${y + 4}"/><text class="tick" text-anchor="middle" x="${Math.min(x, box.width - 24)}" y="${y + 16}">${new Date(at).toISOString().slice(11, 19)}</text>`,
    );
  }
  return ticks;
}

/** The next number above that people like to read: 1, 2, 2.5, 4, 5 or 8 times a power of ten. */
function niceMost(most: number): number {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 4, 5, 8, 10].find((factor) => factor * power >= most) ?? 10) * power;
}

/** Two digits are less than a pixel. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A path through points; where one is missing it is interrupted. */
export function pathThrough(points: readonly (readonly [x: number, y: number] | undefined)[]): string {
  return points
    .map((point, index) => (point === undefined ? '' : `${points[index - 1] === undefined ? 'M' : 'L'}${point[0]} ${point[1]}`))
    .join('');
}
