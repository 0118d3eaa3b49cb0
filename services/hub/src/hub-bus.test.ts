import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DocumentPublisher } from '@hawser/bus/document-publisher.ts';
import { watchDocuments } from '@hawser/bus/document-watcher.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { isAlive } from '@hawser/runtime/process-record.ts';
import { type Document, HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import type { FleetAnswer, RolloutAnswer, WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { generateSigner, type Signer, verifierOf } from '@hawser/wire/signing.ts';
import {
  CONFIG_PREFIX,
  CONFIG_STREAM,
  configSubjects,
  FLEET_PREFIX,
  FLEET_STREAM,
  rolloutSubject,
  rpcSubject,
  shardKey,
  statusSubject,
} from '@hawser/wire/subjects.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxyOf, shardOf, statusOf } from './fleet/fleet-fixture.ts';
import { type FakeCluster, HubProcess, joinCluster, silent } from './hub-process-fixture.ts';

const SERVICES = '/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices';
const POLICY_SUBJECT = 'hawser.config.us-east.policy.virtualservices.bookinfo.reviews';

let stateDir: string;
let hub: HubProcess;
let cluster: FakeCluster;
let publisher: DocumentPublisher;
let revision: number;
const documents = new Map<string, Document>();
let digest: { readonly revision: number; readonly epoch: number } = { revision: -1, epoch: 0 };

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'hawser-hub-'));
  hub = await HubProcess.start(stateDir);
  cluster = await joinCluster(hub, 'us-east');
  watchOwnDocuments();
  publisher = publishShard(cluster);
  revision = Date.now();
}, 60_000);

afterAll(async () => {
  await publisher.stop();
  await cluster.bus.close();
  const { postgres, nats } = hub.processes;
  await hub.end('SIGTERM');
  for (const one of [postgres, nats]) expect(one !== undefined && isAlive(one.pid)).toBe(false);
  rmSync(stateDir, { recursive: true, force: true });
}, 90_000);

function watchOwnDocuments(): void {
  const { membership, bus } = cluster;
  watchDocuments({
    ...{ bus, stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects('us-east'), owner: 'to', log: silent },
    verifierOf: (from) => (from === HUB ? verifierOf(membership.hubKey) : undefined),
    accept: (document) => document.to === 'us-east',
    onDocument: (document) => documents.set(document.key, document),
    onDigest: (_owner, heard) => {
      if (heard.consistent) digest = heard;
    },
  });
}

/** The cluster exports `bookinfo/reviews`. */
function publishShard({ membership, signer, bus }: FakeCluster): DocumentPublisher {
  const made = new DocumentPublisher({
    ...{ bus, stream: FLEET_STREAM, prefix: `${FLEET_PREFIX}.us-east`, from: 'us-east', to: '*', signer, log: silent },
    epoch: membership.epoch,
    revisions: (above) => above + 1,
  }).start();
  made.put(shardKey('bookinfo', 'reviews'), shardOf('us-east', 'reviews', ['HEALTHY', 'UNHEALTHY']));
  made.complete();
  return made;
}

/** Sends an agent's message, signed by its key or another. */
function tell(key: 'status' | 'rollout', body: unknown, signer: Signer = cluster.signer): void {
  revision += 1;
  const head = { protocol: PROTOCOL, from: 'us-east', to: HUB, key, epoch: cluster.membership.epoch, revision, part: 0, parts: 1 };
  const subject = key === 'status' ? statusSubject('us-east') : rolloutSubject('us-east');
  cluster.bus.publish(subject, seal({ ...head, body }, signer));
}

function virtualService(timeout: string, host = 'reviews'): Resource {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'reviews', namespace: 'bookinfo' },
    spec: { hosts: [host], http: [{ route: [{ destination: { host } }], timeout }] },
  };
}

/** Writes the policy anew and answers its revision. */
async function write(timeout: string): Promise<number> {
  const current = await hub.call<Resource>('GET', `${SERVICES}/reviews`);
  const isThere = current.status === 200;
  const body = virtualService(timeout);
  const metadata = { ...body.metadata, ...(isThere ? { resourceVersion: current.body.metadata.resourceVersion } : {}) };
  const answer = await hub.call<Resource>(isThere ? 'PUT' : 'POST', isThere ? `${SERVICES}/reviews` : SERVICES, { ...body, metadata });
  expect(answer).toMatchObject({ status: isThere ? 200 : 201 });
  return Number(answer.body.metadata.resourceVersion);
}

