import type { FleetAnswer, ProxiesAnswer } from '@hawser/wire/hub-api.ts';
import { expect, it } from 'vitest';
import { clusterFindings, hubFindings, proxiesFound } from './check-command.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const hub = { revision: 7, published: 7 } as FleetAnswer['hub'];
const cluster = (name: string, changes: object) =>
  ({
    name,
    state: 'KNOWN',
    ready: true,
    revision: 7,
    lastHeardAt: '2026-01-01T00:00:50Z',
    warnings: [],
    ...changes,
  }) as unknown as FleetAnswer['clusters'][number];

it('tells of each part of the hub', () => {
  const parts = [
    { name: 'database', ready: true },
    { name: 'bus', ready: false, problem: 'NATS is not connected' },
  ];
  expect(hubFindings({ parts }, { hub: { ...hub, revision: 9 } }).map(({ level, what }) => `${level} ${what}`)).toEqual([
    'ok hub database',
    'fail hub bus',
    'warn hub outbox',
  ]);
});

it('tells of each cluster, with its warnings', () => {
  const clusters = [
    cluster('a', {}),
    cluster('b', { state: 'STALE' }),
    cluster('c', { state: 'UNKNOWN' }),
    cluster('d', { ready: false }),
    cluster('e', { revision: 5, warnings: [{ at: '', place: 'x.yaml', message: 'is cut short' }] }),
  ];
  expect(clusterFindings({ hub, clusters } as FleetAnswer, NOW).map(({ level, what, message }) => `${level} ${what} ${message}`)).toEqual([
    'ok cluster a heard 10s ago, at revision 7',
    expect.stringMatching(/^fail cluster b .*silent for 10s/),
    expect.stringMatching(/^fail cluster c .*never heard/),
    expect.stringMatching(/^warn cluster d .*starting/),
    expect.stringMatching(/^warn cluster e .*2 revisions behind/),
    'warn cluster e x.yaml: is cut short',
  ]);
});

it('tells of proxies that refuse or wait', () => {
  const proxies = [
    { cluster: 'a', proxy: 'well', types: { CDS: { state: 'SYNCED' } } },
    { cluster: 'a', proxy: 'ill', types: { RDS: { state: 'NACKED', error: 'no such cluster' } } },
  ] as unknown as ProxiesAnswer['proxies'];
  expect(proxiesFound({ proxies }).map(({ level, what }) => `${level} ${what}`)).toEqual(['ok proxies', 'fail proxy a/ill']);
});
