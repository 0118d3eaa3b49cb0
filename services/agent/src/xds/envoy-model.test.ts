/** Random changes of clusters, endpoints and routes against a real Envoy: at rest its configuration is the model's. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, loopbackEndpoints, rdsListener, routeTo } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { histories, SEED } from '../../../../test/kit/random-histories.ts';
import type { Change } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const NAMES = ['a', 'b', 'c'] as const;
let agent: TestAdsAgent;
let envoy: TestEnvoy;

afterEach(async () => {
  await envoy.stop();
  await agent.stop();
});

/** Cluster → its timeout and port, and where the route goes. */
interface Model {
  readonly clusters: Readonly<Record<string, string>>;
  readonly route: string;
}

const step = fc
  .record({
    present: fc.subarray([...NAMES], { minLength: 1 }),
    seconds: fc.integer({ min: 1, max: 4 }),
    port: fc.integer({ min: 2_001, max: 2_004 }),
  })
  .chain((record) => fc.record({ record: fc.constant(record), route: fc.constantFrom(...record.present) }));

function changesTo({ record, route }: { record: { present: string[]; seconds: number; port: number }; route: string }): Change[] {
  const gone = NAMES.filter((name) => !record.present.includes(name));
  const removals = gone.flatMap((name) => (['CDS', 'EDS'] as const).map((type): Change => ({ layer: 'sidecar', remove: { type, name } })));
  const puts = record.present.flatMap((name) => [edsCluster(name, `${record.seconds}s`), loopbackEndpoints(name, [record.port])]);
  return [...removals, ...[...puts, routeTo('r', route)].map((put): Change => ({ layer: 'sidecar', put }))];
}

interface Dump {
  readonly configs: readonly {
    readonly dynamic_active_clusters?: readonly { cluster: { name: string; connect_timeout: string } }[];
    readonly dynamic_warming_clusters?: readonly unknown[];
    readonly dynamic_endpoint_configs?: readonly {
      endpoint_config: {
        cluster_name: string;
        endpoints?: { lb_endpoints?: { endpoint: { address: { socket_address: { port_value: number } } } }[] }[];
      };
    }[];
    readonly dynamic_route_configs?: readonly { route_config: { virtual_hosts: { routes: { route: { cluster: string } }[] }[] } }[];
  }[];
}

/** What Envoy has, in the model's terms. */
async function dumped(): Promise<Model> {
  const { configs } = JSON.parse(await envoy.configDump()) as Dump;
  const ports = new Map(
    configs
      .flatMap((config) => config.dynamic_endpoint_configs ?? [])
      .map(({ endpoint_config: { cluster_name: name, endpoints } }) => [
        name,
        endpoints?.flatMap((group) => group.lb_endpoints ?? []).map(({ endpoint }) => endpoint.address.socket_address.port_value),
      ]),
  );
  const active = configs.flatMap((config) => config.dynamic_active_clusters ?? []);
  const clusters = active.map(({ cluster }) => [cluster.name, `${cluster.connect_timeout} ${ports.get(cluster.name)?.join()}`]);
  const routes = configs.flatMap((config) => config.dynamic_route_configs ?? []);
  const route = routes
    .flatMap((each) => each.route_config.virtual_hosts.flatMap((host) => host.routes.map((one) => one.route.cluster)))
    .join();
  return { clusters: Object.fromEntries(clusters), route };
}

describe.each(['DELTA_GRPC', 'GRPC'] as const)('an Envoy that speaks %s', (variant) => {
  test('has in the end what is served, after each of many random changes', async () => {
    const store = new SnapshotStore();
    store.apply([
      { layer: 'sidecar', put: rdsListener('l', 'r', await freePort()) },
      ...changesTo({ record: { present: ['a'], seconds: 1, port: 2_001 }, route: 'a' }),
    ]);
    agent = await startAdsAgent({ store });
    const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: 'us-east' };
    const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
    envoy = await startEnvoy({ xdsPort: agent.server().port, token: await agent.token(), node, variant });
    await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
    for (const burst of fc.sample(fc.array(step, { minLength: 1, maxLength: 5 }), histories(12))) {
      // Several changes at once: those in the middle may never be sent, the last must arrive.
      for (const each of burst) store.apply(changesTo(each));
      const last = burst.at(-1);
      if (last === undefined) throw new Error('an empty burst');
      const { present, seconds, port } = last.record;
      const clusters = Object.fromEntries(present.map((name) => [name, `${seconds}s ${port}`]));
      const message = `seed ${SEED}: ${JSON.stringify(burst)}`;
      await expect.poll(dumped, { timeout: 20_000, interval: 30, message }).toEqual({ clusters, route: last.route });
    }
    expect(await envoy.stat('cluster_manager.cds.update_rejected')).toBe(0);
  }, 60_000);
});
