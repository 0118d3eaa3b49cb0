/** An edge proxy as an operator starts it: `hawser proxy run --edge`, an agent, and a Secret in its registry. Real NATS, agent and Envoy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { callOutside } from '../behaviour/kit/outside-client.ts';
import { createAuthority, hashOf } from '../behaviour/kit/site-certificates.ts';
import type { Identity } from '../datapath/kit/pki.ts';
import { startFederation, type TestFederation } from '../kit/federation.ts';

const MAIN = join(import.meta.dirname, '../../services/cli/src/main.ts');
const ADDRESS = `127.82.${1 + Math.floor(Math.random() * 250)}.5`;
const HOST = 'shop.example.com';
const PATIENCE = { timeout: 20_000, interval: 50 };

let federation: TestFederation;
let agent: RunningAgent;
const proxies: ChildProcess[] = [];

function policy(kind: string, name: string, spec: unknown): Resource {
  return { apiVersion: 'networking.istio.io/v1', kind, metadata: { namespace: 'ingress', name }, spec } as Resource;
}

const SERVER = { port: { number: 8443, name: 'https', protocol: 'HTTPS' }, hosts: [HOST], tls: { mode: 'SIMPLE', credentialName: 'shop' } };
const POLICIES = [
  policy('Gateway', 'site', { selector: { istio: 'ingressgateway' }, servers: [SERVER] }),
  policy('VirtualService', 'shop', { hosts: [HOST], gateways: ['site'], http: [{ directResponse: { status: 299 } }] }),
];

function putSecret({ certificate, key }: Identity): void {
  const data = { 'tls.crt': Buffer.from(certificate).toString('base64'), 'tls.key': Buffer.from(key).toString('base64') };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'shop', namespace: 'ingress' }, type: 'kubernetes.io/tls', data };
  federation.cluster('us-east').put('shop.json', `${JSON.stringify(secret)}\n`);
}

/** `hawser proxy run --edge`, until it ends or the test does. */
async function startProxy(): Promise<void> {
  const identity = { cluster: 'us-east', namespace: 'ingress', serviceAccount: 'ingress' };
  const token = await mintProxyToken({ agentDir: agentFolder(federation.folder, 'us-east'), ...identity, edge: true });
  const tokenFile = join(federation.folder, 'edge.token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const who = [
    '--cluster',
    'us-east',
    '--name',
    'ingress-1',
    '--namespace',
    'ingress',
    '--service-account',
    'ingress',
    '--address',
    ADDRESS,
  ];
  const where = ['--agent', `127.0.0.1:${agent.xdsPort}`, '--agent-admin', `127.0.0.1:${agent.adminPort}`, '--token-file', tokenFile];
  const flags = ['--edge', '--label', 'istio=ingressgateway', '--state-dir', federation.folder, '--drain', '1s'];
  proxies.push(spawn(process.execPath, [MAIN, 'proxy', 'run', ...flags, ...who, ...where], { stdio: 'ignore' }));
}

/** Calls until the certificate presented is this one. */
function expectCertificate(identity: Identity): Promise<void> {
  return vi.waitFor(async () => {
    const { status, certificate } = await callOutside({ address: ADDRESS, port: 8443 }, { host: HOST, tls: {} });
    expect(status).toBe(299);
    expect(certificate?.fingerprint.replaceAll(':', '').toLowerCase()).toBe(hashOf(identity));
  }, PATIENCE);
}

beforeAll(async () => {
  federation = await startFederation(['us-east']);
  await federation.configure('us-east', 1, POLICIES);
  agent = await federation.cluster('us-east').start();
});

afterAll(async () => {
  for (const proxy of proxies) proxy.kill('SIGKILL');
  await federation.stop();
});

it('serves by a Secret of the registry, takes its successor, and keeps it when it is gone, over a restart too', async () => {
  const authority = await createAuthority('sites');
  const [first, second] = [await authority.issue([HOST]), await authority.issue([HOST])];
  await startProxy();
  putSecret(first);
  await expectCertificate(first);
  putSecret(second);
  await expectCertificate(second);
  rmSync(join(federation.cluster('us-east').registryDir, 'shop.json'));
  const gone = 'Secret ingress/shop: it is gone from the registry (its last good state is used)';
  await vi.waitFor(() => expect(agent.world().warnings.map(({ message }) => message)).toContain(gone), PATIENCE);
  await expectCertificate(second);
  const { xdsPort } = agent;
  await agent.stop();
  agent = await federation.cluster('us-east').start({ xdsPort });
  await expectCertificate(second);
  expect(agent.store.get(`edge:${ADDRESS}`, 'SDS', 'credential|ingress/shop')).toBeDefined();
}, 60_000);

it('shows no key to anybody who asks the agent, and keeps it in files of its owner alone', async () => {
  const admin = `http://127.0.0.1:${agent.adminPort}`;
  const answers = await Promise.all(
    ['/debug/world', '/debug/snapshot', '/metrics'].map(async (path) => (await fetch(`${admin}${path}`)).text()),
  );
  expect(answers.join()).not.toContain('PRIVATE KEY');
  const folder = agentFolder(federation.folder, 'us-east');
  const holding = readdirSync(folder).filter(
    (name) => statSync(join(folder, name)).isFile() && readFileSync(join(folder, name), 'utf8').includes('PRIVATE KEY'),
  );
  expect(holding.map((name) => (statSync(join(folder, name)).mode & 0o077).toString(8))).toEqual(holding.map(() => '0'));
});
