import { expect, test } from 'vitest';
import type { LoadEntry } from '../../deploy/demo/load-log.ts';
import { fairAfter } from './spread.ts';

/** One request a millisecond over 8 s; v3 has its third from `fairFrom` on, before that half as much. */
function entries(fairFrom: number): LoadEntry[] {
  return Array.from({ length: 8_000 }, (_, t) => {
    const v3 = t >= fairFrom ? t % 3 === 0 : t % 6 === 0;
    return { t, id: String(t), method: 'GET', status: 200, ms: 1, version: v3 ? 'v3' : 'v1' };
  });
}

test('the first of three fair windows in a row counts, to its end', () => {
  expect(fairAfter(entries(0), 0, 'v3')).toBe(0.5);
  expect(fairAfter(entries(1_000), 0, 'v3')).toBe(1.5);
  expect(fairAfter(entries(9_000), 0, 'v3')).toBe(Number.POSITIVE_INFINITY);
  expect(fairAfter(entries(1_000), 1_000, 'v3')).toBe(0.5);
});