/** Waits until the cluster has the policy as written. */
async function arrived(written: number, timeout: string): Promise<void> {
  await expect.poll(() => digest.revision, { timeout: 20_000, interval: 10 }).toBeGreaterThanOrEqual(written);
  expect(documents.get('policy.virtualservices.bookinfo.reviews')).toMatchObject({ revision: written, body: virtualService(timeout) });
}

async function rollout(of: number, timeout = '5s'): Promise<RolloutAnswer> {
  return (await hub.call<RolloutAnswer>('GET', `/hawser/v1/rollouts/${of}?timeout=${timeout}`)).body;
}

function report(of: number, counts: { readonly expected: number; readonly acked: number }): void {
  tell('rollout', { epoch: digest.epoch, revision: of, ...counts, nacks: [] });
}

describe('the hub and its bus', () => {
  it('sends the roster to a cluster that joined, and shows what it exports', async () => {
    await expect
      .poll(() => documents.get('roster')?.body, { timeout: 10_000 })
      .toMatchObject({ members: [{ name: 'us-east', signingKey: cluster.signer.publicKey }] });
    const imports = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/bookinfo/serviceimports/reviews';
    await expect
      .poll(async () => (await hub.call('GET', imports)).body, { timeout: 10_000 })
      .toMatchObject({ status: { clusters: [{ cluster: 'us-east' }] } });
    await expect
      .poll(
        async () => (await hub.call<WhoServesAnswer>('GET', '/hawser/v1/services/bookinfo/reviews/answers')).body.answers[0]?.localities,
        {
          timeout: 10_000,
        },
      )
      .toMatchObject([{ cluster: 'us-east', endpoints: 2, healthy: 1, state: 'KNOWN' }]);
  });

  it('carries a policy to the cluster with its revision, and the account of it back', async () => {
    const written = await write('1s');
    await arrived(written, '1s');
    tell('status', { ...statusOf(written, [proxyOf('a', written)]), epoch: digest.epoch });
    report(written, { expected: 2, acked: 1 });
    expect(await rollout(written, '0ms')).toMatchObject({ complete: false, waitingFor: ['us-east'] });
    const waiting = rollout(written);
    report(written, { expected: 2, acked: 2 });
    expect(await waiting).toMatchObject({
      complete: true,
      revision: written,
      proxies: { expected: 2, acked: 2, nacked: 0 },
      disconnected: [],
    });
  });

  it('refuses a policy for a host that no cluster exports', async () => {
    const answer = await hub.call('POST', SERVICES, {
      ...virtualService('1s', 'nobody'),
      metadata: { name: 'nobody', namespace: 'bookinfo' },
    });
    expect(answer).toMatchObject({
      status: 422,
      body: { kind: 'Status', details: { causes: expect.arrayContaining([expect.objectContaining({ field: 'spec.hosts[0]' })]) } },
    });
  });

  it('believes no account that another key signed', async () => {
    const written = await write('2s');
    await arrived(written, '2s');
    const before = await hub.metric('hub_refused_messages_total');
    const forger = generateSigner();
    tell('rollout', { epoch: digest.epoch, revision: written, expected: 0, acked: 0, nacks: [] }, forger);
    tell('status', { ...statusOf(written), epoch: digest.epoch, ready: false }, forger);
    await expect.poll(() => hub.metric('hub_refused_messages_total')).toBe(before + 2);
    expect(await rollout(written, '0ms')).toMatchObject({ complete: false, proxies: { expected: 0 } });
    expect((await hub.call<FleetAnswer>('GET', '/hawser/v1/status')).body.clusters[0]).toMatchObject({ name: 'us-east', ready: true });
  });

  it("asks the cluster's agent for a proxy's configuration, signed", async () => {
    const asked: Uint8Array[] = [];
    const serving = cluster.bus.serve(rpcSubject('us-east', 'proxy-config'), (bytes) => {
      asked.push(Buffer.from(bytes));
      return Buffer.from(JSON.stringify({ resources: [{ name: 'outbound' }] }));
    });
    const ask = () => hub.call('GET', '/hawser/v1/proxies/us-east/a/config/listeners');
    await expect.poll(ask).toMatchObject({ status: 200, body: { resources: [{ name: 'outbound' }] } });
    serving.stop();
    expect(asked.length).toBeGreaterThan(0);
    expect(await hub.call('GET', '/hawser/v1/proxies/nowhere/a/config/listeners')).toMatchObject({ status: 404 });
  });

  it('asks agents who calls in plain: nobody who is silent is ready', async () => {
    const path = '/hawser/v1/access/strict-readiness';
    expect(await hub.call('GET', `${path}?window=2h`)).toMatchObject({ status: 400 });
    expect(await hub.call('GET', `${path}?window=10m`)).toMatchObject({ status: 200, body: { ready: false } });
    const account = { now: new Date().toISOString(), workloads: [], omitted: 0, bare: [] };
    const answer = (): Buffer => Buffer.from(JSON.stringify(account));
    const subjects = [rpcSubject('us-east', 'plain-callers'), rpcSubject('us-east', 'plain-callers', statusOf(1).instance)];
    const serving = subjects.map((subject) => cluster.bus.serve(subject, answer));
    await expect
      .poll(() => hub.call('GET', `${path}?namespace=bookinfo`), { timeout: 20_000 })
      .toMatchObject({ status: 200, body: { ready: true, clusters: [{ cluster: 'us-east', state: 'ready' }] } });
    for (const one of serving) one.stop();
  }, 30_000);

  it('publishes nothing but digests after a restart without changes', async () => {
    const before = await hub.stored();
    const heard = digest.revision;
    await hub.end('SIGTERM');
    await hub.start();
    const digestSubject = 'hawser.config.us-east.digest';
    const earlier = before.get(digestSubject)?.sequence ?? 0;
    await expect.poll(async () => (await hub.stored()).get(digestSubject)?.sequence, { timeout: 20_000 }).toBeGreaterThan(earlier);
    expect(await hub.metric('hub_published_revision')).toBeGreaterThanOrEqual(heard);
    const after = await hub.stored();
    after.delete(digestSubject);
    before.delete(digestSubject);
    expect(after).toEqual(before);
  }, 60_000);

  it('publishes everything again when NATS has lost it', async () => {
    const before = await hub.stored();
    const { nats } = hub.processes;
    await hub.end('SIGKILL');
    if (nats !== undefined) process.kill(nats.pid, 'SIGKILL');
    rmSync(join(stateDir, 'hub/nats/data'), { recursive: true, force: true });
    await hub.start();
    await expect.poll(async () => [...(await hub.stored()).keys()].sort(), { timeout: 20_000 }).toEqual([...before.keys()].sort());
    expect(before.has(POLICY_SUBJECT)).toBe(true);
  }, 60_000);

  it('drops the connection of a cluster that was removed, and serves it again when it has joined anew', async () => {
    const gone = await joinCluster(hub, 'gone');
    await gone.bus.ready();
    expect((await hub.call('DELETE', '/apis/hawser.dev/v1alpha1/clusters/gone')).status).toBe(200);
    await expect.poll(() => gone.bus.connected, { timeout: 20_000 }).toBe(false);
    const again = await joinCluster(hub, 'gone');
    await again.bus.ready();
    expect(gone.bus.connected).toBe(false);
    expect((await hub.call('DELETE', '/apis/hawser.dev/v1alpha1/clusters/gone')).status).toBe(200);
    await Promise.all([gone.bus.close(), again.bus.close()]);
  }, 60_000);

  it('goes on after PostgreSQL and NATS were killed under it', async () => {
    const { postgres, nats } = hub.processes;
    for (const one of [postgres, nats]) if (one !== undefined) process.kill(one.pid, 'SIGKILL');
    // Backends may answer for a moment after their postmaster died: what answers after this is the new one.
    await expect.poll(() => hub.processes.postgres?.pid, { timeout: 20_000 }).not.toBe(postgres?.pid);
    await expect.poll(() => hub.processes.nats?.pid, { timeout: 20_000 }).not.toBe(nats?.pid);
    await expect.poll(async () => (await hub.call('GET', `${SERVICES}/reviews`)).status, { timeout: 20_000 }).toBe(200);
    const written = await write('3s');
    await arrived(written, '3s');
    expect(hub.processes.hub.pid).toBeGreaterThan(0);
  }, 60_000);
});
