/** Two agents of one cluster over real NATS: one publishes, both serve the same, and the other goes on when the first is gone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectAds } from '../kit/ads-client.ts';
import { type FaultProxy, startFaultProxy } from '../kit/fault-proxy.ts';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';
import { eventually, ready, servedBy, versionsOf } from '../kit/served.ts';
import { Watched } from '../kit/watched.ts';

const [HERE, THERE] = ['us-east', 'us-west'] as const;

describe('two agents of one cluster', { timeout: 120_000 }, () => {
  let federation: TestFederation;
  let first: RunningAgent;
  let second: RunningAgent;
  let there: RunningAgent;
  let watched: Watched;
  /** Between the first agent and NATS. */
  let proxy: FaultProxy;
  const lines: string[] = [];

  const put = (addresses: readonly string[]): void => {
    watched.service(HERE, 'reviews', addresses);
    federation.cluster(HERE).put('reviews.yaml', serviceFile('reviews', addresses));
  };

  beforeEach(async () => {
    federation = await startFederation([HERE, THERE]);
    watched = new Watched();
    put(['127.79.1.11']);
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.11']));
    await Promise.all([federation.configure(HERE, 1), federation.configure(THERE, 1)]);
    proxy = await startFaultProxy(Number(new URL(federation.nats.url).port));
    const natsUrl = `nats://127.0.0.1:${proxy.port}`;
    [first, there] = await Promise.all([federation.cluster(HERE).start({ natsUrl }), federation.cluster(THERE).start()]);
    await eventually(() => first.publishes, 'the first agent does not publish');
    second = await federation.cluster(HERE).start({ replica: 'second' });
    await Promise.all([first, second, there].map(ready));
    watched.watch(there);
    await eventually(() => [first, second, there].every((agent) => servedBy(agent).includes('127.79.2.11')), 'the federation is not whole');
  });
  afterEach(async () => {
    const breaches = watched.finish(THERE);
    lines.push(watched.history.line());
    await federation.stop();
    await proxy.stop();
    expect(breaches).toEqual([]);
  });
  afterAll(() => console.log(lines.join('\n')));

  const change = async (address: string): Promise<void> => {
    put(['127.79.1.11', address]);
    await eventually(
      () => servedBy(there).includes(address) && servedBy(first).includes(address) && servedBy(second).includes(address),
      `${address} is not served`,
    );
  };

  it('serve identical resources; a proxy that connects to the other is sent nothing that it has', async () => {
    await change('127.79.1.12');
    expect([first.publishes, second.publishes]).toEqual([true, false]);
    expect(versionsOf(second)).toEqual(versionsOf(first));
    const identity = { cluster: HERE, namespace: 'bookinfo', serviceAccount: 'reviews' };
    const token = await mintProxyToken({ agentDir: federation.cluster(HERE).member.identityDir, ...identity });
    const node = { ...identity, role: 'sidecar', name: 'reviews-1', address: '127.79.1.11' };
    const one = connectAds({ port: first.xdsPort, token, node });
    one.send('CDS', { subscribe: ['*'] });
    const given = await one.next();
    expect(Object.keys(given.versions).length).toBeGreaterThan(0);
    await one.close();
    const other = connectAds({ port: second.xdsPort, token, node });
    other.send('CDS', { subscribe: ['*'], versions: given.versions });
    other.send('LDS', { subscribe: ['*'] });
    expect((await other.next()).type).toBe('LDS');
    await other.close();
  });

  it('hand over at once when the publisher stops, and the next one goes on above its revisions', async () => {
    await change('127.79.1.12');
    // A standby's own counter is far behind, as after many changes of the first.
    const stopping = first.stop();
    await eventually(() => second.publishes, 'the second agent does not take over');
    await stopping;
    put(['127.79.1.13']);
    await eventually(() => servedBy(there).includes('127.79.1.13') && !servedBy(there).includes('127.79.1.12'), 'the change never came');
    const again = await federation.cluster(HERE).start();
    await ready(again);
    expect([again.publishes, second.publishes]).toEqual([false, true]);
    // What it lost while it was down is held until its registry has said so twice.
    await eventually(() => versionsOf(again).join() === versionsOf(second).join(), 'the two never serve the same');
  });

  it('agree again after NATS lost everything: one publishes, nothing is removed meanwhile', async () => {
    await federation.nats.restart({ wipe: true });
    let removed = false;
    const stop = there.store.subscribe(() => {
      removed ||= !servedBy(there).includes('127.79.1.11');
    });
    put(['127.79.1.11', '127.79.1.14']);
    await federation.keepStreams();
    await eventually(() => servedBy(there).includes('127.79.1.14'), 'the change never came');
    stop();
    expect(removed).toBe(false);
    expect([first.publishes, second.publishes].filter(Boolean)).toHaveLength(1);
  });

  it('go on above each other also when one was cut off, and comes back alone to an empty store', async () => {
    await change('127.79.1.12');
    proxy.cut();
    await eventually(() => second.publishes, 'nobody takes over');
    for (let count = 0; count < 30; count += 1) {
      put([`127.79.1.${100 + count}`]);
      await eventually(() => servedBy(there).includes(`127.79.1.${100 + count}`), 'the second one does not publish');
    }
    await federation.nats.kill9();
    await second.stop();
    put(['127.79.1.200']);
    await federation.nats.restart({ wipe: true });
    await federation.keepStreams();
    proxy.heal();
    await eventually(() => first.publishes && watched.history.converged(THERE), 'what it says now is taken for older than what was lost');
    expect(servedBy(there)).toContain('127.79.1.200');
  });

  it('drain a proxy by whichever of them it tells', async () => {
    const identity = { cluster: HERE, namespace: 'bookinfo', serviceAccount: 'default' };
    const token = await mintProxyToken({ agentDir: federation.cluster(HERE).member.identityDir, ...identity });
    const answer = await fetch(`http://127.0.0.1:${second.adminPort}/proxies/drain`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'reviews-1', address: '127.79.1.11' }),
    });
    expect(answer.status).toBe(200);
    await eventually(async () => {
      const world = await (await fetch(`http://127.0.0.1:${there.adminPort}/debug/world`)).text();
      return world.includes('"health":"DRAINING"');
    }, 'the other cluster never heard of the drain');
  });

  it('have a state each and keys together', () => {
    const [one, two] = ['', 'second'].map((replica) => join(federation.folder, replica, 'agents', HERE));
    expect(existsSync(join(two ?? '', 'ca'))).toBe(false);
    expect(existsSync(join(one ?? '', 'ca'))).toBe(true);
    expect(readFileSync(join(one ?? '', 'replica'), 'utf8')).not.toBe(readFileSync(join(two ?? '', 'replica'), 'utf8'));
  });
});
