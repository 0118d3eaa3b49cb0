import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FigureBook, percentile, samplesFile } from './figures.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-figures-'));
afterAll(() => rmSync(folder, { recursive: true }));
const bars = { failed: { max: 0, samples: 10 }, late_ms: { max: 5, samples: 1 } };

describe('figures', () => {
  test('a figure holds at its bar, and misses above it, with too few samples, or when it is not there', () => {
    const book = new FigureBook('demo', bars);
    expect([...book.missed().keys()]).toEqual(['failed', 'late_ms']);
    book.note('failed', { value: 0, unit: 'requests', samples: 9 });
    book.note('late_ms', { value: 5, unit: 'ms', samples: 1 });
    expect([...book.missed()]).toEqual([['failed', '9 samples, must be ≥ 10']]);
    book.note('failed', { value: 0, unit: 'requests', samples: 10 });
    expect(book.missed().size).toBe(0);
    book.note('late_ms', { value: Number.NaN, unit: 'ms', samples: 1 });
    expect([...book.missed().keys()]).toEqual(['late_ms']);
  });

  test('writes the report, and the raw samples beside it', async () => {
    const book = new FigureBook('demo', bars);
    book.note('failed', { value: 0, unit: 'requests', samples: 2 }, [{ t: 1 }, { t: 2 }]);
    const file = join(folder, 'report.json');
    await book.write(file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      name: 'demo',
      figures: { failed: { value: 0, unit: 'requests', samples: 2 } },
    });
    expect(samplesFile(file)).toBe(join(folder, 'report.json.samples.jsonl'));
    expect(readFileSync(samplesFile(file), 'utf8')).toBe('{"figure":"failed","t":1}\n{"figure":"failed","t":2}\n');
  });

  test('percentiles are values that were seen', () => {
    expect(percentile([3, 1, 2], 50)).toBe(2);
    expect(percentile([3, 1, 2], 99)).toBe(3);
    expect(percentile([], 50)).toBeNaN();
  });
});
