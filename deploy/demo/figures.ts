/** Figures: what was measured, against what it must be. The demo's report and every benchmark write them alike. */

import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';

/** One measured figure (DESIGN.md, commands). */
export interface Figure {
  readonly value: number;
  readonly unit: string;
  /** How many observations the value rests on. */
  readonly samples: number;
}

/** What a figure must be: at most `max`, or at least `min`, resting on at least `samples` observations. */
export type Bar = { readonly samples: number } & ({ readonly max: number } | { readonly min: number });

/** Figures by key, with their bars and raw samples. */
export class FigureBook {
  readonly #name: string;
  readonly #bars: Readonly<Record<string, Bar>>;
  readonly #figures = new Map<string, Figure>();
  readonly #samples: { key: string; lines: readonly object[] }[] = [];

  constructor(name: string, bars: Readonly<Record<string, Bar>>) {
    this.#name = name;
    this.#bars = bars;
  }

  /** Notes a figure; `raw` are its samples, one object each, written beside the report. */
  note(key: string, figure: Figure, raw: readonly object[] = []): void {
    this.#figures.set(key, { ...figure, value: Math.round(figure.value * 1_000) / 1_000 });
    this.#samples.push({ key, lines: raw });
  }

  /** Why a figure misses its bar, by key; a figure that should be there and is not misses too. */
  missed(expected: readonly string[] = Object.keys(this.#bars)): ReadonlyMap<string, string> {
    const reasons = expected.map((key) => [key, missedBar(this.#figures.get(key), this.#bars[key])] as const);
    return new Map(reasons.flatMap(([key, reason]) => (reason === undefined ? [] : [[key, reason]])));
  }

  /** A table: key, value, bar, samples, verdict. */
  table(expected?: readonly string[]): string {
    const missed = this.missed(expected);
    const rows = [...this.#figures].map(([key, { value, unit, samples }]) => {
      const bar = this.#bars[key];
      const must = bar === undefined ? '' : mustBe(bar);
      return [key, `${value} ${unit}`, must, String(samples), bar === undefined ? '' : missed.has(key) ? 'MISSED' : 'ok'];
    });
    for (const [key, reason] of missed) {
      const bar = this.#bars[key];
      if (!this.#figures.has(key)) rows.push([key, reason, bar === undefined ? '' : mustBe(bar), '0', 'MISSED']);
    }
    return columns([['figure', 'value', 'must', 'samples', ''], ...rows]);
  }

  /** Writes `FILE`, and the raw samples to `FILE.samples.jsonl`. */
  async write(file: string): Promise<void> {
    writeFileSync(file, `${JSON.stringify({ name: this.#name, figures: Object.fromEntries(this.#figures) }, null, 2)}\n`);
    const out = createWriteStream(samplesFile(file));
    for (const { key, lines } of this.#samples) {
      for (const line of lines) if (!out.write(`${JSON.stringify({ figure: key, ...line })}\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'finish');
  }
}

/** Beside the report: `report.json` → `report.json.samples.jsonl`. */
export function samplesFile(file: string): string {
  return `${file}.samples.jsonl`;
}

function missedBar(figure: Figure | undefined, bar: Bar | undefined): string | undefined {
  if (figure === undefined) return 'not measured';
  if (bar === undefined) return undefined;
  const holds = 'max' in bar ? figure.value <= bar.max : figure.value >= bar.min;
  if (!holds) return `${figure.value} ${figure.unit}, must be ${mustBe(bar)}`;
  return figure.samples < bar.samples ? `${figure.samples} samples, must be ≥ ${bar.samples}` : undefined;
}

function mustBe(bar: Bar): string {
  return 'max' in bar ? `≤ ${bar.max}` : `≥ ${bar.min}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The p-th percentile (0 to 100) by nearest rank; NaN without values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}
