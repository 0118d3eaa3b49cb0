/** Trust domains as operators see them, and clusters that leave, in peace or cut off: a hub with a NATS of its own, three agents with their own keys, and the commands of `hawser cluster`. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAgent, startAgent } from '@hawser/agent/agent.ts';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { loadOrEnroll, type Member } from '@hawser/agent/feed/membership.ts';
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import { clusterUserJwt, createUserKey } from '@hawser/bus/nats-accounts.ts';
import { type Outcome, runHere } from '@hawser/cli/command-fixture.ts';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import { HubProcess, silent } from '@hawser/hub/hub-process-fixture.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { FACTS_KEY, FLEET_PREFIX, inboxPrefix, shardKey } from '@hawser/wire/subjects.ts';
import type { SpiffeBundle } from '@hawser/wire/trust-domains.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorityCertificate } from '../kit/authority-certificates.ts';
import { serviceFile } from '../kit/federation.ts';
import { eventually, ready, servedBy } from '../kit/served.ts';

const START_MS = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'hawser-leave-'));
const hubDir = join(folder, 'hub');
const members = new Map<string, Member>();
const agents = new Map<string, RunningAgent>();
let hub: HubProcess;

async function token(cluster: string): Promise<string> {
  const spec = { cluster, region: cluster };
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name: `${cluster}-${Date.now()}` }, spec };
  return (
    (await hub.call<Resource<unknown, { token: string }>>('POST', '/apis/hawser.dev/v1alpha1/jointokens', body)).body.status?.token ?? ''
  );
}

async function enter(name: string, address: string): Promise<void> {
  const registryDir = join(folder, 'registry', name);
  mkdirSync(registryDir, { recursive: true });
  writeFileSync(join(registryDir, 'reviews.yaml'), serviceFile('reviews', [address]));
  const stateDir = join(folder, name);
  const member = await loadOrEnroll({ stateDir, token: await token(name), log: silent });
  const config = loadAgentConfig({ registryDir, stateDir, xdsPort: '0', adminPort: '0', gateway: `${address}:15443` }, {});
  const agent = await startAgent({ config, member, log: silent, checkMs: 0 });
  members.set(name, member);
  agents.set(name, agent);
}

const agentOf = (name: string): RunningAgent => agents.get(name) as RunningAgent;
const memberOf = (name: string): Member => members.get(name) as Member;
const hawser = (...args: string[]): Promise<Outcome> =>
  runHere(args, { env: { ...process.env, HAWSER_SERVER: hub.url, HAWSER_TOKEN: hub.headers.authorization.slice('Bearer '.length) } });
const trustOf = (agent: RunningAgent): string =>
  Buffer.from(agent.store.get('sidecar', 'SDS', 'trust|inbound')?.bytes ?? []).toString('latin1');

beforeAll(async () => {
  hub = await HubProcess.start(hubDir);
  await enter('us-east', '10.77.1.1');
  await enter('us-west', '10.77.2.1');
  await enter('eu-west', '10.77.3.1');
  for (const agent of agents.values()) await ready(agent);
  for (const agent of agents.values())
    await eventually(
      () => ['10.77.1.1', '10.77.2.1', '10.77.3.1'].every((address) => servedBy(agent).includes(address)),
      () => `not every agent serves every endpoint: ${servedBy(agent)}`,
    );
}, START_MS);

afterAll(async () => {
  await Promise.all([...agents.values()].map((agent) => agent.stop()));
  await hub?.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

describe('bundles', () => {
  const bundleOf = (name: string) => fetch(`${hub.url}/spiffe/v1/bundles/${name}`);

  it('are served to anybody, each by itself, with a sequence that a restart does not change', async () => {
    const first = await bundleOf('us-east.hawser');
    expect(first.status).toBe(200);
    const bundle = (await first.json()) as SpiffeBundle;
    const root = new X509Certificate(Buffer.from(bundle.keys[0]?.x5c[0] ?? '', 'base64'));
    expect(root.subjectAltName).toBe('URI:spiffe://us-east.hawser');
    expect(bundle).toEqual({
      spiffe_sequence: expect.any(Number),
      spiffe_refresh_hint: 300,
      keys: [expect.objectContaining({ use: 'x509-svid', kty: 'EC' })],
    });
    await hub.end('SIGTERM');
    await hub.start();
    await eventually(async () => (await bundleOf('us-east.hawser')).status === 200, 'the hub does not hear us-east again');
    expect(await (await bundleOf('us-east.hawser')).json()).toEqual(bundle);
  }, 120_000);

  it('of nobody, or of a cluster that has not been heard, are not there, with the reason', async () => {
    expect(await (await bundleOf('nowhere.test')).json()).toMatchObject({
      code: 404,
      message: expect.stringContaining('no trust domain of a cluster'),
    });
    expect((await bundleOf('NO%2Fname')).status).toBe(400);
  });

  it('are shown, verify what their agents issue, and can be taken along', async () => {
    const roots = await hawser('trust', 'roots');
    expect(roots.stdout.trim().split('\n')).toHaveLength(4);
    await eventually(
      async () => (await hawser('trust', 'roots', 'us-west.hawser')).stdout.includes('active'),
      'no agent accounts for its root',
    );
    expect(await hawser('trust', 'roots', 'nowhere.test')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no trust domain nowhere.test'),
    });
    const { stdout } = await hawser('trust', 'status', '-o', 'json');
    expect(JSON.parse(stdout).items).toMatchObject([
      { name: 'eu-west.hawser' },
      { name: 'us-east.hawser', federatesWith: ['*'] },
      { name: 'us-west.hawser' },
    ]);
    const file = join(folder, 'us-east.pem');
    expect((await hawser('trust', 'export', 'us-east.hawser', '--out', file)).status).toBe(0);
    expect(new X509Certificate(readFileSync(file)).ca).toBe(true);
    expect((await hawser('trust', 'export', 'us-east.hawser', '-o', 'spiffe', '--out', join(folder, 'b.json'))).status).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, 'b.json'), 'utf8')).keys).toHaveLength(1);
    expect(await hawser('trust', 'verify', file)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('it is the certificate of an authority'),
    });
    for (const { stdout: text } of [roots, await hawser('trust', 'roots', '-o', 'json')]) expect(text).not.toContain('PRIVATE');
  }, 120_000);
});

describe('who trusts whom', () => {
  const ALL = ['us-east', 'us-west', 'eu-west'];
  const trustDomain = (name: string, spec: object) =>
    hub.call('POST', '/apis/hawser.dev/v1alpha1/trustdomains', {
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrustDomain',
      metadata: { name },
      spec,
    });

  it('is what is written, for callers and for servers, and everybody again when it is taken back', async () => {
    expect((await trustDomain('us-west.hawser', { federatesWith: ['eu-west.hawser'] })).status).toBe(201);
    await eventually(() => !trustOf(agentOf('us-west')).includes('us-east.hawser'), 'us-west believes us-east still');
    await eventually(() => !servedBy(agentOf('us-east')).includes('10.77.2.1'), 'us-east calls us-west, which would refuse it');
    // Its own word about callers is one direction: us-east said nothing, so it believes all.
    expect(trustOf(agentOf('us-east'))).toContain('us-west.hawser');
    expect(servedBy(agentOf('eu-west'))).toContain('10.77.2.1');
    const { stdout } = await hawser('who-serves', 'bookinfo/reviews', '--from', 'us-east', '-o', 'json');
    const reason = 'us-east.hawser and us-west.hawser do not federate with each other';
    expect(JSON.parse(stdout).answers[0].excluded).toEqual([{ cluster: 'us-west', endpoints: 1, reason }]);
    await eventually(() => JSON.stringify(agentOf('us-east').world().warnings).includes('do not federate'), 'us-east does not say why');
    await hub.call('DELETE', '/apis/hawser.dev/v1alpha1/trustdomains/us-west.hawser');
    await eventually(() => servedBy(agentOf('us-east')).includes('10.77.2.1'), 'us-east does not call us-west again');
    await eventually(() => trustOf(agentOf('us-west')).includes('us-east.hawser'), 'us-west does not believe us-east again');
  }, 120_000);

  it('has a default for those that do not say it', async () => {
    await trustDomain('default', { federatesWith: [] });
    for (const name of ALL) {
      const others = ALL.filter((other) => other !== name);
      await eventually(() => others.every((other) => !trustOf(agentOf(name)).includes(`${other}.hawser`)), `${name} believes others`);
      expect(trustOf(agentOf(name))).toContain(`${name}.hawser`);
    }
    await hub.call('DELETE', '/apis/hawser.dev/v1alpha1/trustdomains/default');
    for (const name of ALL)
      await eventually(
        () => ALL.every((other) => trustOf(agentOf(name)).includes(`${other}.hawser`)),
        `${name} does not believe all again`,
      );
  }, 120_000);

  it('an external trust domain is believed by the hub’s word, as long as it gives it', async () => {
    const bootstrapBundle = await authorityCertificate('out');
    expect((await trustDomain('out.test', { source: { type: 'external', bootstrapBundle } })).status).toBe(201);
    await eventually(() => trustOf(agentOf('us-east')).includes('spiffe://out.test/'), 'us-east does not believe out.test');
    await hub.call('DELETE', '/apis/hawser.dev/v1alpha1/trustdomains/out.test');
    await eventually(() => !trustOf(agentOf('us-east')).includes('out.test'), 'us-east believes out.test still');
  }, 120_000);

  it('a namespace that a cluster may not export is not taken from it', async () => {
    const allow = (exports: object | null) =>
      fetch(`${hub.url}/apis/hawser.dev/v1alpha1/clusters/us-west`, {
        method: 'PATCH',
        headers: { ...hub.headers, 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ spec: { exports } }),
      });
    expect((await allow({ namespaces: ['shop'] })).status).toBe(200);
    await eventually(() => !servedBy(agentOf('us-east')).includes('10.77.2.1'), 'us-east takes bookinfo of us-west still');
    expect(servedBy(agentOf('us-west'))).toContain('10.77.2.1');
    const { stdout } = await hawser('who-serves', 'bookinfo/reviews', '--from', 'us-east', '-o', 'json');
    expect(JSON.parse(stdout).answers[0].excluded[0].reason).toBe('us-west may not export services of namespace bookinfo');
    await eventually(() => JSON.stringify(agentOf('us-east').world().warnings).includes('may not export'), 'us-east does not say why');
    await allow(null);
    await eventually(() => servedBy(agentOf('us-east')).includes('10.77.2.1'), 'us-east does not take it again');
  }, 120_000);
});

describe('revoke', () => {
  let rogue: Bus;

  it('without --yes says what it breaks, and does nothing', async () => {
    for (const flag of [[], ['--dry-run']]) {
      const { stdout, stderr } = await hawser('cluster', 'revoke', 'us-west', ...flag);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/us-west leaves the federation with 1 exported endpoints[\s\S]*others too \(1\): bookinfo\/reviews/);
    }
    expect((await hawser('cluster', 'revoke', 'nowhere', '--yes')).stderr).toMatch(/nowhere is no member/);
    expect(servedBy(agentOf('us-east'))).toContain('10.77.2.1');
  }, 60_000);

  it('cuts its user, its bundle and its endpoints off everywhere', async () => {
    const unused = await token('us-west');
    expect(trustOf(agentOf('us-east'))).toContain('us-west.hawser');
    const { natsUrls, natsJwt, cluster } = memberOf('us-west').membership;
    rogue = await connectBus({
      ...{ urls: natsUrls, name: 'rogue', log: silent, inboxPrefix: inboxPrefix(cluster) },
      credentials: { jwt: natsJwt, seed: memberOf('us-west').natsSeed },
    });
    await rogue.ready();
    const done = await hawser('cluster', 'revoke', 'us-west', '--yes', '--reason', 'keys copied', '--timeout', '60s');
    expect(done).toMatchObject({ status: 0, stdout: 'cluster/us-west revoked\n' });
    for (const name of ['us-east', 'eu-west']) {
      await eventually(() => !servedBy(agentOf(name)).includes('10.77.2.1'), `${name} still calls us-west`);
      await eventually(() => !trustOf(agentOf(name)).includes('us-west.hawser'), `${name} still believes us-west`);
      expect(servedBy(agentOf(name))).toContain('10.77.1.1');
    }
    await eventually(() => !rogue.connected, 'its connection to NATS still stands');
    // Whoever had the cluster may have had this too.
    await expect(loadOrEnroll({ stateDir: join(folder, 'again'), token: unused, log: silent })).rejects.toThrow(/expired; make a new one/);
    const history = await hub.call<{ items: { reason?: string }[] }>('GET', '/apis/hawser.dev/v1alpha1/clusters/us-west/history');
    expect(JSON.stringify(history.body)).toContain('keys copied');
  }, 120_000);

  it('its agent, still running, says that the hub refuses it', async () => {
    const told = (): string => JSON.stringify(agentOf('us-west').world().warnings);
    await eventually(
      () => told().includes('it was revoked, removed, or never joined'),
      () => `it knows of nothing: ${told()}`,
      120_000,
    );
  }, 150_000);

  it('nothing that it publishes acts on any agent, even where NATS has not heard of it', async () => {
    // As with a NATS whose operator has not reloaded it: a user of the cluster that the server takes, and the cluster's own keys.
    const { operator } = await loadHubKeys(join(hubDir, 'hub', 'keys'));
    const { publicKey, seed } = createUserKey();
    const jwt = await clusterUserJwt(operator, { cluster: 'us-west', userPublicKey: publicKey, expiresAt: new Date(Date.now() + 600_000) });
    const { natsUrls, epoch } = memberOf('us-west').membership;
    const bus = await connectBus({
      urls: natsUrls,
      name: 'rogue',
      credentials: { jwt, seed },
      inboxPrefix: inboxPrefix('us-west'),
      log: silent,
    });
    await bus.ready();
    const { signer } = memberOf('us-west');
    const endpoint = { address: '10.99.9.9', targetPorts: { '80': 80 }, labels: {}, serviceAccount: 'reviews', health: 'HEALTHY' };
    const claims = [
      { from: 'us-west', epoch },
      { from: 'us-west', epoch: epoch + 1_000_000 },
      { from: 'eu-west', epoch: memberOf('eu-west').membership.epoch },
    ];
    for (const { from, epoch: claimed } of claims) {
      const shard = { cluster: from, namespace: 'bookinfo', service: 'reviews', exported: true };
      const bodies = {
        [FACTS_KEY]: { trustBundle: [], gateways: ['10.99.9.9:15443'] },
        [shardKey('bookinfo', 'reviews')]: { ...shard, ports: [{ port: 80, protocol: 'http' }], endpoints: [endpoint] },
      };
      for (const [key, body] of Object.entries(bodies)) {
        const document = { protocol: PROTOCOL, from, to: '*', key, epoch: claimed, revision: 2 ** 45, part: 0, parts: 1, body };
        const stored = await bus.request(`${FLEET_PREFIX}.us-west.${key}`, seal(document, signer), { timeoutMs: 10_000 });
        expect(Buffer.from(stored.bytes).toString()).toContain('"seq"');
      }
    }
    // What others say afterwards arrives: by then the forged documents have been seen too, for a stream is read in its order.
    writeFileSync(join(folder, 'registry', 'eu-west', 'reviews.yaml'), serviceFile('reviews', ['10.77.3.2']));
    for (const name of ['us-east', 'eu-west']) {
      await eventually(() => servedBy(agentOf(name)).includes('10.77.3.2'), `${name} does not hear eu-west any more`);
      expect(JSON.stringify(agentOf(name).world())).not.toContain('10.99.9.9');
      expect(servedBy(agentOf(name))).not.toContain('10.99.9.9');
    }
    await Promise.all([bus.close(), rogue.close()]);
  }, 180_000);

  it('it comes back by a new token, with keys of its own', async () => {
    await agentOf('us-west').stop();
    agents.delete('us-west');
    rmSync(join(folder, 'us-west'), { recursive: true });
    await enter('us-west', '10.77.2.9');
    await eventually(() => servedBy(agentOf('us-east')).includes('10.77.2.9'), 'us-east does not call it again');
  }, 120_000);
});

describe('remove', () => {
  it('refuses what would leave a service with nobody', async () => {
    writeFileSync(join(folder, 'registry', 'us-west', 'ratings.yaml'), serviceFile('ratings', ['10.77.2.9']));
    await eventually(() => servedBy(agentOf('us-east'), 'ratings').includes('10.77.2.9'), 'us-east does not know ratings');
    await eventually(async () => {
      const { stderr } = await hawser('cluster', 'remove', 'us-west', '--dry-run');
      return stderr.includes('NOBODY ELSE (1): bookinfo/ratings');
    }, 'the hub does not know of ratings');
    const refused = await hawser('cluster', 'remove', 'us-west', '--yes');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/would have no endpoint left/);
    expect(servedBy(agentOf('us-east'))).toContain('10.77.2.9');
  }, 120_000);

  it('drains: callers leave its endpoints alone while it is still a member, and can be called back', async () => {
    const patch = (draining: boolean) =>
      fetch(`${hub.url}/apis/hawser.dev/v1alpha1/clusters/us-west`, {
        method: 'PATCH',
        headers: { ...hub.headers, 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ spec: { draining } }),
      });
    expect((await patch(true)).status).toBe(200);
    await eventually(() => !servedBy(agentOf('us-east')).includes('10.77.2.9'), 'us-east calls it still');
    expect(trustOf(agentOf('us-east'))).toContain('us-west.hawser');
    expect(servedBy(agentOf('us-west'))).toContain('10.77.2.9');
    const { stdout } = await hawser('who-serves', 'bookinfo/reviews', '--from', 'us-east', '-o', 'json');
    expect(JSON.parse(stdout).answers[0].excluded).toEqual([{ cluster: 'us-west', endpoints: 1, reason: 'us-west is draining' }]);
    await patch(false);
    await eventually(() => servedBy(agentOf('us-east')).includes('10.77.2.9'), 'us-east does not call it again');
  }, 120_000);

  it('takes it out, once nobody calls it', async () => {
    const done = await hawser('cluster', 'remove', 'us-west', '--yes', '--force', '--timeout', '60s');
    expect(done).toMatchObject({ status: 0, stdout: 'cluster/us-west removed\n' });
    await eventually(() => !trustOf(agentOf('us-east')).includes('us-west.hawser'), 'us-east believes it still');
    expect(servedBy(agentOf('us-east'))).not.toContain('10.77.2.9');
  }, 120_000);
});
