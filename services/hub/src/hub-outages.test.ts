import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@hawser/model/resource.ts';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import { isAlive } from '@hawser/runtime/process-record.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../test/kit/ports.ts';
import { externalNatsConfig } from './bus/nats-access.ts';
import { HubProcess, joinCluster, silent } from './hub-process-fixture.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded-postgres.ts';

const POLICIES = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/failoverpolicies';

interface ResourceList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Resource[];
}

let folder: string;
let hubs: HubProcess[];
let postgres: EmbeddedPostgres | undefined;
let nats: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-outage-'));
  hubs = [];
  postgres = undefined;
  nats = undefined;
});

afterEach(async () => {
  for (const hub of hubs) await hub.end('SIGTERM');
  await postgres?.stop();
  if (nats !== undefined && nats.exitCode === null) {
    nats.kill('SIGKILL');
    await once(nats, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

async function startHub(flags: Readonly<Record<string, string>> = {}): Promise<HubProcess> {
  const hub = await HubProcess.start(join(folder, 'state'), flags);
  hubs.push(hub);
  return hub;
}

/** The external server: configured by what the hub prints, its own address and folder filled in. */
async function startExternalNats(port: string): Promise<void> {
  const config = (await externalNatsConfig(join(folder, 'state', 'hub', 'keys')))
    .replace('0.0.0.0:4222', `127.0.0.1:${port}`)
    .replace('/var/lib/nats', join(folder, 'nats'));
  writeFileSync(join(folder, 'nats.conf'), config);
  nats = spawn(natsServerBinary(), ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' });
}

async function status(hub: HubProcess): Promise<FleetAnswer> {
  return (await hub.call<FleetAnswer>('GET', '/hawser/v1/status')).body;
}

/** Writes a policy and answers its revision. */
async function write(hub: HubProcess, name: string): Promise<number> {
  const metadata = { name, namespace: 'bookinfo' };
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata, spec: { order: ['us-east'] } };
  const answer = await hub.call<Resource>('POST', POLICIES, body);
  expect(answer).toMatchObject({ status: 201 });
  return Number(answer.body.metadata.resourceVersion);
}

async function published(hub: HubProcess, revision: number): Promise<void> {
  await expect.poll(async () => (await status(hub)).hub.published, { timeout: 20_000 }).toBeGreaterThanOrEqual(revision);
}

describe('a hub through outages', () => {
  it('serves its API with an external NATS down, and publishes when that comes', async () => {
    postgres = await startEmbeddedPostgres({ stateDir: join(folder, 'database'), port: await freePort(), log: silent });
    const natsPort = String(await freePort());
    const hub = await startHub({ databaseUrl: postgres.dsn, natsUrl: `nats://127.0.0.1:${natsPort}`, natsPort });
    expect((await fetch(`${hub.url}/readyz`)).status).toBe(503);
    const cluster = await joinCluster(hub, 'us-east');
    const revision = await write(hub, 'early');
    expect((await status(hub)).hub).toMatchObject({ bus: false, database: true });
    await startExternalNats(natsPort);
    await expect.poll(async () => (await fetch(`${hub.url}/readyz`)).status, { timeout: 20_000 }).toBe(200);
    await published(hub, revision);
    expect([...(await hub.stored()).keys()]).toContain('hawser.config.us-east.policy.failoverpolicies.bookinfo.early');
    expect(Object.keys(hub.processes).sort()).toEqual(['hub', 'url']);
    await cluster.bus.close();
  }, 60_000);

  it('begins a new epoch when its database is an older copy of itself', async () => {
    const hub = await startHub();
    const cluster = await joinCluster(hub, 'us-east');
    await published(hub, await write(hub, 'kept'));
    await hub.end('SIGTERM');
    const [data, backup] = [join(folder, 'state/hub/postgres'), join(folder, 'backup')];
    cpSync(data, backup, { recursive: true, preserveTimestamps: true });
    await hub.start();
    const lost = await write(hub, 'lost');
    await published(hub, lost);
    const before = await status(hub);
    await hub.end('SIGTERM');
    await restore(backup, data);
    await hub.start();
    await expect.poll(async () => (await status(hub)).hub.epoch, { timeout: 20_000 }).toBeGreaterThan(before.hub.epoch);
    // The numbers of lost writes must not come again: who knows the one would miss the other.
    const latest = await write(hub, 'new');
    expect(latest).toBeGreaterThan(lost);
    await published(hub, latest);
    const watch = (revision: number) =>
      fetch(`${hub.url}${POLICIES}?watch=true&timeoutSeconds=1&resourceVersion=${revision}`, { headers: hub.headers });
    for (const revision of [lost - 1, lost]) {
      const answer = await watch(revision);
      expect([answer.status, await answer.json()]).toEqual([410, expect.objectContaining({ reason: 'Expired' })]);
    }
    const listed = (await hub.call<ResourceList>('GET', POLICIES)).body;
    expect(listed.items.map(({ metadata }) => metadata.name)).toEqual(['kept', 'new']);
    expect((await watch(Number(listed.metadata.resourceVersion))).status).toBe(200);
    const all = ['kept', 'lost', 'new'].map((name) => `hawser.config.us-east.policy.failoverpolicies.bookinfo.${name}`);
    expect([...(await hub.stored()).keys()]).toEqual(expect.arrayContaining(all));
    await cluster.bus.close();
  }, 90_000);

  it('refuses a second hub on its state folder, and leaves the servers of the first alone', async () => {
    const first = await startHub();
    await expect(startHub()).rejects.toThrow(/already-running/);
    const { postgres: database, nats: bus } = first.processes;
    for (const one of [database, bus]) expect(one !== undefined && isAlive(one.pid)).toBe(true);
  }, 60_000);

  it('says which port is taken before it starts anything', async () => {
    const stranger = createServer((socket) => socket.destroy());
    const port = String(await freePort());
    await new Promise<void>((resolve) => stranger.listen(Number(port), '127.0.0.1', resolve));
    await expect(startHub({ port })).rejects.toThrow(new RegExp(`port ${port} on 127.0.0.1, which the hub's API needs, is taken`));
    await new Promise((resolve) => stranger.close(resolve));
  });
});

/** Puts the backup in the data folder's place, with the owner that the folder had. */
async function restore(backup: string, data: string): Promise<void> {
  const { uid, gid } = statSync(data);
  rmSync(data, { recursive: true });
  cpSync(backup, data, { recursive: true, preserveTimestamps: true });
  const chown = spawn('chown', ['-R', `${uid}:${gid}`, data], { stdio: 'ignore' });
  await once(chown, 'exit');
}
