import type { CalledWorkload, PlainCallersAccount } from '@hawser/wire/strict-readiness.ts';
import { expect, it } from 'vitest';
import { strictReadiness } from './strict-readiness.ts';

const NOW = Date.parse('2026-01-01T02:00:00Z');
const HOUR = 3_600_000;
const time = (ms: number): string => new Date(ms).toISOString();
const port = { port: 9080, services: ['bookinfo/reviews'], callers: [], omitted: 0 };
const caller = { way: 'passed' as const, address: '10.0.0.9', count: 3, open: 0, lastSeen: time(NOW - 1_000) };

const workload = (changes: Partial<CalledWorkload> = {}): CalledWorkload => ({
  ...{ namespace: 'bookinfo', name: 'reviews-1', address: '10.0.0.1', captured: true },
  ...{ since: time(NOW - 2 * HOUR), readAt: time(NOW - 1_000), ports: [port] },
  ...changes,
});
const account = (workloads: CalledWorkload[], changes: Partial<PlainCallersAccount> = {}): PlainCallersAccount => ({
  ...{ now: time(NOW), workloads, omitted: 0, bare: [] },
  ...changes,
});

it('is ready when every sidecar was watched for the whole window and nobody came', () => {
  const answer = strictReadiness([{ cluster: 'east', accounts: [account([workload()])] }], HOUR);
  expect(answer).toMatchObject({ ready: true, clusters: [{ cluster: 'east', state: 'ready' }], workloads: [{ state: 'ready' }] });
});

it.each([
  ['nobody answered', { accounts: [], problem: 'its agent is silent' }],
  ['one agent of two answered', { accounts: [account([workload()])], problem: 'no answer' }],
  ['its sidecar was never read', { accounts: [account([workload({ since: undefined, readAt: undefined } as never)])] }],
  ['its sidecar is read no more', { accounts: [account([workload({ readAt: time(NOW - 60_000) })])] }],
  ['it was watched for a part of it', { accounts: [account([workload({ since: time(NOW - HOUR / 2) })])] }],
  ['some are not in the answer', { accounts: [account([workload()], { omitted: 3 })] }],
])('is unknown, and not ready, when %s', (_why, accounts) => {
  const answer = strictReadiness([{ cluster: 'east', ...accounts }], HOUR);
  expect(answer).toMatchObject({ ready: false, clusters: [{ state: 'unknown', reason: expect.stringMatching(/./) }] });
});

it('names who would be cut off, whatever else is not known', () => {
  const called = workload({
    since: time(NOW - 60_000),
    ports: [
      { ...port, callers: [caller] },
      { ...port, port: 9090 },
    ],
  });
  const answer = strictReadiness([{ cluster: 'east', accounts: [account([called])], problem: 'no answer of another' }], HOUR);
  expect(answer).toMatchObject({ ready: false, clusters: [{ state: 'plain', reason: 'no answer of another' }] });
  expect(answer.workloads[0]).toMatchObject({ state: 'plain', ports: [{ state: 'plain' }, { state: 'unknown' }] });
});

it('takes an endpoint for bare when none of the agents has its sidecar', () => {
  const bare = [
    { address: '10.0.0.1', services: ['bookinfo/reviews'] },
    { address: '10.0.0.7', services: ['bookinfo/ratings'] },
  ];
  const answer = strictReadiness([{ cluster: 'east', accounts: [account([workload()]), account([], { bare })] }], HOUR);
  expect(answer.bare).toEqual([{ cluster: 'east', ...bare[1] }]);
});
