/** A root and an intermediate are replaced while a real Envoy serves with their certificates. */
import { X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, loopbackEndpoints, routeTo, tlsListener } from '../../../../test/kit/ads-resources.ts';
import { startEnvoy, type TestEnvoy } from '../../../../test/kit/envoy.ts';
import { freePort } from '../../../../test/kit/ports.ts';
import { newConnections, tlsGet } from '../../../../test/kit/tls-get.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { followAuthority } from '../trust/follow-authority.ts';
import type { RotationOrder } from '../trust/rotation.ts';

const DEADLINE_MS = 40_000;
let upstream: Server;
let agent: TestAdsAgent;
let envoy: TestEnvoy;
let port: number;
let bundles: number;
let stopFollowing: () => Promise<void>;

beforeAll(async () => {
  upstream = createServer((_request, response) => response.end('reached'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => upstream.close(resolve)));

beforeEach(async () => {
  port = await freePort();
  const store = new SnapshotStore();
  const resources = [edsCluster('a', '1s'), loopbackEndpoints('a', [(upstream.address() as AddressInfo).port]), routeTo('r', 'a')];
  store.apply([...resources, tlsListener('l', 'r', { port })].map((put) => ({ layer: 'sidecar', put })));
  agent = await startAdsAgent({ store });
  bundles = 0;
  const { authority, certificates: identities } = agent;
  stopFollowing = followAuthority({ authority, identities, onBundle: () => (bundles += 1), onChange: () => undefined });
  const workload = { namespace: 'bookinfo', serviceAccount: 'reviews', cluster: agent.cluster };
  const node = { role: 'sidecar', address: '127.0.0.1', name: 'reviews-1', ...workload };
  envoy = await startEnvoy({ xdsPort: agent.server().port, token: await agent.token(), node });
  await envoy.untilStat('listener_manager.workers_started', (value) => value === 1);
  await envoy.untilStat('listener_manager.total_listeners_active', (value) => value >= 1);
});

afterEach(async () => {
  await envoy.stop();
  await stopFollowing();
  await agent.stop();
});

const step = (phase: RotationOrder['phase'], kind: RotationOrder['kind'] = 'root', rotation = 'one'): Promise<void> =>
  agent.authority.apply({ rotation, kind, phase });

/** Handshakes, each with the bundle of the moment, until all proxies hold certificates of the active generation. */
async function callsUntilSettled(): Promise<number> {
  const end = Date.now() + DEADLINE_MS;
  for (let calls = 1; Date.now() < end; calls += 1) {
    const answer = await tlsGet(port, newConnections(agent.authority.trustBundle));
    expect(answer.body).toBe('200 reached');
    const { onActive, onOld } = agent.authority.account().identities;
    if (onActive === 1 && onOld === 0) return calls;
  }
  throw new Error(`not settled: ${JSON.stringify(agent.authority.account().identities)}`);
}

/** Does something, and finds that what leaves may not yet: an Envoy that stands still acknowledges nothing meanwhile. */
async function retireIsRefusedAfter(change: () => Promise<void>): Promise<void> {
  envoy.kill('SIGSTOP');
  try {
    await change();
    await expect(step('retire')).rejects.toThrow(/proxies hold certificates of the root .* that are good until .* and were not replaced/);
  } finally {
    envoy.kill('SIGCONT');
  }
}

const failures = async (): Promise<number> => (await envoy.stat(`listener.127.0.0.1_${port}.ssl.connection_error`)) ?? -1;
const listenerUpdates = async (): Promise<number> => (await envoy.stat('listener_manager.lds.update_success')) ?? -1;

describe('a rotation', () => {
  test('of the root: no handshake fails, the proxy acknowledges the new one before the old one may leave', async () => {
    await callsUntilSettled();
    const [old] = agent.authority.trustBundle;
    const before = await listenerUpdates();
    await step('prepare');
    expect([agent.authority.trustBundle.length, bundles]).toEqual([2, 1]);
    await retireIsRefusedAfter(() => step('activate'));
    await callsUntilSettled();
    await step('taint');
    await step('retire');
    expect(agent.authority.trustBundle).toHaveLength(1);
    expect(agent.authority.trustBundle).not.toContain(old);
    await callsUntilSettled();
    expect([bundles, await failures(), await listenerUpdates()]).toEqual([2, 0, before]);
    await expect(tlsGet(port, newConnections([old ?? '']))).rejects.toThrow();
  }, 120_000);

  test('of an intermediate: leaves come with it, are believed by the same root, and nobody needs another bundle', async () => {
    await callsUntilSettled();
    for (const phase of ['prepare', 'activate'] as const) await step(phase, 'intermediate');
    await callsUntilSettled();
    const issued = await agent.authority.issue({ namespace: 'bookinfo', serviceAccount: 'reviews' });
    const chain = issued.certificateChainPem.split(/(?<=-----END CERTIFICATE-----)\n/).filter((pem) => pem !== '');
    const [leaf, intermediate, root] = [...chain, ...agent.authority.trustBundle].map((pem) => new X509Certificate(pem));
    expect([chain.length, leaf?.checkIssued(intermediate as X509Certificate)]).toEqual([2, true]);
    expect(intermediate?.verify((root as X509Certificate).publicKey)).toBe(true);
    expect(intermediate?.raw.toString('hex')).toContain('30060101ff020100');
    // Name constraints, critical: permitted [0], URI [6].
    const constraint = Buffer.from('us-east.hawser');
    expect(intermediate?.raw.toString('hex')).toContain(
      `86${constraint.length.toString(16).padStart(2, '0')}${constraint.toString('hex')}`,
    );
    for (const phase of ['taint', 'retire'] as const) await step(phase, 'intermediate');
    await step('prepare', 'intermediate', 'two');
    await step('activate', 'intermediate', 'two');
    await callsUntilSettled();
    expect([bundles, await failures()]).toEqual([0, 0]);
  }, 120_000);

  test('rolled back: the proxy is on the old root again, and the new one leaves only then', async () => {
    await callsUntilSettled();
    const [old] = agent.authority.trustBundle;
    await step('prepare');
    await step('activate');
    await callsUntilSettled();
    await retireIsRefusedAfter(() => step('rollback'));
    await callsUntilSettled();
    await step('retire');
    expect(agent.authority.trustBundle).toEqual([old]);
    await callsUntilSettled();
    expect(await failures()).toBe(0);
  }, 120_000);

  test('that another process ordered is followed from the folder, and an emergency waits for nobody', async () => {
    await callsUntilSettled();
    const { openAuthority } = await import('../trust/open-authority.ts');
    const other = await openAuthority(agent.agentDir, agent.authority.trustDomain, { replica: 'other' });
    const [old] = agent.authority.trustBundle;
    await other.apply({ rotation: 'stolen', kind: 'root', phase: 'retire', emergency: true });
    await expect.poll(() => agent.authority.trustBundle, { timeout: DEADLINE_MS }).toEqual(other.trustBundle);
    expect(other.trustBundle).not.toContain(old);
    await expect.poll(() => agent.authority.account().identities, { timeout: DEADLINE_MS }).toMatchObject({ onActive: 1, onOld: 0 });
    await expect
      .poll(() => tlsGet(port, newConnections(other.trustBundle)).then(({ body }) => body, String), { timeout: DEADLINE_MS })
      .toBe('200 reached');
  }, 120_000);
});
