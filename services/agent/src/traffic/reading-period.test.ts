import { expect, it } from 'vitest';
import { readingPeriodMs } from './reading-period.ts';

const DRILLED = new Map([
  ['a', { kind: 'VirtualService' }],
  ['b', { kind: 'DrillRun' }],
]);

it.each([
  ['no drill is under way', new Map([['a', { kind: 'Drain' }]]), 3, 1_000],
  ['one is', DRILLED, 3, 100],
  ['one is, among many proxies', DRILLED, 100, 400],
  ['one is, among too many', DRILLED, 5_000, 1_000],
])('when %s', (_, policies, proxies, ms) => {
  expect(readingPeriodMs(policies, proxies)).toBe(ms);
});
