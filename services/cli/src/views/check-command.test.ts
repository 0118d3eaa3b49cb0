import type { FleetAnswer, ProxiesAnswer } from '@hawser/wire/hub-api.ts';
import { expect, it } from 'vitest';
import { clusterFindings, hubFindings, proxiesFound } from './check-command.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const hub = { version: '0.1.0', revision: 7, published: 7 } as FleetAnswer['hub'];
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
    'ok hub version',
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

it('tells of versions, and warns of what ends within a fifth of its life', () => {
  const validity = (until: string) => [{ of: 'credentials', from: '2025-12-31T00:00:00Z', until }];
  const agents = [
    { replica: 'one', version: '0.1.0', validity: validity('2026-01-02T00:00:00Z') },
    { replica: 'two', version: '0.0.9', validity: validity('2026-01-01T04:00:00Z') },
    { replica: 'three', version: '0.1.0', validity: validity('2026-01-01T00:00:00Z') },
    { replica: 'four' },
  ];
  const findings = clusterFindings({ hub, clusters: [cluster('a', { agents })] } as FleetAnswer, NOW);
  expect(findings.slice(1).map(({ level, message }) => `${level} ${message}`)).toEqual([
    'ok agent one has version 0.1.0',
    'ok agent one: credentials good for 23h, until 2026-01-02T00:00:00Z',
    'warn agent two has version 0.0.9, the hub 0.1.0: bring them together',
    expect.stringMatching(/^warn agent two: credentials good for 3h59m, .*should have been renewed/),
    'ok agent three has version 0.1.0',
    expect.stringMatching(/^fail agent three: credentials ended 60s ago/),
    'ok agent four has version unknown',
  ]);
});

it('tells of proxies that refuse or wait', () => {
  const proxies = [
    { cluster: 'a', proxy: 'well', types: { CDS: { state: 'SYNCED' } } },
    { cluster: 'a', proxy: 'ill', types: { RDS: { state: 'NACKED', error: 'no such cluster' } } },
  ] as unknown as ProxiesAnswer['proxies'];
  expect(proxiesFound({ proxies }).map(({ level, what }) => `${level} ${what}`)).toEqual(['ok proxies', 'fail proxy a/ill']);
});
