/** A real Envoy whose token ends: it comes back with the one that took its place in the file, and is sent nothing that it has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import { afterEach, expect, it } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { edsCluster, loopbackEndpoints } from '../../../../test/kit/ads-resources.ts';
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
  const store = new SnapshotStore();
  store.apply([edsCluster('a', '1s'), loopbackEndpoints('a', [8_080])].map((put) => ({ layer: 'sidecar', put })));
  let attached = 0;
  agent = await startAdsAgent({
    store,
    onAttach: () => {
      attached += 1;
    },
  });
  writeFileSync(tokenFile, await agent.token({ ttlMs: SHORT_MS }));
  const identity = ['--cluster', agent.cluster, '--name', 'reviews-1', '--namespace', 'bookinfo', '--service-account', 'reviews'];
  const where = ['--address', ADDRESS, '--agent', `127.0.0.1:${agent.server().port}`, '--token-file', tokenFile];
  wrapper = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), 'proxy', 'run', ...identity, ...where], {
    env: { ...process.env, HAWSER_STATE_DIR: folder },
    stdio: 'ignore',
  });
  await eventually(() => attached === 1, 'the proxy does not come', 60_000);
  await eventually(async () => (await stat('cluster_manager.active_clusters')) === 4, 'the proxy does not have its upstream', 60_000);
  writeFileSync(tokenFile, await agent.token());
  await eventually(() => attached === 2, 'the proxy does not come again', 60_000);
  await eventually(async () => (await stat('control_plane.connected_state')) === 1, 'the proxy is not connected', 60_000);
  expect([await stat('cluster_manager.cluster_modified'), await stat('cluster.a.warming_state')]).toEqual([0, 0]);
  expect(agent.attached.size).toBe(1);
}, 180_000);

async function stat(name: string): Promise<number> {
  const text = await fetch(`http://${ADDRESS}:15000/stats?filter=^${name.replaceAll('.', '\\.')}$`).then(
    (answer) => answer.text(),
    () => '',
  );
  return Number(text.trim().split(': ')[1] ?? Number.NaN);
}
