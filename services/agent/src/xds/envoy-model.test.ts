/**
 * Random changes of clusters, endpoints and routes against a real Envoy, which refuses some, loses its connection or its agent
 * and stands still in between: at rest its configuration is the model's.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { type AdsRelay, startAdsRelay } from '../../../../test/kit/ads-relay.ts';
import { edsCluster, loopbackEndpoints, rdsListener, routeTo } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { histories, SEED } from '../../../../test/kit/random-histories.ts';
import type { Change } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const NAMES = ['a', 'b', 'c'] as const;
let agent: TestAdsAgent;
let relay: AdsRelay;
let envoy: TestEnvoy;

afterEach(async () => {
  await envoy.stop();
  relay.stop();
  await agent.stop();
});

/** Cluster → its timeout and port, and where the route goes. */
interface Model {
  readonly clusters: Readonly<Record<string, string>>;
  readonly route: string;
}

interface Step {
  readonly present: readonly string[];
  readonly seconds: number;
  readonly port: number;
  readonly route: string;
  /** A cluster that Envoy refuses. */
  readonly bad: string | undefined;
  /** What happens before the change. */
  readonly event: 'nothing' | 'cut' | 'restart' | 'stop' | 'continue';
}

const step: fc.Arbitrary<Step> = fc
  .record({
    present: fc.subarray([...NAMES], { minLength: 1 }),
    seconds: fc.integer({ min: 1, max: 4 }),
    port: fc.integer({ min: 2_001, max: 2_004 }),
    bad: fc.option(fc.constantFrom(...NAMES), { nil: undefined, freq: 4 }),
    event: fc.constantFrom('nothing', 'nothing', 'cut', 'restart', 'stop', 'continue'),
  })
  .chain((record) => fc.constantFrom(...record.present).map((route) => ({ ...record, route })));

function changesTo({ present, seconds, port, route, bad }: Step): Change[] {
  const gone = NAMES.filter((name) => !present.includes(name));
  const removals = gone.flatMap((name) => (['CDS', 'EDS'] as const).map((type): Change => ({ layer: 'sidecar', remove: { type, name } })));
  const puts = present.flatMap((name) => [
    edsCluster(name, name === bad ? `-${seconds}s` : `${seconds}s`),
    loopbackEndpoints(name, [port]),
  ]);
  return [...removals, ...[...puts, routeTo('r', route)].map((put): Change => ({ layer: 'sidecar', put }))];
}

async function happen(event: Step['event'], store: SnapshotStore): Promise<void> {
  if (event === 'cut') relay.cut();
  else if (event === 'restart') await agent.restart(store);
  else if (event === 'stop') envoy.kill('SIGSTOP');
  else if (event === 'continue') envoy.kill('SIGCONT');
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
  test(
    'has in the end what is served, after each of many random changes',
    async () => {
      const store = new SnapshotStore();
      store.apply([
        { layer: 'sidecar', put: rdsListener('l', 'r', await freePort()) },
        ...changesTo({ present: ['a'], seconds: 1, port: 2_001, route: 'a', bad: undefined, event: 'nothing' }),
      ]);
      agent = await startAdsAgent({ store });
      const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: 'us-east' };
      const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
      relay = await startAdsRelay(() => agent.server().port, await agent.token());
      envoy = await startEnvoy({ xdsPort: relay.port, token: 'the relay has one', node, variant });
      await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
      for (const burst of fc.sample(fc.array(step, { minLength: 1, maxLength: 5 }), histories(12))) {
        // Several changes at once: those in the middle may never be sent, the last must arrive, and is good.
        for (const each of burst) {
          await happen(each.event, store);
          store.apply(changesTo(each));
        }
        const last = burst.at(-1);
        if (last === undefined) throw new Error('an empty burst');
        store.apply(changesTo({ ...last, bad: undefined }));
        envoy.kill('SIGCONT');
        const { present, seconds, port } = last;
        const clusters = Object.fromEntries(present.map((name) => [name, `${seconds}s ${port}`]));
        const message = `seed ${SEED}: ${JSON.stringify(burst)}`;
        await expect.poll(dumped, { timeout: 20_000, interval: 30, message }).toEqual({ clusters, route: last.route });
      }
      // Nothing is refused for good.
      const states = (): string[] => Object.values(agent.server().proxies()[0]?.types ?? {}).map(({ state }) => state);
      await expect.poll(() => new Set(states()), { timeout: 20_000 }).toEqual(new Set(['SYNCED', 'NOT_SENT']));
    },
    60_000 * Number(process.env['HAWSER_RUNS'] ?? 1),
  );
});
