/** Two agents over real NATS: one whose cluster's gateways speak for its workloads, and one that calls them. */
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT } from '@hawser/model/gateway-identity.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { seal } from '@hawser/wire/envelope.ts';
import { FLEET_PREFIX, shardKey } from '@hawser/wire/subjects.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEnvoy, type TestEnvoy } from '../kit/envoy.ts';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';
import { jsonOf } from '../kit/golden-case.ts';

const EDS = 'outbound|80||reviews.bookinfo.svc.clusterset.local';
const [HERE, THERE] = ['us-east', 'us-west'] as const;
/** As callers name the endpoint to the gateway. */
const named = (address: string) => Buffer.from(`envoy://workloads|80.reviews.bookinfo/${address}:15006`).toString('base64');
const STRICT: Resource = {
  ...{ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: { namespace: 'bookinfo', name: 'strict' } },
  spec: { mtls: { mode: 'STRICT' } },
};

/** Where a gateway leads what is for a workload. */
const plain = (address: string) => `"${address}:9080"`;

const served = (agent: RunningAgent): string => Buffer.from(agent.store.get('sidecar', 'EDS', EDS)?.bytes ?? []).toString('latin1');

const gatewayText = (agent: RunningAgent): string =>
  Buffer.from(agent.store.get('gateway', 'EDS', 'inbound|80|reviews.bookinfo')?.bytes ?? []).toString('latin1');

describe('a cluster in gateway mode', () => {
  let federation: TestFederation;
  let agents: readonly [here: RunningAgent, there: RunningAgent];
  const gateways: TestEnvoy[] = [];

  /** Starts a gateway of the first cluster, and waits until it leads to its workload. */
  const startGateway = async (address: string): Promise<TestEnvoy> => {
    const who = { cluster: HERE, namespace: GATEWAY_NAMESPACE, serviceAccount: GATEWAY_SERVICE_ACCOUNT };
    const token = await mintProxyToken({ agentDir: federation.cluster(HERE).member.agentDir, ...who });
    const node = { ...who, role: 'gateway', address, name: `gateway-${address}` };
    const gateway = await startEnvoy({ xdsPort: agents[0].xdsPort, token, node });
    gateways.push(gateway);
    await vi.waitFor(async () => expect(await gateway.configDump()).toContain(plain('127.79.1.11')), { timeout: 10_000 });
    return gateway;
  };
  /** What callers are told of an endpoint, from now on. */
  const told = (address: string): { readonly health: readonly string[]; stop(): void } => {
    const [, there] = agents;
    const health: string[] = [];
    const stop = there.store.subscribe(() => {
      const resource = there.store.get('sidecar', 'EDS', EDS);
      const text = resource === undefined ? '' : JSON.stringify(jsonOf(resource));
      const found = new RegExp(`"${address.replaceAll('.', '\\.')}:15006".*?"health_status":"(\\w+)"`).exec(text);
      if (found?.[1] !== undefined) health.push(found[1]);
    });
    return { health, stop };
  };
  beforeAll(async () => {
    federation = await startFederation([HERE, THERE]);
    federation.cluster(HERE).put('reviews.yaml', serviceFile('reviews', ['127.79.1.11']));
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.11']));
    await Promise.all([federation.configure(HERE, 1, [STRICT]), federation.configure(THERE, 1, [STRICT])]);
    agents = await Promise.all([federation.cluster(HERE).start({ gatewayMode: true }), federation.cluster(THERE).start()]);
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await federation.stop();
  });

  it('is called through its gateways, by itself and by others; others are called as ever', async () => {
    for (const agent of agents) {
      await vi.waitFor(() => expect(served(agent)).toContain('127.79.2.11'), { timeout: 10_000 });
      await vi.waitFor(() => expect(served(agent)).toContain(named('127.79.1.11')), { timeout: 10_000 });
      expect(served(agent)).not.toContain(named('127.79.2.11'));
      expect(agent.store.get('sidecar', 'CDS', `tunnel|${HERE}`)).toBeDefined();
    }
    const [here, there] = agents;
    expect(here.store.get('gateway', 'LDS', 'workloads|80.reviews.bookinfo')).toBeDefined();
    expect(there.store.get('gateway', 'LDS', 'workloads|80.reviews.bookinfo')).toBeUndefined();
  });

  it('has a new workload called once its gateways know it', async () => {
    const [here] = agents;
    const { health, stop } = told('127.79.1.12');
    federation.cluster(HERE).put('reviews.yaml', serviceFile('reviews', ['127.79.1.11', '127.79.1.12']));
    await vi.waitFor(() => expect(health.at(-1)).toBe('HEALTHY'), { timeout: 10_000 });
    stop();
    expect(health[0]).toBe('DRAINING');
    expect(gatewayText(here)).toContain('127.79.1.12');
  });

  it('has it called once all of several gateways know it, and waits for one that is slow', async () => {
    const [first, second] = [await startGateway('127.79.1.1'), await startGateway('127.79.1.2')];
    const { health, stop } = told('127.79.1.13');
    second.kill('SIGSTOP');
    federation.cluster(HERE).put('reviews.yaml', serviceFile('reviews', ['127.79.1.11', '127.79.1.12', '127.79.1.13']));
    await vi.waitFor(async () => expect(await first.configDump()).toContain(plain('127.79.1.13')), { timeout: 10_000 });
    // Longer than callers wait where every gateway answers.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(health.at(-1)).toBe('DRAINING');
    second.kill('SIGCONT');
    await vi.waitFor(() => expect(health.at(-1)).toBe('HEALTHY'), { timeout: 10_000 });
    for (const gateway of gateways) expect(await gateway.configDump()).toContain(plain('127.79.1.13'));
    stop();
  });

  it('names the namespaces whose PeerAuthentication nobody enforces, and no other cluster does', async () => {
    const [here, there] = agents.map((agent) => () => agent.world().warnings.filter(({ place }) => place === 'gateway-mode'));
    await vi.waitFor(() => expect(here?.()).toHaveLength(1), { timeout: 10_000 });
    expect(here?.()[0]?.message).toContain('STRICT is not enforced for workloads without a sidecar in bookinfo');
    expect(there?.()).toEqual([]);
  });

  it('is not believed in an address that is none, which no Envoy would take', async () => {
    const [here] = agents;
    const bus = await federation.nats.clusterBus(THERE);
    const tell = (service: string, address: string, revision: number) => {
      const key = shardKey('bookinfo', service);
      const shard = {
        cluster: THERE,
        namespace: 'bookinfo',
        service,
        exported: true,
        ports: [{ port: 80, protocol: 'http' }],
        endpoints: [],
      };
      const endpoint = { address, targetPorts: { '80': 80 }, labels: {}, serviceAccount: 'x', health: 'HEALTHY', bare: true };
      const document = {
        protocol: 1,
        from: THERE,
        to: '*',
        key,
        epoch: 1,
        revision,
        part: 0,
        parts: 1,
        body: { ...shard, bare: [endpoint] },
      };
      return bus.request(`${FLEET_PREFIX}.${THERE}.${key}`, seal(document, federation.cluster(THERE).member.signer), { timeoutMs: 5_000 });
    };
    await tell('odd', 'nowhere.example', 2 ** 45);
    await tell('even', '127.79.2.31', 2 ** 45 + 1);
    const has = (service: string) => here.store.get('sidecar', 'EDS', EDS.replace('reviews', service)) !== undefined;
    await vi.waitFor(() => expect(has('even')).toBe(true), { timeout: 10_000 });
    expect(has('odd')).toBe(false);
  });
});
