/** Certificates are renewed while a real Envoy serves with them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, loopbackEndpoints, routeTo, tlsListener } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { newConnections, oneConnection, type TlsAnswer, tlsGet } from '../../../../test/kit/tls-get.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';

/** Renewals that must be seen in handshakes. */
const RENEWALS = 8;
const DEADLINE_MS = 40_000;
let upstream: Server;
let agent: TestAdsAgent;
let envoy: TestEnvoy;

beforeAll(async () => {
  upstream = createServer((_request, response) => response.end('reached'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => upstream.close(resolve)));

afterEach(async () => {
  await envoy.stop();
  await agent.stop();
});

/** Starts an Envoy whose certificate is renewed several times a second. */
async function start(variant: 'DELTA_GRPC' | 'GRPC'): Promise<number> {
  const port = await freePort();
  const store = new SnapshotStore();
  const resources = [edsCluster('a', '1s'), loopbackEndpoints('a', [(upstream.address() as AddressInfo).port]), routeTo('r', 'a')];
  store.apply([...resources, tlsListener('l', 'r', { port })].map((put) => ({ layer: 'sidecar', put })));
  agent = await startAdsAgent({ store, renewEveryMs: 150 });
  const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
  const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
  envoy = await startEnvoy({ xdsPort: agent.server().port, token: await agent.token(), node, variant });
  await envoy.untilStat('listener_manager.workers_started', (value) => value === 1);
  await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
  return port;
}

describe.each(['DELTA_GRPC', 'GRPC'] as const)('an Envoy that speaks %s', (variant) => {
  test('case 34: certificates are renewed under load: no handshake fails, and old connections live on', async () => {
    const port = await start(variant);
    const [each, kept] = [newConnections(agent.authority.trustBundle), oneConnection(agent.authority.trustBundle)];
    const onKept: TlsAnswer[] = [];
    const serials = new Set<string | undefined>();
    try {
      for (const end = Date.now() + DEADLINE_MS; serials.size <= RENEWALS && Date.now() < end; ) {
        const fresh = await tlsGet(port, each);
        expect(fresh.body).toBe('200 reached');
        serials.add(fresh.serialNumber);
        onKept.push(await tlsGet(port, kept));
      }
    } finally {
      kept.destroy();
    }
    expect(serials.size).toBeGreaterThan(RENEWALS);
    expect(new Set(onKept.map(({ body, localPort }) => `${body} from ${localPort}`)).size).toBe(1);
    expect(new Set(onKept.map(({ serialNumber }) => serialNumber)).size).toBe(1);
    expect(await envoy.stat(`listener.127.0.0.1_${port}.ssl.connection_error`)).toBe(0);
    expect(await envoy.stat(`listener.127.0.0.1_${port}.ssl.handshake`)).toBeGreaterThan(RENEWALS);
  }, 60_000);
});
