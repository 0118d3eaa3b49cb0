/** What an agent says of its own endpoints, as another agent hears it: checks, drains, and the brake on sudden losses. */
import { mkdirSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';

const [HERE, THERE] = ['us-east', 'us-west'] as const;
const LIVE = '127.79.61.11';

/** Address → health of the service's endpoints in a cluster, as an agent knows them. */
async function healthAt(agent: RunningAgent, cluster: string): Promise<Record<string, string>> {
  const answer = await fetch(`http://127.0.0.1:${agent.adminPort}/debug/world`);
  const { shards } = (await answer.json()) as { shards: Record<string, EndpointShard[]> };
  const shard = shards['bookinfo/reviews']?.find((one) => one.cluster === cluster);
  return Object.fromEntries((shard?.endpoints ?? []).map(({ address, health }) => [address, health]));
}

/** Looks again after each change of what the agent serves, until the condition holds. */
async function until(agent: RunningAgent, condition: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const changed = new Promise<void>((resolve) => {
      const stop = agent.store.subscribe(() => {
        stop();
        resolve();
      });
    });
    if (await condition()) return;
    await changed;
  }
}

const ready = (agent: RunningAgent): Promise<void> => new Promise((resolve) => agent.loop.onReady(resolve));

describe('the own endpoints', () => {
  let federation: TestFederation;
  let here: RunningAgent;
  let there: RunningAgent;
  const servers: Server[] = [];
  const listen = async (address: string): Promise<Server> => {
    const server = createServer((socket) => socket.on('error', () => undefined).destroy());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(9080, address, resolve));
    return server;
  };
  const start = async (
    addresses: readonly string[],
    options: { readonly checkMs?: number; readonly now?: () => number } = {},
  ): Promise<void> => {
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', addresses));
    await Promise.all([federation.configure(HERE, 1), federation.configure(THERE, 1)]);
    [here, there] = await Promise.all([federation.cluster(HERE).start(), federation.cluster(THERE).start(options)]);
    await Promise.all([ready(here), ready(there)]);
    await until(here, async () => Object.keys(await healthAt(here, THERE)).length === addresses.length);
  };

  beforeEach(async () => {
    federation = await startFederation([HERE, THERE]);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    await federation.stop();
  });

  it('are UNHEALTHY elsewhere when nothing listens any more, and HEALTHY when it does again', async () => {
    const server = await listen(LIVE);
    await start([LIVE], { checkMs: 50 });
    expect(await healthAt(here, THERE)).toEqual({ [LIVE]: 'HEALTHY' });
    server.close();
    await until(here, async () => (await healthAt(here, THERE))[LIVE] === 'UNHEALTHY');
    await listen(LIVE);
    await until(here, async () => (await healthAt(here, THERE))[LIVE] === 'HEALTHY');
  });

  it('drain by the word of their own proxy alone', async () => {
    await start([LIVE]);
    const drain = async (token: string, address: string): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${there.adminPort}/proxies/drain`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'reviews-1', address }),
      });
      return answer.status;
    };
    const { agentDir } = federation.cluster(THERE).member;
    const mint = (serviceAccount: string, name = 'reviews-1') =>
      mintProxyToken({ agentDir, cluster: THERE, namespace: 'bookinfo', serviceAccount, name });
    expect(await drain('nonsense', LIVE)).toBe(401);
    expect(await drain(await mint('details'), LIVE)).toBe(401);
    expect(await drain(await mint('default', 'other'), LIVE)).toBe(401);
    expect(await drain(await mint('default'), '127.79.61.99')).toBe(401);
    expect(await healthAt(there, THERE)).toEqual({ [LIVE]: 'HEALTHY' });
    expect(await drain(await mint('default'), LIVE)).toBe(200);
    await until(here, async () => (await healthAt(here, THERE))[LIVE] === 'DRAINING');
  });

  it('are not lost to a registry that came back empty, until an operator says so', async () => {
    const addresses = Array.from({ length: 12 }, (_, i) => `127.79.61.${i + 20}`);
    // In a moment without end: losses are believed after 3 s, which a busy machine can make of this test.
    await start(addresses, { now: () => 0 });
    const { registryDir } = federation.cluster(THERE);
    renameSync(registryDir, `${registryDir}.old`);
    mkdirSync(registryDir);
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.61.90']));
    await until(here, async () => '127.79.61.90' in (await healthAt(here, THERE)));
    expect(Object.keys(await healthAt(here, THERE))).toHaveLength(13);
    const answer = await fetch(`http://127.0.0.1:${there.adminPort}/brake/confirm`, { method: 'POST' });
    expect(await answer.json()).toEqual({ confirmedEndpoints: 12 });
    await until(here, async () => Object.keys(await healthAt(here, THERE)).join() === '127.79.61.90');
  });
});
