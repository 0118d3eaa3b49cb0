/** A real Envoy whose stream breaks at the worst moment: it is warming a cluster and has not got the endpoints for it. */
import { afterEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { type AdsRelay, startAdsRelay } from '../../../../test/kit/ads-relay.ts';
import { edsCluster, loopbackEndpoints, rdsListener, routeTo } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { typeUrlOf } from './type-urls.ts';

let agent: TestAdsAgent;
let relay: AdsRelay;
let envoy: TestEnvoy;

afterEach(async () => {
  await envoy.stop();
  relay.stop();
  await agent.stop();
});

describe.each(['DELTA_GRPC', 'GRPC'] as const)('an Envoy that speaks %s', (variant) => {
  test('case 32: a cluster whose endpoints were lost with the stream is warm as soon as there is another', async () => {
    const store = new SnapshotStore();
    const resources = [edsCluster('a', '1s'), loopbackEndpoints('a', [8_080]), rdsListener('l', 'r', await freePort()), routeTo('r', 'a')];
    store.apply(resources.map((put) => ({ layer: 'sidecar', put })));
    agent = await startAdsAgent({ store });
    relay = await startAdsRelay(() => agent.server().port, await agent.token());
    const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
    const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
    envoy = await startEnvoy({ xdsPort: relay.port, token: 'unused', node, variant });
    await envoy.untilStat('listener_manager.total_listeners_active', (value) => value === 1);
    relay.loses = (response) => response.includes(typeUrlOf('EDS'));
    store.apply([{ layer: 'sidecar', put: edsCluster('a', '2s') }]);
    await envoy.untilStat('cluster_manager.warming_clusters', (value) => value === 1);
    relay.loses = () => false;
    relay.cut();
    await envoy.untilStat('cluster_manager.warming_clusters', (value) => value === 0);
    expect(await envoy.stat('cluster.a.init_fetch_timeout')).toBe(0);
    expect(await envoy.stat('cluster.a.membership_total')).toBe(1);
    expect(await envoy.configDump()).toContain('"connect_timeout": "2s"');
  }, 60_000);
});
