/** A real Envoy whose agent has another root at once: it knows the agent again by the bundle that took the place of the old one in its file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import { startCountingAgent, statAt } from '../../../../test/kit/renewing-agent.ts';
import { eventually } from '../../../../test/kit/served.ts';

const ADDRESS = `127.80.102.${10 + Math.floor(Math.random() * 200)}`;

let agent: TestAdsAgent | undefined;
let wrapper: ChildProcess | undefined;
let folder = '';

afterEach(async () => {
  wrapper?.kill('SIGKILL');
  await agent?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('a proxy that runs believes its agent by the roots that its file has now, and is sent nothing that it has', async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-agent-ca-'));
  const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.pem')];
  const { agent: started, store, attached } = await startCountingAgent();
  agent = started;
  writeFileSync(tokenFile, await agent.token());
  writeFileSync(caFile, agent.authority.doorBundle);
  const who = ['--cluster', agent.cluster, '--name', 'reviews-1', '--namespace', 'bookinfo', '--service-account', 'reviews'];
  const where = ['--address', ADDRESS, '--token-file', tokenFile, '--agent', `127.0.0.1:${agent.server().port}`, '--agent-ca', caFile];
  wrapper = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), 'proxy', 'run', ...who, ...where], {
    env: { ...process.env, HAWSER_STATE_DIR: folder },
    stdio: 'ignore',
  });
  await eventually(
    async () => (await statAt(ADDRESS, 'cluster_manager.active_clusters')) === 4,
    'the proxy does not have its upstream',
    60_000,
  );
  const before = agent.authority.doorBundle;
  await agent.authority.apply({ rotation: 'stolen', kind: 'root', phase: 'retire', emergency: true });
  expect(agent.authority.doorBundle).not.toContain(before.trim());
  await agent.restart(store);
  await eventually(
    async () => (await statAt(ADDRESS, 'cluster.xds.ssl.fail_verify_error')) > 0,
    'the new root is believed unasked',
    60_000,
  );
  expect(attached()).toBe(1);
  writeFileSync(caFile, agent.authority.doorBundle);
  await eventually(() => attached() === 2, 'the proxy does not come again', 60_000);
  await eventually(async () => (await statAt(ADDRESS, 'control_plane.connected_state')) === 1, 'the proxy is not connected', 60_000);
  expect([await statAt(ADDRESS, 'cluster_manager.cluster_modified'), await statAt(ADDRESS, 'cluster.a.warming_state')]).toEqual([0, 0]);
}, 180_000);
