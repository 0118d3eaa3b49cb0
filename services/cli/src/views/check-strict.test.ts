import type { StrictReadinessAnswer } from '@hawser/wire/strict-readiness.ts';
import { expect, it } from 'vitest';
import { checkStrictLines } from './check-strict-command.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const lastSeen = '2026-01-01T00:00:50Z';
const caller = { way: 'passed' as const, count: 3, open: 0, lastSeen };
const reviews = {
  ...{ cluster: 'east', namespace: 'bookinfo', name: 'reviews-1', address: '10.0.0.1', captured: true },
  state: 'plain' as const,
  ports: [
    {
      ...{ port: 9080, services: ['bookinfo/reviews'], mode: 'PERMISSIVE', omitted: 2, state: 'plain' as const },
      callers: [
        { ...caller, address: '10.0.0.9', workload: 'shop/cart-1', cluster: 'east', open: 1 },
        { ...caller, way: 'refused' as const, address: '10.0.0.250' },
        caller,
      ],
    },
    { port: 9090, services: [], callers: [], omitted: 0, state: 'ready' as const },
  ],
};
const ratings = { ...reviews, name: 'ratings-1', captured: false, state: 'ready' as const, ports: [] };
const answer: StrictReadinessAnswer = {
  ready: false,
  windowMs: 3_600_000,
  clusters: [
    { cluster: 'east', state: 'plain' },
    { cluster: 'west', state: 'unknown', reason: 'its agent is silent' },
  ],
  workloads: [reviews, ratings],
  bare: [{ cluster: 'east', address: '10.0.0.7', services: ['bookinfo/details'] }],
};

it('names callers port by port, says what is unknown, and what STRICT does not do', () => {
  const lines = checkStrictLines(answer, NOW).map((line) => line.replaceAll(/ {2,}/g, ' '));
  expect(lines).toEqual([
    'CLUSTER WORKLOAD PORT SERVICE MODE STATE CALLER COUNT LAST SEEN',
    'east bookinfo/reviews-1 9080 bookinfo/reviews PERMISSIVE plain shop/cart-1 in east (10.0.0.9) 3 (1 open) 10s ago',
    'east bookinfo/reviews-1 9080 bookinfo/reviews PERMISSIVE refused 10.0.0.250 3 10s ago',
    'east bookinfo/reviews-1 9080 bookinfo/reviews PERMISSIVE plain others 3 10s ago',
    'east bookinfo/reviews-1 9090 - - ready - - -',
    'east bookinfo/ratings-1 - - - not captured - - -',
    '',
    'unknown cluster west: its agent is silent',
    expect.stringMatching(/^not ready: the callers above/),
    expect.stringMatching(/^note: 2 callers are not listed/),
    expect.stringMatching(/^note: callers by address alone/),
    expect.stringMatching(/portLevelMtls/),
    'note: STRICT keeps nobody from bookinfo/ratings-1: not captured',
    'note: nor from what has no sidecar: bookinfo/details at 10.0.0.7',
  ]);
});

it('says that it is ready', () => {
  const ready = { ...answer, ready: true, clusters: [{ cluster: 'east', state: 'ready' as const }], workloads: [], bare: [] };
  expect(checkStrictLines(ready, NOW)).toEqual(['no workload has a sidecar here', '', 'ready: nobody called in plain for 60m']);
});
