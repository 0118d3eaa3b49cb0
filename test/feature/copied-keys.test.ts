/** Keys that were copied from a cluster, in the hands of another: an agent with them is refused, or fenced, and told whose they are. A hub with a NATS of its own and agents with their own folders. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAgent, startAgent } from '@hawser/agent/agent.ts';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { loadOrEnroll, type Member } from '@hawser/agent/feed/membership.ts';
import { broughtAuthority } from '@hawser/agent/trust/brought-authority.ts';
import { loadCaEncryption } from '@hawser/agent/trust/ca-encryption.ts';
import { GenerationStore } from '@hawser/agent/trust/generation-store.ts';
import { importAuthority } from '@hawser/agent/trust/open-authority.ts';
import { signingKeyOf, webPublicKey, webSigningKey } from '@hawser/agent/trust/signing-key.ts';
import { HubProcess, silent } from '@hawser/hub/hub-process-fixture.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { serviceFile } from '../kit/federation.ts';
import { forgeRoot } from '../kit/forge.ts';
import { eventually, ready, servedBy } from '../kit/served.ts';

const START_MS = 180_000;
const folder = mkdtempSync(join(tmpdir(), 'hawser-copied-'));
const running: RunningAgent[] = [];
let hub: HubProcess;
let owner: Member;
let owners: RunningAgent;
let neighbour: RunningAgent;

async function token(cluster: string): Promise<string> {
  const spec = { cluster, region: cluster };
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name: `${cluster}-${Date.now()}` }, spec };
  const made = await hub.call<Resource<unknown, { token: string }>>('POST', '/apis/hawser.dev/v1alpha1/jointokens', body);
  return made.body.status?.token ?? '';
}

const enrol = async (cluster: string): Promise<Member> =>
  loadOrEnroll({ stateDir: join(folder, cluster), token: await token(cluster), log: silent });

async function start(member: Member, address: string, service = 'reviews'): Promise<RunningAgent> {
  const registryDir = join(folder, 'registry', `${member.membership.cluster}-${address}`);
  mkdirSync(registryDir, { recursive: true });
  writeFileSync(join(registryDir, 'service.yaml'), serviceFile(service, [address]));
  const config = loadAgentConfig({ registryDir, stateDir: join(folder, 'state', address), xdsPort: '0', adminPort: '0' }, {});
  const agent = await startAgent({ config, member, log: silent, checkMs: 0 });
  running.push(agent);
  return agent;
}

const trustOf = (agent: RunningAgent): string =>
  Buffer.from(agent.store.get('sidecar', 'SDS', 'trust|inbound')?.bytes ?? []).toString('latin1');
const told = (agent: RunningAgent): string => JSON.stringify(agent.world().warnings);

beforeAll(async () => {
  hub = await HubProcess.start(join(folder, 'hub'));
  owner = await enrol('us-east');
  owners = await start(owner, '10.88.1.1');
  neighbour = await start(await enrol('us-west'), '10.88.2.1');
  await Promise.all([owners, neighbour].map(ready));
  await eventually(() => servedBy(neighbour).includes('10.88.1.1'), 'us-west does not know us-east');
}, START_MS);
afterEach(() => {
  expect(trustOf(neighbour)).toContain('us-east.hawser');
  expect(servedBy(neighbour)).toContain('10.88.1.1');
});
afterAll(async () => {
  await Promise.all(running.map((agent) => agent.stop()));
  await hub?.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}, START_MS);

describe('an agent with keys of another cluster', { timeout: 120_000 }, () => {
  it('does not start on a copy of its identity folder under another name', async () => {
    const copy = join(folder, 'copy');
    cpSync(owner.identityDir, copy, { recursive: true });
    const thief = loadOrEnroll({ stateDir: join(folder, 'thief'), identityDir: copy, token: await token('thief'), log: silent });
    await expect(thief).rejects.toThrow(/holds the identity of cluster us-east, not of thief/);
  });

  it('does not start on a copy of its signing keys, as they are or renamed', async () => {
    const thief = await enrol('thief');
    const stolen = join(thief.identityDir, 'ca');
    cpSync(join(owner.identityDir, 'ca'), stolen, { recursive: true });
    cpSync(join(owner.identityDir, 'ca-encryption.key'), join(thief.identityDir, 'ca-encryption.key'));
    await expect(start(thief, '10.88.3.1')).rejects.toThrow(/holds the authority of us-east\.hawser, not of thief\.hawser/);
    for (const name of readdirSync(stolen))
      writeFileSync(join(stolen, name), readFileSync(join(stolen, name), 'utf8').replaceAll('"us-east.hawser"', '"thief.hawser"'));
    await expect(start(thief, '10.88.3.2')).rejects.toThrow(/is damaged, or was moved here from elsewhere/);
  });

  it('is believed by nobody when it makes a root of its own of the key; everybody says whose the key is', async () => {
    const thief = await enrol('forger');
    const { stored } = (await new GenerationStore(owner.identityDir).read()) ?? {};
    const [first] = stored?.generations ?? [];
    if (first?.key === undefined) throw new Error('us-east has no key');
    const encryption = await loadCaEncryption({}, owner.identityDir, false);
    const pem = encryption.open(first.key, { trustDomain: 'us-east.hawser', generation: first.id });
    const key = signingKeyOf(pem);
    const keys = { privateKey: await webSigningKey(key), publicKey: await webPublicKey(key) };
    const root = await forgeRoot('forger.hawser', { keys, pathLength: 1 });
    const certificates = [`${root.certificate.toString('pem')}\n`];
    const brought = broughtAuthority({ certificates, key: pem }, { trustDomain: 'forger.hawser', now: Date.now() });
    await importAuthority({ identityDir: thief.identityDir, trustDomain: 'forger.hawser' }, brought);
    const agent = await start(thief, '10.88.4.1', 'details');
    await ready(agent);
    // It is heard: what it exports is known, and its bundle is not taken.
    await eventually(() => neighbour.world().clusters.some(({ name }) => name === 'forger'), 'us-west does not know the forger');
    await eventually(
      () => told(neighbour).includes('authority of us-east.hawser'),
      () => `us-west does not say whose key it is: ${told(neighbour)}`,
    );
    for (const one of [owners, neighbour]) expect(trustOf(one)).not.toContain('forger.hawser');
    const bundle = await fetch(`${hub.url}/spiffe/v1/bundles/forger.hawser`);
    expect(bundle.status).toBe(404);
  });

  it('is a second agent of that cluster at most, and silent while the owner speaks', async () => {
    const copy = join(folder, 'second');
    cpSync(owner.identityDir, copy, { recursive: true });
    const member = await loadOrEnroll({ stateDir: join(folder, 'elsewhere'), identityDir: copy, cluster: 'us-east', log: silent });
    const second = await start(member, '10.88.5.1');
    await ready(second);
    await eventually(() => owners.publishes, 'the owner does not publish');
    expect(second.publishes).toBe(false);
    await eventually(() => servedBy(second).includes('10.88.2.1'), 'the copy hears nobody');
    for (const one of [owners, neighbour]) expect(servedBy(one)).not.toContain('10.88.5.1');
  });
});
