/** A real Envoy that is told who it is as the sidecar of a Pod is, and whose token ends: it comes back with the one that took its place in the file, and is sent nothing that it has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { startCountingAgent, statAt } from '../../../../test/kit/renewing-agent.ts';
import { eventually } from '../../../../test/kit/served.ts';

const ADDRESS = `127.80.101.${10 + Math.floor(Math.random() * 200)}`;
/** Ends while the proxy runs; the next one does not. */
const SHORT_MS = 8_000;

let agent: TestAdsAgent | undefined;
let wrapper: ChildProcess | undefined;
let folder = '';

afterEach(async () => {
  wrapper?.kill('SIGKILL');
  await agent?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('a stream that ends with its token is opened again with the renewed one, and nothing is pushed', async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-renewal-'));
  const tokenFile = join(folder, 'token');
  const { agent: started, attached } = await startCountingAgent();
  agent = started;
  writeFileSync(tokenFile, await agent.token({ ttlMs: SHORT_MS, name: 'reviews-1.bookinfo' }));
  writeFileSync(join(folder, 'labels'), 'app="reviews"\n');
  const pod = {
    ...{ HAWSER_CLUSTER: agent.cluster, HAWSER_AGENT: `localhost:${agent.server().port}`, HAWSER_AGENT_CA_PEM: agent.authority.doorBundle },
    ...{ HAWSER_POD_NAME: 'reviews-1', HAWSER_POD_NAMESPACE: 'bookinfo', HAWSER_SERVICE_ACCOUNT: 'reviews', HAWSER_POD_IP: ADDRESS },
    ...{ HAWSER_POD_LABELS_FILE: join(folder, 'labels'), HAWSER_PROXY_TOKEN_FILE: tokenFile, HAWSER_STATE_DIR: folder },
  };
  wrapper = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), 'proxy', 'run'], {
    env: { ...process.env, ...pod },
    stdio: 'ignore',
  });
  await eventually(() => attached() === 1, 'the proxy does not come', 60_000);
  await eventually(
    async () => (await statAt(ADDRESS, 'cluster_manager.active_clusters')) === 4,
    'the proxy does not have its upstream',
    60_000,
  );
  writeFileSync(tokenFile, await agent.token({ name: 'reviews-1.bookinfo' }));
  await eventually(() => attached() === 2, 'the proxy does not come again', 60_000);
  await eventually(async () => (await statAt(ADDRESS, 'control_plane.connected_state')) === 1, 'the proxy is not connected', 60_000);
  expect([await statAt(ADDRESS, 'cluster_manager.cluster_modified'), await statAt(ADDRESS, 'cluster.a.warming_state')]).toEqual([0, 0]);
  expect([...agent.attached.values()]).toMatchObject([{ name: 'reviews-1.bookinfo', address: ADDRESS, labels: { app: 'reviews' } }]);
}, 180_000);
