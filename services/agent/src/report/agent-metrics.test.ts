import { createRegistry } from '@hawser/runtime/metrics.ts';
import { METRICS } from '@hawser/runtime/metrics-catalogue.ts';
import { expect, it } from 'vitest';
import { injectionReviews } from '../inject/start-injection.ts';
import { registerMulticlusterMetrics } from '../multicluster/follow-multicluster.ts';
import { registerTrafficMetrics } from '../traffic/start-traffic.ts';
import { makeRoot } from '../trust/ca-certificates.ts';
import { createXdsMetrics } from '../xds/xds-metrics.ts';
import { registerAgentMetrics } from './agent-metrics.ts';
import { registerTrustMetrics } from './trust-metrics.ts';

it('are those of the catalogue, no more and no fewer, with real values', async () => {
  const registry = createRegistry('agent');
  const xds = createXdsMetrics(registry);
  const at = Date.now();
  const endpoint = { address: '10.0.0.1', targetPorts: {}, labels: {}, serviceAccount: 'default' };
  const shard = { cluster: 'us-west', namespace: 'b', service: 's', exported: true, ports: [] };
  const endpoints = [
    { ...endpoint, health: 'HEALTHY' as const },
    { ...endpoint, health: 'HEALTHY' as const },
  ];
  registerAgentMetrics(registry, {
    ...{ ready: () => true, busConnected: () => false, busReconnects: () => 3, proxies: () => 4, revision: () => 9 },
    ends: () => ({ credentials: at + 3_600_000, root: at + 7_200_000 }),
    ...{ heldLosses: () => 2, brakeHolds: () => 5, publishes: () => true },
    shards: () => new Map([['b/s', new Map([['us-west', { ...shard, endpoints }]])]]),
    peers: () => [{ cluster: 'us-west', state: 'KNOWN', lastHeardAt: new Date(at - 5_000).toISOString(), endpoints: 2 }],
  });
  const root = await makeRoot('us-east.hawser');
  const view = { id: 'x', kind: 'root', state: 'active', origin: 'made', subject: '', root: 'x', notBefore: '' } as const;
  const account = {
    generations: [{ ...view, notAfter: new Date(at + 60_000).toISOString() }],
    identities: { onActive: 4, onOld: 1, missing: ['p'] },
  };
  registerTrustMetrics(registry, {
    authority: { account: () => account, active: 'x', trustBundle: [root.certificate] },
    identities: { firstEnd: at + 30_000 },
  });
  registerTrafficMetrics(registry, { series: () => 7, unread: () => 0 });
  injectionReviews(registry);
  registerMulticlusterMetrics(registry, { writer: { counts: { done: 6, failed: 1 }, waiting: 2 } });
  xds.nacks.inc({ type: 'RDS' });
  const text = await registry.metrics();
  const names = [...text.matchAll(/^# TYPE (agent_\S+) /gm)].map(([, name]) => name);
  expect(names.sort()).toEqual(Object.keys(METRICS).filter((name) => name.startsWith('agent_')));
  const value = (sample: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${sample} `))
        ?.slice(sample.length),
    );
  expect([value('agent_held_endpoints'), value('agent_brake_holds_total'), value('agent_bus_reconnects_total')]).toEqual([2, 5, 3]);
  expect(value('agent_endpoints{cluster="us-west",health="HEALTHY"}')).toBe(2);
  expect([value('agent_multicluster_writes_total'), value('agent_multicluster_write_failures_total')]).toEqual([6, 1]);
  expect(value('agent_xds_nacks_total{type="RDS"}')).toBe(1);
  expect(value('agent_shard_age_seconds{cluster="us-west"}')).toBeGreaterThanOrEqual(5);
  expect([value('agent_identities{generation="active"}'), value('agent_identities{generation="old"}')]).toEqual([4, 1]);
  const ends = ['workload', 'signer', 'root'].map((of) => value(`agent_certificate_expiry_seconds{of="${of}"}`));
  expect(ends).toEqual([...ends].sort((a, b) => a - b));
  // The first of them to end decides.
  expect(value('agent_autonomy_seconds')).toBeCloseTo(value('agent_validity_seconds{of="credentials"}'), 0);
  expect(value('agent_validity_seconds{of="root"}')).toBeGreaterThan(value('agent_autonomy_seconds'));
});
