import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { watchDocuments } from '@hawser/bus/document-watcher.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { type Document, HUB } from '@hawser/wire/envelope.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, configSubjects } from '@hawser/wire/subjects.ts';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { account } from '../../../test/kit/totals.ts';
import { type FakeCluster, HubProcess, joinAtOnce, joinCluster, silent } from './hub-process-fixture.ts';
import { type HubReplicas, hubStatus, startHubReplicas } from './hub-replicas-fixture.ts';

const POLICIES = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/failoverpolicies';
const DRAINS = '/apis/hawser.dev/v1alpha1/drains';
const POLLED = { timeout: 30_000, interval: 100 };

let replicas: HubReplicas;
let hubs: readonly HubProcess[];
let cluster: FakeCluster;
/** Document keys of writes that the hub acknowledged. */
const acked: string[] = [];
/** Everything that the cluster's receiver accepted, in order, and what it refused. */
const accepted: Document[] = [];
const refused: string[] = [];
let digest = 0;

beforeAll(async () => {
  replicas = await startHubReplicas();
  ({ hubs } = replicas);
  cluster = await joinCluster(hubs[0] as HubProcess, 'us-east');
  const { membership, bus } = cluster;
  watchDocuments({
    ...{ bus, stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects('us-east'), owner: 'to', log: silent },
    verifierOf: (from) => (from === HUB ? verifierOf(membership.hubKey) : undefined),
    accept: (document) => document.to === 'us-east',
    onDocument: (document) => void accepted.push(document),
    onRefused: (reason, subject) => void refused.push(`${reason} ${subject}`),
    onDigest: (_owner, heard) => {
      if (heard.consistent) digest = heard.revision;
    },
  });
}, 90_000);

afterAll(async () => {
  const lost = acked.filter((key) => !accepted.some((document) => document.key === key));
  const stale = accepted.filter(({ revision }, at) => revision < (accepted[at - 1]?.revision ?? 0));
  account({ writes: acked.length, lost: lost.length, documents: accepted.length, staleOrForged: stale.length });
  expect([lost, stale]).toEqual([[], []]);
  await cluster.bus.close();
  await replicas.stop();
}, 60_000);

const status = hubStatus;
const roles: HubReplicas['roles'] = (among) => replicas.roles(among);

/** Writes a policy by one replica; resolves with its revision when the cluster has it. */
async function write(hub: HubProcess, name: string, order = 'us-east'): Promise<number> {
  const body = {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'FailoverPolicy',
    metadata: { name, namespace: 'bookinfo' },
    spec: { order: [order] },
  };
  const answer = await hub.call<Resource>('POST', POLICIES, body);
  expect(answer.status).toBe(201);
  acked.push(`policy.failoverpolicies.bookinfo.${name}`);
  return Number(answer.body.metadata.resourceVersion);
}

async function arrived(revision: number): Promise<void> {
  await expect.poll(() => digest, { timeout: 20_000, interval: 20 }).toBeGreaterThanOrEqual(revision);
}

