import type { Resource } from '@hawser/model/resource.ts';
import { expect, it } from 'vitest';
import { overdueSeconds } from './overdue-drills.ts';

const HOUR_MS = 3_600_000;
const MADE = Date.parse('2026-01-01T00:00:00.000Z');

function drill(spec: Readonly<Record<string, unknown>>): Resource {
  const common = { scenario: { type: 'regionLoss', from: { region: 'a' } }, objectives: { rto: '1s' }, blastRadius: { services: {} } };
  return {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'Drill',
    metadata: { name: 'loss', creationTimestamp: new Date(MADE).toISOString() },
    spec: { ...common, ...spec },
  } as unknown as Resource;
}

it('a drill is overdue from overdueAfter on, since it passed or was made', () => {
  const daily = drill({ mode: 'live', overdueAfter: '24h' });
  expect(overdueSeconds(daily, undefined, MADE + 24 * HOUR_MS)).toBe(0);
  expect(overdueSeconds(daily, undefined, MADE + 25 * HOUR_MS)).toBe(3_600);
  expect(overdueSeconds(daily, new Date(MADE + 24 * HOUR_MS), MADE + 25 * HOUR_MS)).toBe(0);
  expect(overdueSeconds(daily, new Date(MADE + 24 * HOUR_MS), MADE + 50 * HOUR_MS)).toBe(2 * 3_600);
});

it('without overdueAfter it has 90 days, suspended or not', () => {
  const quarterly = drill({ mode: 'live', suspend: true });
  expect(overdueSeconds(quarterly, undefined, MADE + 90 * 24 * HOUR_MS)).toBe(0);
  expect(overdueSeconds(quarterly, undefined, MADE + 91 * 24 * HOUR_MS)).toBe(24 * 3_600);
});

it('what is only rehearsed owes nobody a proof, unless it was proven once', () => {
  expect(overdueSeconds(drill({}), undefined, MADE + 9_000 * HOUR_MS)).toBeUndefined();
  expect(overdueSeconds(drill({ overdueAfter: '1h' }), new Date(MADE), MADE + 2 * HOUR_MS)).toBe(3_600);
});
