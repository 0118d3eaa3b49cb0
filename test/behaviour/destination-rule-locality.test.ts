/** DestinationRule: regions. Here a cluster is a region of its own; tunnels lead from one to another. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig } from './kit/rig.ts';

const CLUSTERS = ['east', 'west', 'south'];
const at = (cluster: string, version: string, host: number) => ({
  name: `${cluster}-${version}`,
  ...{ service: 'bookinfo/reviews', cluster, labels: { version, tier: version === 'v1' ? 'gold' : 'tin' }, at: host },
});
const workloads = CLUSTERS.flatMap((cluster) => [at(cluster, 'v1', 21), at(cluster, 'v2', 22)]);
const behaviour = behavioursOf({ net: 50, clusters: CLUSTERS, workloads });

const DEAD_EAST = { 'east-v1': 'UNHEALTHY', 'east-v2': 'UNHEALTHY' } as const;

async function locality(rig: Rig, localityLbSetting: unknown, more: Parameters<Rig['policies']>[0] = []): Promise<void> {
  await rig.policies([policy('DestinationRule', { host: 'reviews', trafficPolicy: { loadBalancer: { localityLbSetting } } }), ...more]);
}

/** Share of the answers by region. */
async function regions(rig: Rig, count = 60): Promise<Record<string, number>> {
  const { by } = await rig.tally(count);
  const shares: Record<string, number> = {};
  for (const [name, answers] of Object.entries(by)) {
    const region = name.split('-')[0] ?? '';
    shares[region] = (shares[region] ?? 0) + answers / count;
  }
  return shares;
}

behaviour(
  'DR-050',
  'trafficPolicy.loadBalancer.localityLbSetting.distribute',
  'requests are divided by the shares for the caller’s region',
  async (rig) => {
    await locality(rig, {
      distribute: [
        { from: 'west', to: { south: 100 } },
        { from: 'east/*', to: { east: 70, west: 30 } },
      ],
    });
    const shares = await regions(rig, 400);
    expect(shares['west']).toBeGreaterThan(0.22);
    expect(shares['west']).toBeLessThan(0.38);
    expect(shares['south']).toBeUndefined();
  },
);

behaviour(
  'DR-051',
  'trafficPolicy.loadBalancer.localityLbSetting.distribute.to',
  'shares alone: a region without one gets nothing, even in need',
  async (rig) => {
    await rig.health(DEAD_EAST);
    await locality(rig, { distribute: [{ from: 'east', to: { east: 100 } }] });
    expect(Object.keys(await regions(rig)).filter((region) => region !== '' && region !== 'east')).toEqual([]);
    await rig.health({});
  },
);

behaviour(
  'DR-052',
  'trafficPolicy.loadBalancer.localityLbSetting.failover',
  'with shares and an order, who has no share stands in by the order',
  async (rig) => {
    const both = { distribute: [{ from: 'east', to: { east: 100 } }], failover: [{ from: 'east', to: 'south' }] };
    await locality(rig, both);
    expect(await regions(rig)).toEqual({ east: expect.closeTo(1) });
    await rig.health(DEAD_EAST);
    expect(await regions(rig)).toEqual({ south: expect.closeTo(1) });
    await rig.health({});
  },
);

behaviour(
  'DR-053',
  'trafficPolicy.loadBalancer.localityLbSetting.failover.to',
  'the region named for the caller’s takes over',
  async (rig) => {
    await locality(rig, { failover: [{ from: 'east', to: 'west' }] });
    expect(await regions(rig)).toEqual({ east: expect.closeTo(1) });
    await rig.health(DEAD_EAST);
    expect(await regions(rig)).toEqual({ west: expect.closeTo(1) });
    await locality(rig, { failover: [{ from: 'east', to: 'south' }] });
    expect(await regions(rig)).toEqual({ south: expect.closeTo(1) });
    await rig.health({});
  },
);

