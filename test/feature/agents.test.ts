/** Two agents in one process over real NATS, without a hub: what one discovers is what the other serves, whatever is dead. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { seal } from '@hawser/wire/envelope.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { FLEET_PREFIX, shardKey } from '@hawser/wire/subjects.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';

const EDS = 'outbound|80||reviews.bookinfo.svc.clusterset.local';
const [HERE, THERE] = ['us-east', 'us-west'] as const;

/** The text of an encoded assignment: it holds the addresses in clear. */
const served = (agent: RunningAgent): string => Buffer.from(agent.store.get('sidecar', 'EDS', EDS)?.bytes ?? []).toString('latin1');

/** Resolves when the agent serves an assignment that satisfies the condition. */
function until(agent: RunningAgent, condition: (assignment: string) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!condition(served(agent))) return;
      stop();
      resolve();
    };
    const stop = agent.store.subscribe(look);
    look();
  });
}

const ready = (agent: RunningAgent): Promise<void> => new Promise((resolve) => agent.loop.onReady(resolve));
/** Versions of everything in the shared layers. */
const versions = (agent: RunningAgent): string[] =>
  (['LDS', 'RDS', 'CDS', 'EDS'] as const).flatMap((type) =>
    (['sidecar', 'gateway'] as const).flatMap((layer) =>
      [...agent.store.all(layer, type).values()].map((one) => `${layer} ${type} ${one.name} ${one.version}`),
    ),
  );

