/** An agent that starts again with nothing but its disk, while its proxies run. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { serviceFile, startFederation, type TestFederation } from '../../../../test/kit/federation.ts';
import { eventually, ready, servedBy } from '../../../../test/kit/served.ts';
import type { RunningAgent } from '../agent.ts';
import { mintProxyToken } from '../trust/proxy-tokens.ts';

const [HERE, THERE] = ['us-east', 'us-west'] as const;
const SERVICES = ['reviews', 'ratings', 'details'];
const COUNTERS = [
  ...['cluster_manager.active_clusters', 'cluster_manager.cds.update_success', 'cluster_manager.cluster_removed'],
  ...['listener_manager.total_listeners_active', 'listener_manager.lds.update_success', 'listener_manager.listener_removed'],
];
let federation: TestFederation;
const envoys: TestEnvoy[] = [];

beforeEach(async () => {
  federation = await startFederation([HERE, THERE]);
  for (const [index, service] of SERVICES.entries()) {
    federation.cluster(HERE).put(`${service}.yaml`, serviceFile(service, [`127.79.1.${11 + index}`]));
    federation.cluster(THERE).put(`${service}.yaml`, serviceFile(service, [`127.79.2.${11 + index}`]));
  }
});

afterEach(async () => {
  await Promise.all(envoys.splice(0).map((envoy) => envoy.stop()));
  await federation.stop();
});

async function connect(agent: RunningAgent, variant: 'DELTA_GRPC' | 'GRPC'): Promise<TestEnvoy> {
  const name = `reviews-${variant.toLowerCase().replace('_', '-')}`;
  const address = variant === 'GRPC' ? '127.79.1.21' : '127.79.1.22';
  const identity = { cluster: HERE, namespace: 'bookinfo', serviceAccount: 'reviews' };
  const token = await mintProxyToken({ agentDir: federation.cluster(HERE).member.agentDir, ...identity });
  const envoy = await startEnvoy({ xdsPort: agent.xdsPort, token, node: { role: 'sidecar', address, name, ...identity }, variant });
  envoys.push(envoy);
  await envoy.untilStat('listener_manager.workers_started', (value) => value === 1);
  return envoy;
}

/** What a client has of clusters, listeners and endpoints, and how often it was told of them. */
async function seenBy(envoy: TestEnvoy): Promise<Record<string, unknown>> {
  const counters = COUNTERS.map(async (name) => [name, await envoy.stat(name)] as const);
  const lines = (await envoy.admin('/clusters')).split('\n');
  const endpoints = lines.filter((line) => line.startsWith('outbound') && line.endsWith('::weight::1')).sort();
  const told = (await envoy.admin('/stats?filter=^cluster.outbound.*update_success')).split('\n').sort();
  return { ...Object.fromEntries(await Promise.all(counters)), endpoints, told };
}

test('case 35: the agent starts again from its disk alone: no client sees a cluster, a listener or an endpoint less', async () => {
  await Promise.all([federation.configure(HERE, 1), federation.configure(THERE, 1)]);
  const [agent, there] = await Promise.all([federation.cluster(HERE).start(), federation.cluster(THERE).start()]);
  await Promise.all([agent, there].map(ready));
  const heard = (): boolean => SERVICES.every((service, index) => servedBy(agent, service).includes(`127.79.2.${11 + index}`));
  await eventually(heard, 'the agent does not hear of the other cluster');
  const clients = [await connect(agent, 'DELTA_GRPC'), await connect(agent, 'GRPC')];
  for (const envoy of clients) await envoy.untilStat('sds.identity.update_success', (value) => value === 1);
  const before = await Promise.all(clients.map(seenBy));
  for (const { endpoints } of before) expect(endpoints).toHaveLength(3 * SERVICES.length);
  await agent.stop();
  // Nobody is there to tell it anything: neither hub, nor bus, nor the other cluster.
  await there.stop();
  await federation.nats.kill9();
  await federation.cluster(HERE).start({ xdsPort: agent.xdsPort });
  for (const [index, envoy] of clients.entries()) {
    // Keys live in memory only: the new certificate tells that the client is back and everything is answered.
    await envoy.untilStat('sds.identity.update_success', (value) => value === 2);
    expect(await seenBy(envoy)).toEqual(before[index]);
  }
}, 90_000);
