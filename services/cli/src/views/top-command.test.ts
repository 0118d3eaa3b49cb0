import type { TrafficAnswer } from '@hawser/wire/traffic-api.ts';
import { expect, it } from 'vitest';
import { plainLines, topLines } from './top-command.ts';

const ANSWER: TrafficAnswer = {
  ...{ from: '2026-11-22T10:00:00.000Z', to: '2026-11-22T10:00:10.000Z', resolution: 'second', seconds: 10 },
  rows: [
    {
      ...{
        source: 'us-east',
        service: 'bookinfo/reviews',
        requests: 1_000,
        failures: 5,
        attempts: 1_100,
        failedAttempts: 105,
        retries: 100,
      },
      destination: { cluster: 'us-west', region: '', zone: '', version: 'v2' },
      ...{ inFlight: 3, perSecond: 100, share: 0.25, latency: { p50: 4.2, p90: 7, p99: null }, buckets: [] },
    },
  ],
  coverage: [{ cluster: 'us-east', seconds: 10, newestAt: '2026-11-22T10:00:10.000Z', unreadProxies: 0 }],
};

it('shows rows by what was asked for', () => {
  expect(topLines(ANSWER, 'source,cluster,version')).toEqual([
    '10:00:10 UTC, the last 10 s',
    'FROM      CLUSTER   VERSION   REQ/S   SHARE   FAILED   RETRIES   ACTIVE   P50MS   P99MS',
    'us-east   us-west   v2        100.0   25.0%   0.50%    100       3        4.2     -',
  ]);
  expect(plainLines(ANSWER, 'version')).toEqual([
    '2026-11-22T10:00:10.000Z version=v2 req/s=100.0 share=25.0% failed=0.50% retries=100 active=3 p50ms=4.2 p99ms=-',
  ]);
});

it('says what is not known, and never takes it for nothing', () => {
  const silent = { cluster: 'us-west', seconds: 0, unreadProxies: 2 };
  expect(topLines({ ...ANSWER, rows: [], coverage: [...ANSWER.coverage, silent] }, 'service')).toEqual([
    '10:00:10 UTC, the last 10 s',
    'us-west: 0 of 10 s are known',
    'us-west: 2 proxies do not tell what was counted',
    'nothing is known to have been called',
  ]);
  expect(topLines({ ...ANSWER, rows: [] }, 'service').at(-1)).toBe('nothing was called');
  expect(topLines({ ...ANSWER, rows: [], coverage: [] }, 'service')[1]).toContain('no cluster has joined');
});