describe('two agents', () => {
  let federation: TestFederation;
  beforeEach(async () => {
    federation = await startFederation([HERE, THERE]);
    federation.cluster(HERE).put('reviews.yaml', serviceFile('reviews', ['127.79.1.11']));
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.11']));
  });
  afterEach(() => federation.stop());

  const startBoth = async (): Promise<[RunningAgent, RunningAgent]> => {
    await Promise.all([federation.configure(HERE, 1), federation.configure(THERE, 1)]);
    const both = await Promise.all([federation.cluster(HERE).start(), federation.cluster(THERE).start()]);
    await Promise.all(both.map(ready));
    await Promise.all(both.map((agent) => until(agent, (text) => text.includes('127.79.1.11') && text.includes('127.79.2.11'))));
    return both;
  };

  it('see each other, and each change of a registry file', async () => {
    const [here, there] = await startBoth();
    expect(here.loop.moment).toEqual({ epoch: 1, revision: 1 });
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.11', '127.79.2.12']));
    await until(here, (text) => text.includes('127.79.2.12'));
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.12']));
    await until(here, (text) => !text.includes('127.79.2.11'));
    rmSync(join(federation.cluster(THERE).registryDir, 'reviews.yaml'));
    await until(here, (text) => !text.includes('127.79.2'));
    expect(served(here)).toContain('127.79.1.11');
    expect(there.loop.ready).toBe(true);
  });

  it('stay silent until hub and fleet were heard', async () => {
    const agent = await federation.cluster(HERE).start();
    expect(agent.loop.ready).toBe(false);
    expect(agent.loop.missing).toEqual(['config', 'fleet']);
    const readyz = await fetch(`http://127.0.0.1:${agent.adminPort}/readyz`);
    expect(readyz.status).toBe(503);
    expect(await readyz.json()).toMatchObject({ ready: false, parts: expect.arrayContaining([{ name: 'registry', ready: true }]) });
    const verbose = await (await fetch(`http://127.0.0.1:${agent.adminPort}/readyz?verbose`)).text();
    expect(verbose).toMatch(/^\[\+\]registry ok\n\[-\]config: .*\n\[-\]fleet: .*\n\[\+\]running ok\nreadyz check failed\n$/);
    expect(versions(agent)).toEqual([]);
    await federation.configure(HERE, 1);
    await federation.configure(THERE, 1);
    await federation.cluster(THERE).start();
    await ready(agent);
    expect((await fetch(`http://127.0.0.1:${agent.adminPort}/readyz`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${agent.adminPort}/metrics`)).text()).toContain(
      'agent_endpoints{cluster="us-east",health="HEALTHY"} 1',
    );
  });

  it('serve the very same after a restart with everything else dead', async () => {
    const [here] = await startBoth();
    const before = versions(here);
    expect(before.length).toBeGreaterThan(3);
    await here.stop();
    await federation.nats.kill9();
    const again = await federation.cluster(HERE).start();
    expect(again.loop.ready).toBe(true);
    expect(versions(again)).toEqual(before);
    expect(again.loop.moment).toEqual({ epoch: 1, revision: 1 });
    await federation.nats.restart();
    federation.cluster(THERE).put('reviews.yaml', serviceFile('reviews', ['127.79.2.99']));
    await until(again, (text) => text.includes('127.79.2.99'));
  });

  it('fall back one generation when the saved state is damaged, and stay silent when all are', async () => {
    const [here] = await startBoth();
    await here.stop();
    const { agentDir } = federation.cluster(HERE).member;
    await federation.nats.kill9();
    const second = await federation.cluster(HERE).start();
    await second.stop();
    const generations = readdirSync(agentDir).filter((name) => /^last-known-good\.\d$/.test(name));
    expect(generations.length).toBeGreaterThan(1);
    const damage = (name: string): void => {
      const bytes = readFileSync(join(agentDir, name));
      writeFileSync(join(agentDir, name), bytes.subarray(0, bytes.length - 1));
    };
    damage('last-known-good.0');
    const third = await federation.cluster(HERE).start();
    expect(served(third)).toContain('127.79.2.11');
    await third.stop();
    for (const name of readdirSync(agentDir).filter((file) => /^last-known-good\.\d$/.test(file))) damage(name);
    const fourth = await federation.cluster(HERE).start();
    expect(fourth.loop.ready).toBe(false);
    expect(versions(fourth)).toEqual([]);
  });

  it('refuse a document with a byte flipped, and one that a stranger signed, and keep the last good one', async () => {
    const [here] = await startBoth();
    const bus = await federation.nats.clusterBus(THERE);
    const key = shardKey('bookinfo', 'reviews');
    const shard = { cluster: THERE, namespace: 'bookinfo', service: 'reviews', exported: true, ports: [], endpoints: [] };
    const document = { protocol: 1, from: THERE, to: '*', key, epoch: 1, revision: 1_000_000_000, part: 0, parts: 1, body: shard };
    const forged = seal(document, generateSigner());
    const genuine = Buffer.from(seal(document, federation.cluster(THERE).member.signer));
    genuine[100] = (genuine[100] ?? 0) ^ 1;
    for (const bytes of [forged, genuine]) await bus.request(`${FLEET_PREFIX}.${THERE}.${key}`, bytes, { timeoutMs: 5000 });
    federation.cluster(THERE).put('details.yaml', serviceFile('details', ['127.79.2.21']));
    await new Promise<void>((resolve) => {
      const stop = here.store.subscribe(() => {
        if (here.store.get('sidecar', 'EDS', EDS.replace('reviews', 'details')) === undefined) return;
        stop();
        resolve();
      });
    });
    expect(served(here)).toContain('127.79.2.11');
  });

  it('keep what a half-written file held, and let a relist lose nothing at once', async () => {
    const [here, there] = await startBoth();
    writeFileSync(join(federation.cluster(HERE).registryDir, 'reviews.yaml'), 'apiVersion: v1\nkind: Serv');
    federation.cluster(HERE).put('details.yaml', serviceFile('details', ['127.79.1.21']));
    await new Promise<void>((resolve) => {
      const stop = there.store.subscribe(() => {
        if (there.store.get('sidecar', 'EDS', EDS.replace('reviews', 'details')) === undefined) return;
        stop();
        resolve();
      });
    });
    expect(served(there)).toContain('127.79.1.11');
    await here.stop();
    rmSync(federation.cluster(HERE).registryDir, { recursive: true });
    const again = await federation.cluster(HERE).start();
    expect(again.loop.ready).toBe(true);
    expect(served(again)).toContain('127.79.1.11');
    expect(served(there)).toContain('127.79.1.11');
    // Nor does a registry that comes back empty; the metrics tell of what is held.
    await again.stop();
    mkdirSync(federation.cluster(HERE).registryDir);
    const third = await federation.cluster(HERE).start();
    const metrics = await (await fetch(`http://127.0.0.1:${third.adminPort}/metrics`)).text();
    expect(metrics).toMatch(/^agent_brake_holds_total [1-9]/m);
    expect(metrics).toMatch(/^agent_autonomy_seconds [1-9]/m);
    expect(served(third)).toContain('127.79.1.11');
  });

  it('keep the last good policy when the hub sends a senseless one, and account for the revision', async () => {
    const [here] = await startBoth();
    const policy = (timeout: string): Resource => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'reviews', namespace: 'bookinfo' },
      spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }], timeout }] },
    });
    const routes = (): string | undefined => here.store.get('sidecar', 'RDS', 'outbound')?.version;
    const moment = (revision: number): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => (here.loop.moment?.revision === revision ? resolve() : void setImmediate(look));
        look();
      });
    const first = routes();
    await federation.configure(HERE, 2, [policy('3s')]);
    await moment(2);
    const second = routes();
    expect(second).not.toBe(first);
    await federation.configure(HERE, 3, [policy('soon')]);
    await moment(3);
    expect(routes()).toBe(second);
    const world = (await (await fetch(`http://127.0.0.1:${here.adminPort}/debug/world`)).json()) as { policies: Resource[] };
    expect(world.policies).toEqual([policy('3s')]);
  });
});
