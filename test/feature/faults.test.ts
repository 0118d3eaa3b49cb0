/** What can go wrong on an agent's side (RELIABILITY 6.2), with real NATS: whatever happens, nobody acts on what its owner did not say last. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attacker } from '../kit/attacker.ts';
import { type FaultProxy, startFaultProxy } from '../kit/fault-proxy.ts';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';
import { eventually, ready, servedBy, versionsOf } from '../kit/served.ts';
import { Watched } from '../kit/watched.ts';

const [HERE, THERE] = ['us-east', 'us-west'] as const;
const route = (seconds: number): Resource => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews', namespace: 'bookinfo' },
  spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }], timeout: `${seconds}s` }] },
});

describe('an agent', { timeout: 120_000 }, () => {
  let federation: TestFederation;
  let proxy: FaultProxy;
  let watched: Watched;
  const lines: string[] = [];
  let revision: number;

  const put = (cluster: string, service: string, addresses: readonly string[]): void => {
    watched.service(cluster, service, addresses);
    if (addresses.length > 0) federation.cluster(cluster).put(`${service}.yaml`, serviceFile(service, addresses));
    else rmSync(join(federation.cluster(cluster).registryDir, `${service}.yaml`));
  };
  const configure = async (policies: readonly Resource[]): Promise<void> => {
    revision += 1;
    watched.policy('reviews', policies[0]);
    await Promise.all([federation.configure(HERE, revision, policies), federation.configure(THERE, revision, policies)]);
  };
  const startBoth = async (heartbeatMs = 10_000): Promise<[RunningAgent, RunningAgent]> => {
    const natsUrl = `nats://127.0.0.1:${proxy.port}`;
    const both = await Promise.all([
      federation.cluster(HERE).start({ heartbeatMs }),
      federation.cluster(THERE).start({ heartbeatMs, natsUrl }),
    ]);
    await Promise.all(both.map(ready));
    for (const agent of both) watched.watch(agent);
    return both;
  };
  const converge = (what: string): Promise<void> => watched.converge(what, HERE, THERE);

  beforeEach(async () => {
    federation = await startFederation([HERE, THERE]);
    proxy = await startFaultProxy(Number(new URL(federation.nats.url).port));
    watched = new Watched();
    revision = 0;
    put(HERE, 'reviews', ['127.79.1.11']);
    put(THERE, 'reviews', ['127.79.2.11']);
    await configure([route(1)]);
  });
  afterEach(async () => {
    const breaches = watched.finish(HERE, THERE);
    const { totals } = watched.history;
    lines.push(watched.history.line());
    await federation.stop();
    await proxy.stop();
    expect(breaches).toEqual([]);
    expect(totals.observations).toBeGreaterThan(0);
  });
  afterAll(() => console.log(lines.join('\n')));

  it('obeys none of what is duplicated, replayed, flipped, foreign or late, on a slow link; a restart heals the stream', async () => {
    const [, there] = await startBoth();
    proxy.delayMs = 30;
    const admin = await federation.nats.adminBus();
    const attack = attacker(admin);
    for (let round = 0; round < 25; round += 1) {
      put(HERE, 'reviews', ['127.79.1.11', `127.79.1.${100 + round}`]);
      put(THERE, 'reviews', ['127.79.2.11', `127.79.2.${100 + round}`]);
      if (round % 4 === 0) await configure([route(2 + round)]);
      await attack.strike(5);
    }
    attack.stop();
    expect(attack.struck()).toBeGreaterThan(60);
    watched.history.attacked(attack.struck());
    await federation.republish();
    await there.stop();
    watched.watch(await federation.cluster(THERE).start({ natsUrl: `nats://127.0.0.1:${proxy.port}` }));
    put(THERE, 'reviews', ['127.79.2.12', '127.79.2.99']);
    put(HERE, 'reviews', ['127.79.1.12', '127.79.1.99']);
    await converge('after the storm');
    const late = await federation.cluster(THERE).start({ replica: 'late' });
    await ready(late);
    await eventually(() => servedBy(late).includes('127.79.1.12'), 'one that starts late cannot use the stream');
  });

  it('that was away for long has exactly what is, when it returns; until then its endpoints are kept, as stale', async () => {
    const [here, there] = await startBoth(300);
    put(HERE, 'details', ['127.79.1.31']);
    put(HERE, 'ratings', ['127.79.1.41']);
    put(THERE, 'ratings', ['127.79.2.41']);
    await converge('before');
    proxy.cut();
    await eventually(() => here.world().peers[0]?.state === 'STALE', 'a silent cluster is never stale');
    const [stale] = here.world().peers;
    expect(Date.parse(stale?.lastHeardAt ?? '')).toBeLessThan(Date.now() - 800);
    for (let change = 0; change < 60; change += 1) {
      put(HERE, 'reviews', [`127.79.1.${100 + change}`]);
      put(HERE, `service-${change}`, [`127.79.1.${100 + change}`]);
      if (change % 2 === 0) put(THERE, 'reviews', [`127.79.2.${100 + change}`]);
      if (change % 10 === 0) await configure(change === 50 ? [] : [route(10 + change)]);
      if (change % 3 === 0 && change > 0) put(HERE, `service-${change - 1}`, []);
    }
    put(HERE, 'ratings', []);
    expect(servedBy(here)).toContain('127.79.2.11');
    await eventually(() => !JSON.stringify(here.world().shards).includes('127.79.1.41'), 'the registry was not read');
    // The tombstone's life is over: only the digest can tell.
    const admin = await federation.nats.adminBus();
    const gone = { filter: 'hawser.fleet.us-east.shard.bookinfo.ratings' };
    await eventually(async () => {
      const answer = await admin.request('$JS.API.STREAM.PURGE.HAWSER_FLEET', Buffer.from(JSON.stringify(gone)), { timeoutMs: 5_000 });
      return Buffer.from(answer.bytes).toString().includes('"purged":1');
    }, 'there is no tombstone');
    expect(servedBy(there, 'ratings')).toContain('127.79.1.41');
    proxy.heal();
    await converge('after the return');
    await eventually(() => here.world().peers[0]?.state === 'KNOWN', 'it is never known again');
    expect(servedBy(there, 'ratings')).not.toContain('127.79.1.41');
  });

  it('keeps what everybody has while NATS loses everything, and has the last of it after', async () => {
    const [here, there] = await startBoth();
    await converge('before');
    const before = [versionsOf(here), versionsOf(there)];
    await federation.nats.restart({ wipe: true });
    expect([versionsOf(here), versionsOf(there)]).toEqual(before);
    await federation.keepStreams();
    put(HERE, 'reviews', ['127.79.1.12']);
    put(THERE, 'reviews', ['127.79.2.12']);
    await configure([route(9)]);
    await converge('after the loss');
  });

  it('holds a cluster that reports nothing at all until it says so again; a service scaled to none goes at once', async () => {
    let now = 0;
    const twelve = (third: number): string[] => Array.from({ length: 12 }, (_, i) => `127.79.${third}.${20 + i}`);
    put(HERE, 'details', twelve(11));
    put(HERE, 'ratings', ['127.79.1.41']);
    put(HERE, 'reviews', twelve(12));
    const [here, there] = await Promise.all([federation.cluster(HERE).start({ now: () => now }), federation.cluster(THERE).start()]);
    await Promise.all([here, there].map(ready));
    watched.watch(there);
    await watched.converge('before', THERE);
    put(HERE, 'ratings', []);
    await eventually(() => !servedBy(there, 'ratings').includes('127.79.1.41'), 'a legitimate removal is held');
    const files = federation.cluster(HERE);
    for (const service of ['details', 'reviews']) files.put(`${service}.yaml`, serviceFile(service, []));
    await eventually(async () => /^agent_held_endpoints 24$/m.test(await metricsOf(here)), 'not everything is held');
    expect(here.world().warnings.filter(({ place }) => place === 'brake')).toHaveLength(1);
    expect([servedBy(there, 'details').includes('127.79.11.31'), servedBy(there).includes('127.79.12.31')]).toEqual([true, true]);
    for (const service of ['details', 'reviews']) watched.service(HERE, service, []);
    now = 60_000;
    await eventually(() => !servedBy(there, 'details').includes('127.79.11'), 'what was confirmed does not go through');
    await watched.converge('after the confirmation', THERE);
    watched.watch(here);
  });

  it('whose disk takes nothing serves from memory and says so', async () => {
    const [here] = await startBoth();
    const blocked = join(federation.cluster(HERE).member.agentDir, 'last-known-good.next');
    rmSync(blocked, { force: true });
    mkdirSync(join(blocked, 'full'), { recursive: true });
    put(THERE, 'reviews', ['127.79.2.12']);
    await eventually(() => here.world().warnings.some(({ place }) => place === 'state'), 'nobody is told of the disk');
    await converge('with a full disk');
    rmSync(blocked, { recursive: true });
    await eventually(() => !here.world().warnings.some(({ place }) => place === 'state'), 'the warning stays');
  });
});

async function metricsOf(agent: RunningAgent): Promise<string> {
  return (await fetch(`http://127.0.0.1:${agent.adminPort}/metrics`)).text();
}