behaviour(
  'DR-054',
  'trafficPolicy.loadBalancer.localityLbSetting.failoverPriority',
  'endpoints that agree in more labels come first',
  async (rig) => {
    await locality(rig, { failoverPriority: ['tier=gold', 'topology.kubernetes.io/region'] });
    expect((await rig.tally(30)).by).toEqual({ 'east-v1': 30 });
    await rig.health({ 'east-v1': 'UNHEALTHY' });
    const { by } = await rig.tally(60);
    expect(Object.keys(by).sort()).toEqual(['south-v1', 'west-v1']);
    await rig.health({});
  },
);

behaviour('DR-055', 'trafficPolicy.loadBalancer.localityLbSetting.failoverPriority', 'cluster and network are labels too', async (rig) => {
  await locality(rig, { failoverPriority: ['topology.istio.io/cluster=south'] });
  expect(await regions(rig)).toEqual({ south: expect.closeTo(1) });
  await locality(rig, { failoverPriority: ['topology.istio.io/network'] });
  expect(await regions(rig)).toEqual({ east: expect.closeTo(1) });
});

behaviour('DR-056', 'trafficPolicy.loadBalancer.localityLbSetting.enabled', 'false: near and far are one', async (rig) => {
  await locality(rig, { enabled: false });
  const shares = await regions(rig, 120);
  for (const region of CLUSTERS) expect(shares[region]).toBeGreaterThan(0.15);
});

behaviour(
  'DR-057',
  'trafficPolicy.loadBalancer.localityLbSetting.failover',
  'a FailoverPolicy for the service goes before it',
  async (rig) => {
    const ours = policy('FailoverPolicy', { services: ['reviews'], order: ['south', 'west'] });
    await locality(rig, { failover: [{ from: 'east', to: 'west' }] }, [ours]);
    await rig.health(DEAD_EAST);
    expect(await regions(rig)).toEqual({ south: expect.closeTo(1) });
    await rig.health({});
  },
);

behaviour(
  'DR-058',
  'trafficPolicy.loadBalancer.localityLbSetting.distribute',
  'a TrafficShift of the service goes before it',
  async (rig) => {
    const ours = policy('TrafficShift', { services: ['reviews'], regions: { south: 100 } });
    await locality(rig, { distribute: [{ from: 'east', to: { west: 100 } }] }, [ours]);
    expect(await regions(rig)).toEqual({ south: expect.closeTo(1) });
  },
);

behaviour(
  'DR-059',
  'trafficPolicy.connectionPool.tcp.tcpKeepalive',
  'what a rule says of connections holds through tunnels as well',
  async (rig) => {
    const tcp = { tcpKeepalive: { time: '30s' }, connectTimeout: '3s', maxConnections: 50 };
    const loadBalancer = { localityLbSetting: { failoverPriority: ['topology.istio.io/cluster=west'] } };
    await rig.policies([policy('DestinationRule', { host: 'reviews', trafficPolicy: { connectionPool: { tcp }, loadBalancer } })]);
    expect(await regions(rig)).toEqual({ west: expect.closeTo(1) });
  },
);

behaviour(
  'DR-060',
  'trafficPolicy.loadBalancer.consistentHash.httpHeaderName',
  'equal headers lead to one endpoint of another region too',
  async (rig) => {
    const loadBalancer = {
      consistentHash: { httpHeaderName: 'x-user' },
      localityLbSetting: { distribute: [{ from: 'east', to: { west: 50, south: 50 } }] },
    };
    await rig.policies([policy('DestinationRule', { host: 'reviews', trafficPolicy: { loadBalancer } })]);
    expect(Object.keys((await rig.tally(20, { headers: { 'x-user': 'jason' } })).by)).toHaveLength(1);
    const many = await Promise.all(Array.from({ length: 40 }, (_, user) => rig.call({ headers: { 'x-user': `u${user}` } })));
    expect(new Set(many.map(({ servedBy }) => servedBy.split('-')[0]))).toEqual(new Set(['west', 'south']));
  },
);
