/** An agent that starts when hub, PostgreSQL, NATS and every other agent are dead: its proxies get the last good state, real processes all. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { serviceFile } from '../kit/federation.ts';
import { damageOf, HawserProcesses, type RunningCluster, versionsIn } from '../kit/hawser-processes.ts';
import { account } from '../kit/totals.ts';

const [OLD, NEW] = ['127.85.3.10', '127.85.3.20'] as const;
const [NEAR, FAR] = ['127.85.3.11', '127.85.4.11'] as const;
const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec: {hosts: [reviews], http: [{timeout: 7s, route: [{destination: {host: reviews}}]}]}
`;

describe('an agent that starts alone', () => {
  const hawser = new HawserProcesses();
  const listeners = [NEAR, FAR].map((address) => createServer((socket) => socket.destroy()).listen(9080, address));
  let east: RunningCluster;
  let west: RunningCluster;

  /** The hub's revision in the last good state on disk. */
  const saved = (): number | undefined => {
    const text = readFileSync(join(agentFolder(join(hawser.folder, '.hawser'), 'us-east'), 'last-known-good.0'), 'utf8');
    return (JSON.parse(text.slice(text.indexOf('\n'))) as { moment?: { revision: number } }).moment?.revision;
  };

  beforeAll(async () => {
    await hawser.startHub();
    [east, west] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', [NEAR]) }),
      hawser.join('us-west', { 'reviews.yaml': serviceFile('reviews', [FAR]) }),
    ]);
  }, 90_000);
  afterAll(async () => {
    await hawser.stop();
    for (const listener of listeners) listener.close();
  });

  it('serves what it served last, to old proxies without a push and to new ones in full', { timeout: 90_000 }, async () => {
    const old = await east.sidecar(OLD);
    await until(
      async () => (await old.configDump()).includes(`${FAR}:`),
      () => 'the proxy never had the remote endpoint',
    );
    const applied = await hawser.run(['apply', '-f', '-', '--wait', '-o', 'json', '--allow-unresolved'], { input: ROUTE });
    expect(applied).toMatchObject({ status: 0 });
    const { results } = JSON.parse(applied.stdout) as { results: readonly { revision: number }[] };
    await until(
      () => saved() === results[0]?.revision,
      () => `the policy of revision ${results[0]?.revision} is not on disk`,
    );
    const given = await versionsIn(old);
    expect(given.length).toBeGreaterThan(3);

    await Promise.all([hawser.hub?.end('SIGTERM'), west.agent.end('SIGKILL'), east.agent.end('SIGKILL')]);
    await expect(hawser.api('/livez')).rejects.toThrow();
    await east.startAgain();

    const fresh = await east.sidecar(NEW);
    await until(
      async () => (await fresh.configDump()).includes(`${FAR}:`),
      () => 'the new proxy never had the remote endpoint',
    );
    await until(
      async () => (await fresh.configDump()).includes('"timeout": "7s"'),
      () => 'the new proxy never had the policy',
    );
    expect(await fresh.configDump()).toContain(`"${NEAR}"`);
    await old.untilStat('control_plane.connected_state', (state) => state === 1);
    expect(await versionsIn(old)).toEqual(given);
    const damages = [await damageOf(old), await damageOf(fresh)];
    account({ pushes: given.length, emptyPushes: damages.filter((damage) => Object.keys(damage).length > 0).length });
    expect(damages).toEqual([{}, {}]);
  });
});
