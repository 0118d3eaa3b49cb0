/** Much for one real Envoy, and an Envoy that stands still: what it costs the agent, and what the Envoy has in the end. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { XdsType } from '@hawser/wire/messages.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent, type TestAdsAgentOptions } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, endpointsAt, rdsListener, routeTo } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

const MANY = 10_000;
const MIB = 1024 * 1024;
const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'LDS', 'RDS'];
let agent: TestAdsAgent;
let envoy: TestEnvoy;
let store: SnapshotStore;

afterEach(async () => {
  await envoy.stop();
  await agent.stop();
});

function put(...resources: XdsResource[]): void {
  store.apply(resources.map((resource) => ({ layer: 'sidecar', put: resource })));
}

/** Endpoints of cluster `a`, on addresses of 127.0.0.0/8. */
function endpoints(count: number, port = 8_080): XdsResource {
  const places = Array.from({ length: count }, (_, index) => ({ address: `127.1.${index >> 8}.${index & 255}`, port }));
  return endpointsAt('a', places);
}

async function start(variant: 'DELTA_GRPC' | 'GRPC', options: Partial<TestAdsAgentOptions> = {}): Promise<void> {
  store = new SnapshotStore();
  put(
    edsCluster('a', '1s'),
    endpoints(1),
    edsCluster('b', '1s'),
    endpointsAt('b', []),
    rdsListener('l', 'r', await freePort()),
    routeTo('r', 'a'),
  );
  agent = await startAdsAgent({ store, ...options });
  const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
  const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
  envoy = await startEnvoy({ xdsPort: agent.server().port, token: await agent.token(), node, variant });
  await synced();
}

/** Everything that is served is accepted. */
async function synced(): Promise<void> {
  const states = (): unknown => TYPES.map((type) => agent.server().proxies()[0]?.types[type]?.state);
  await expect.poll(states, { timeout: 25_000, interval: 20 }).toEqual(['SYNCED', 'SYNCED', 'SYNCED', 'SYNCED']);
}

/** Responses of each type on the stream. */
function responses(): number[] {
  const stream = agent.server().streams.find('reviews-1');
  return TYPES.map((type) => stream?.machine.subscription(type).progress.responses ?? 0);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that are in use, in the heap and beside it. */
function used(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe.each(['DELTA_GRPC', 'GRPC'] as const)('an Envoy that speaks %s', (variant) => {
  test('10,000 endpoints of one service arrive, and so does one less', async () => {
    await start(variant);
    put(endpoints(MANY));
    await synced();
    expect(await envoy.stat('cluster.a.membership_total')).toBe(MANY);
    put(endpoints(MANY - 1));
    await synced();
    expect(await envoy.stat('cluster.a.membership_total')).toBe(MANY - 1);
    expect(await envoy.stat('cluster.a.update_rejected')).toBe(0);
  }, 60_000);

  test('case 36: an Envoy that is stopped under 10,000 updates costs no memory, and catches up with one push of each type', async () => {
    await start(variant);
    const large = endpoints(MANY);
    const before = { memory: used(), responses: responses() };
    envoy.kill('SIGSTOP');
    for (let update = 0; update < MANY; update += 1) {
      // Every fiftieth has bytes of its own, which is 48 MB in all; making those of the others would take too long.
      put({ ...large, version: `v${update}`, bytes: update % 50 === 0 ? Uint8Array.from(large.bytes) : large.bytes });
      if (update % 1_000 === 0) put(routeTo('r', update % 2_000 === 0 ? 'b' : 'a'));
    }
    const stopped = responses();
    // What is free may be given back a little later.
    await expect.poll(() => (used() - before.memory) / MIB, { timeout: 20_000 }).toBeLessThan(20);
    expect(stopped.map((count, index) => count - (before.responses[index] ?? 0))).toEqual([0, 1, 0, 1]);
    put(endpoints(1, 9_003));
    envoy.kill('SIGCONT');
    await synced();
    expect(responses().map((count, index) => count - (stopped[index] ?? 0))).toEqual([0, 1, 0, 1]);
    const dump = await envoy.configDump();
    expect(dump).toContain('"port_value": 9003');
    expect(dump).toContain('"cluster": "a"');
  }, 60_000);

  test('rule 6: a proxy that answers no ping is let go, and is served when it is back', async () => {
    await start(variant, { keepalive: { timeMs: 500, timeoutMs: 1_000 } });
    envoy.kill('SIGSTOP');
    await expect.poll(() => agent.attached.size, { timeout: 20_000 }).toBe(0);
    expect(agent.server().streams.all.size).toBe(0);
    put(endpoints(2));
    envoy.kill('SIGCONT');
    await envoy.untilStat('cluster.a.membership_total', (value) => value === 2);
    await synced();
  }, 60_000);
});