describe('two replicas of a hub', () => {
  it('both serve the API, one publishes, and both show what is published and who leads', async () => {
    const { leader, standby } = await roles();
    await arrived(await write(standby, 'by-standby'));
    const revision = await write(leader, 'by-leader');
    await arrived(revision);
    const known = await status(leader);
    expect(known).toMatchObject({ leads: true, leader: { instance: known.instance, address: leader.url } });
    await expect
      .poll(() => status(standby), { timeout: 10_000 })
      .toMatchObject({ published: revision, leads: false, leader: known.leader });
    const names = (await standby.call<{ items: Resource[] }>('GET', POLICIES)).body.items.map(({ metadata }) => metadata.name);
    expect(names).toEqual(['by-leader', 'by-standby']);
  });

  it('the other one leads when the leader is killed, and no acknowledged write is lost', async () => {
    const { leader, standby } = await roles();
    const revision = await write(leader, 'before-the-kill');
    await leader.end('SIGKILL');
    const next = await write(standby, 'after-the-kill');
    await arrived(Math.max(revision, next));
    expect(accepted.map(({ key }) => key)).toEqual(
      expect.arrayContaining(['before', 'after'].map((when) => `policy.failoverpolicies.bookinfo.${when}-the-kill`)),
    );
    await leader.start();
    await roles();
  }, 90_000);

  it('the other one goes on with a drain when the leader is killed in its midst', async () => {
    const { leader, standby } = await roles();
    const west = await joinCluster(leader, 'us-west');
    const scope = { region: 'us-east' };
    const drain = async (name: string, spec: object): Promise<string> => {
      const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name }, spec: { scope, reason: 'a test', ...spec } };
      const asked = name === 'slow' ? leader : standby;
      const { status: code, body: answer } = await asked.call<{ message?: string }>('POST', DRAINS, body);
      return `${code} ${answer.message ?? ''}`;
    };
    const shown = async (name: string) =>
      (await standby.call<Resource<unknown, { phase: string; percent: number }>>('GET', `${DRAINS}/${name}`)).body.status;
    const steps = [{ percent: 50, hold: '1h' }, { percent: 100 }];
    await expect.poll(() => drain('slow', { steps, overrideSafetyRules: ['headroom', 'observation'] }), POLLED).toMatch(/^(201|409)/);
    await expect.poll(() => shown('slow'), POLLED).toMatchObject({ phase: 'Draining', percent: 50 });
    await leader.end('SIGKILL');
    // Only who leads ends what an emergency takes the place of.
    await expect.poll(() => drain('fire', { urgency: 'emergency' }), POLLED).toMatch(/^(201|409)/);
    await expect.poll(() => shown('slow'), POLLED).toMatchObject({ phase: 'Interrupted', percent: 0 });
    expect(await shown('fire')).toMatchObject({ phase: 'Draining', percent: 100 });
    await leader.start();
    await west.bus.close();
    await roles();
  }, 90_000);

  it('a leader that stood still wakes up to a successor: nothing it writes is stored, and it stands by', async () => {
    const { leader, standby } = await roles();
    const term = (await status(leader)).leader?.term ?? 0;
    const { pid } = leader.processes.hub;
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGCONT')); // what stands still cannot be ended
    await expect.poll(async () => (await status(standby)).leads, { timeout: 30_000, interval: 50 }).toBe(true);
    const successor = await status(standby);
    expect(successor.leader?.term).toBeGreaterThan(term);
    await arrived(await write(standby, 'while-it-stood-still'));
    const stored = await standby.stored();
    process.kill(pid, 'SIGCONT');
    await expect.poll(() => status(leader), { timeout: 20_000 }).toMatchObject({ leads: false, leader: { instance: successor.instance } });
    expect(await leader.metric('hub_leader_term')).toBe(0);
    const after = await write(leader, 'by-the-one-that-woke');
    await arrived(after);
    const now = await standby.stored();
    for (const [subject, { hash }] of stored)
      if (!subject.endsWith('.digest')) expect([subject, now.get(subject)?.hash]).toEqual([subject, hash]);
    const revisions = accepted.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(refused).toEqual([]);
  }, 90_000);

  it('100 parallel uses of one join token, at both: one wins', async () => {
    const uses = await joinAtOnce(hubs, 'crowded', 100);
    expect(uses.filter((status) => status === 200)).toHaveLength(1);
    expect(uses.filter((status) => status === 410)).toHaveLength(99);
    const { items } = (await hubs[0]?.call<{ items: Resource[] }>('GET', '/apis/hawser.dev/v1alpha1/clusters'))?.body ?? { items: [] };
    expect(items.filter(({ metadata }) => metadata.name === 'crowded')).toHaveLength(1);
  }, 60_000);

  it('a hub with other keys refuses to start, and says what to do', async () => {
    const strange = join(replicas.folder, 'strange');
    cpSync(replicas.flags['keysDir'] as string, strange, { recursive: true });
    rmSync(join(strange, 'documents.pem'));
    await expect(HubProcess.start(join(replicas.folder, 'c'), { ...replicas.flags, keysDir: strange })).rejects.toThrow(
      /are not those of this database's hub[\s\S]*--keys-dir/,
    );
  }, 60_000);
});
