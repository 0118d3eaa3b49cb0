/**
 * Real hubs, PostgreSQL, NATS and agents through one history of faults. A checker sees each thing that an agent comes to hold: its
 * (epoch, revision) rises, what it holds at a moment is what was committed up to it, and in the end it holds the last of everything.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { publishStored } from '@hawser/bus/jetstream.ts';
import { listStream } from '@hawser/bus/ordered-consumer.ts';
import type { HubProcess } from '@hawser/hub/hub-process-fixture.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { HUB, open } from '@hawser/wire/envelope.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import { CONFIG_STREAM } from '@hawser/wire/subjects.ts';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attacker } from '../kit/attacker.ts';
import { CommittedStates } from '../kit/committed-states.ts';
import { type FaultProxy, startFaultProxy } from '../kit/fault-proxy.ts';
import { serviceFile } from '../kit/federation.ts';
import { eventually, ready, servedBy } from '../kit/served.ts';
import { account } from '../kit/totals.ts';
import { Watched } from '../kit/watched.ts';
import { type JoinedCluster, WholeFederation } from '../kit/whole-federation.ts';

const [HERE, THERE] = ['us-east', 'us-west'] as const;
const log = pino({ level: 'silent' });
const POLICIES = '/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices';

describe('a federation through its history', { timeout: 180_000 }, () => {
  const watched = new Watched();
  const states = new CommittedStates();
  const policies = new Map<string, Resource>();
  let federation: WholeFederation;
  let clusters: Readonly<Record<string, JoinedCluster>>;
  let here: RunningAgent;
  let there: RunningAgent;
  let writer: HubProcess;
  let proxy: FaultProxy | undefined;
  let writes = 0;

  const start = async (name: string, options: { readonly natsUrl?: string } = {}): Promise<RunningAgent> => {
    const agent = await (clusters[name] as JoinedCluster).start(options);
    watched.watch(agent);
    states.watch(agent);
    return agent;
  };
  const put = (cluster: string, service: string, addresses: readonly string[]): void => {
    watched.service(cluster, service, addresses);
    const { put: file, registryDir } = clusters[cluster] as JoinedCluster;
    if (addresses.length > 0) file(`${service}.yaml`, serviceFile(service, addresses));
    else rmSync(join(registryDir, `${service}.yaml`));
  };
  const commit = async (revision: number): Promise<void> =>
    states.commit({ epoch: (await federation.status(writer)).epoch, revision }, new Map(policies));
  /** Writes the policy of a service, or removes it; answers when the hub has acknowledged it. */
  const route = async (service: string, present = true): Promise<void> => {
    writes += 1;
    const { metadata } = policies.get(service) ?? {};
    const made = routeOf(service, writes);
    watched.policy(service, present ? made : undefined);
    const path = `${POLICIES}${metadata === undefined ? '' : `/${service}`}${present ? '?allowUnresolved=true' : ''}`;
    const version = { ...made.metadata, resourceVersion: metadata?.resourceVersion };
    const answer = present
      ? await writer.call<Resource>(metadata === undefined ? 'POST' : 'PUT', path, { ...made, metadata: version })
      : await writer.call<Resource>('DELETE', path);
    expect(answer).toMatchObject({ status: metadata === undefined ? 201 : 200 });
    if (present) policies.set(service, answer.body);
    else policies.delete(service);
    const list = present ? answer : await writer.call<Resource>('GET', POLICIES);
    await commit(Number(list.body.metadata.resourceVersion));
  };
  const converge = (what: string): Promise<void> => watched.converge(what, HERE, THERE);

  beforeAll(async () => {
    federation = await WholeFederation.start();
    const [east, west] = await Promise.all([federation.join(HERE), federation.join(THERE)]);
    clusters = { [HERE]: east, [THERE]: west };
    writer = federation.hubs[0] as HubProcess;
    await commit(0);
    for (const service of ['reviews', 'details']) put(HERE, service, ['127.79.1.11']);
    put(THERE, 'reviews', ['127.79.2.11']);
    [here, there] = await Promise.all([start(HERE), start(THERE)]);
    await Promise.all([here, there].map(ready));
    for (const service of ['reviews', 'details']) await route(service);
    await converge('at the start');
  }, 120_000);
  afterAll(async () => {
    const breaches = [...watched.finish(HERE, THERE), ...states.breaches()];
    account({ staleOrForged: states.breaches().length, documents: states.seen });
    console.log(`${watched.history.line()}; ${states.seen} states compared with what was committed`);
    await federation.stop();
    await proxy?.stop();
    expect(breaches).toEqual([]);
    expect(states.seen).toBeGreaterThan(10);
  }, 60_000);

  it('NATS loses its store while policy is written: the hub publishes all of it again, every message signed', async () => {
    await federation.nats.kill9();
    await route('reviews');
    put(HERE, 'reviews', ['127.79.1.12']);
    await federation.nats.restart({ wipe: true });
    await route('details', false);
    await converge('after NATS lost its store');
    const bus = await federation.nats.hubBus();
    const listed = await listStream({ bus, stream: CONFIG_STREAM, filter: 'hawser.config.*.>', log, timeoutMs: 10_000 });
    const messages = listed?.messages ?? [];
    for (const cluster of [HERE, THERE])
      for (const key of ['digest', 'roster', 'policy.virtualservices.bookinfo.reviews'])
        expect(messages.map(({ subject }) => subject)).toContain(`hawser.config.${cluster}.${key}`);
    const verifier = verifierOf(clusters[HERE]?.hubKey ?? '');
    for (const { bytes } of messages) expect(open(bytes, (from) => (from === HUB ? verifier : undefined))).toBeTypeOf('object');
  });

  it('both streams are deleted under it', async () => {
    const admin = await federation.nats.adminBus();
    for (const stream of ['HAWSER_CONFIG', 'HAWSER_FLEET'])
      await admin.request(`$JS.API.STREAM.DELETE.${stream}`, Buffer.from(''), { timeoutMs: 5_000 });
    await route('details');
    put(THERE, 'reviews', ['127.79.2.12']);
    await converge('after the streams were deleted');
  });

  it('its leading hub stands still, and wakes up to a successor', async () => {
    const { leader, standby } = await federation.roles();
    process.kill(leader.processes.hub.pid, 'SIGSTOP');
    try {
      writer = standby;
      await eventually(async () => (await federation.status(standby)).leads === true, 'nobody takes over');
      await route('reviews');
      await converge('with the successor');
    } finally {
      process.kill(leader.processes.hub.pid, 'SIGCONT');
    }
    await eventually(async () => (await federation.status(leader)).leads === false, 'it still leads');
    writer = leader;
    await route('reviews');
    await converge('after the old leader woke up');
  });

  it('somebody duplicates, replays, flips and misplaces what is said', async () => {
    const attack = attacker(await federation.nats.adminBus());
    for (let round = 0; round < 12; round += 1) {
      put(HERE, 'reviews', ['127.79.1.11', `127.79.1.${100 + round}`]);
      put(THERE, 'reviews', ['127.79.2.11', `127.79.2.${100 + round}`]);
      if (round % 3 === 0) await route(round % 2 === 0 ? 'reviews' : 'details');
      await attack.strike(5);
    }
    attack.stop();
    watched.history.attacked(attack.struck());
    expect(attack.struck()).toBeGreaterThan(30);
    await route('reviews');
    put(HERE, 'reviews', ['127.79.1.13']);
    put(THERE, 'reviews', ['127.79.2.13']);
    await converge('after the storm');
  });

  it('a cluster is away until every tombstone is gone, and has exactly what is when it returns', async () => {
    for (const service of ['ratings', 'details']) put(HERE, service, ['127.79.1.41']);
    await route('ratings');
    await converge('before it leaves');
    await there.stop();
    for (let change = 0; change < 20; change += 1) {
      put(HERE, 'reviews', [`127.79.1.${50 + change}`]);
      put(HERE, `service-${change}`, [`127.79.1.${50 + change}`]);
      if (change % 5 === 0) await route('reviews');
      if (change % 2 === 1) put(HERE, `service-${change}`, []);
    }
    put(HERE, 'ratings', []);
    await route('ratings', false);
    const admin = await federation.nats.adminBus();
    for (const [stream, filter] of [
      ['HAWSER_FLEET', `hawser.fleet.${HERE}.shard.bookinfo.ratings`],
      ['HAWSER_CONFIG', `hawser.config.${THERE}.policy.virtualservices.bookinfo.ratings`],
    ] as const)
      await eventually(async () => {
        const stored = await listStream({ bus: admin, stream, filter, log, timeoutMs: 5_000 });
        const isTombstone = Buffer.from(stored?.messages[0]?.bytes ?? '')
          .toString('latin1')
          .includes('"body":null');
        if (!isTombstone) return false;
        await admin.request(`$JS.API.STREAM.PURGE.${stream}`, Buffer.from(JSON.stringify({ filter })), { timeoutMs: 5_000 });
        return true;
      }, `there is no tombstone of ${filter}`);
    proxy = await startFaultProxy(Number(new URL(federation.nats.url).port));
    proxy.cut();
    there = await start(THERE, { natsUrl: `nats://127.0.0.1:${proxy.port}` });
    // Its first answer is what it knew: nothing is gone only because it was away.
    expect(there.loop.ready).toBe(true);
    expect(servedBy(there, 'ratings')).toContain('127.79.1.41');
    proxy.heal();
    await converge('after the return');
    await eventually(() => !servedBy(there, 'ratings').includes('127.79.1.41'), 'what is gone is kept');
  });

  it('an older database is restored: a new epoch, in which nothing of the lost one is obeyed', async () => {
    await federation.stopHubs();
    const backup = await federation.postgres.copy(federation.database);
    const kept = new Map(policies);
    const { revision } = await began();
    await route('reviews');
    await route('details', false);
    await converge('before the loss');
    const admin = await federation.nats.adminBus();
    const filter = `hawser.config.${HERE}.>`;
    const listed = await listStream({ bus: admin, stream: CONFIG_STREAM, filter, log, timeoutMs: 5_000 });
    const lost = listed?.messages.map(({ subject, bytes }) => ({ subject, bytes: Buffer.from(bytes) })) ?? [];
    const before = await federation.status(writer);
    await federation.stopHubs();
    federation.database = backup;
    policies.clear();
    for (const [name, policy] of kept) {
      policies.set(name, policy);
      watched.policy(name, policy);
    }
    await began();
    await eventually(async () => (await federation.status(writer)).epoch > before.epoch, 'no new epoch begins');
    await commit(revision);
    await converge('after the restore');
    for (const { subject, bytes } of lost) await publishStored(admin, subject, bytes);
    watched.history.attacked(lost.length);
    await route('reviews');
    await route('details');
    await converge('after the lost epoch was replayed');
    expect(here.loop.moment?.epoch).toBeGreaterThan(before.epoch);
  });

  /** Starts the hubs; resolves with what the first one says once one leads. */
  async function began() {
    await federation.startHubs();
    writer = (await federation.roles()).leader;
    return federation.status(writer);
  }
});

function routeOf(service: string, seconds: number): Resource {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: service, namespace: 'bookinfo' },
    spec: { hosts: [service], http: [{ route: [{ destination: { host: service } }], timeout: `${seconds}s` }] },
  };
}
