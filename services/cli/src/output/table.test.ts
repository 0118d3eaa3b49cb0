import { expect, it } from 'vitest';
import { ageOf, shortSpan } from './age.ts';
import { tableLines } from './table.ts';

it('aligns columns without borders or spaces at line ends', () => {
  const columns = [
    { title: 'NAME', cell: (row: { name: string; zone: string }) => row.name },
    { title: 'ZONE', cell: (row: { name: string; zone: string }) => row.zone },
  ];
  expect(
    tableLines(columns, [
      { name: 'a-long-name', zone: '' },
      { name: 'é', zone: 'x\u001b[31m\ny' },
    ]),
  ).toEqual(['NAME          ZONE', 'a-long-name   -', 'é             x [31m y']);
});

it.each([
  [0, '0s'],
  [119_999, '119s'],
  [125_000, '2m5s'],
  [20 * 60_000, '20m'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [30 * 3_600_000, '30h'],
  [80 * 3_600_000, '3d'],
  [-5, '0s'],
])('writes %i ms as %s', (milliseconds, text) => expect(shortSpan(milliseconds)).toBe(text));

it('has no age for what is no time', () => {
  expect(ageOf('', 0)).toBe('');
  expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:00Z'))).toBe('60s');
});
