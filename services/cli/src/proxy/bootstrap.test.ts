import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activeRequests } from './active-requests.ts';
import { type BootstrapOptions, envoyBootstrap, nodeId, splitAddress } from './bootstrap.ts';
import { writeTokenSecret } from './token-secret.ts';

const SIDECAR: BootstrapOptions = {
  role: 'sidecar',
  cluster: 'us-east',
  name: 'reviews-v1',
  namespace: 'bookinfo',
  serviceAccount: 'reviews',
  address: '127.80.0.11',
  agent: '127.80.0.1:15010',
  token: { secretFile: '/run/hawser/token.json' },
  region: 'us-east',
  zone: 'us-east-a',
};
const GATEWAY: BootstrapOptions = {
  role: 'gateway',
  cluster: 'us-east',
  name: 'gateway',
  namespace: 'hawser-system',
  serviceAccount: 'gateway',
  address: '::1',
  agent: '[::1]:15010',
  token: { text: 'a.b.c' },
};

describe('envoyBootstrap', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['sidecar', SIDECAR],
    ['gateway', GATEWAY],
    ['sidecar-of-two-agents', { ...SIDECAR, agent: '127.80.0.1:15010,127.80.0.2:15010' }],
    ['outbound-gateway', { ...SIDECAR, outboundGateway: true as const }],
    ['sidecar-of-a-service', { ...SIDECAR, agent: 'hawser-agent.hawser-system.svc:15010' }],
  ])('is the golden one for a %s, and Envoy accepts it', async (name, options) => {
    const text = `${JSON.stringify(envoyBootstrap(options), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`testdata/bootstrap-${name}.json`);
    const [file, secret] = [join(folder, `${name}.json`), join(folder, 'token.json')];
    writeTokenSecret(secret, 'a.b.c');
    writeFileSync(file, text.replace('/run/hawser/token.json', secret));
    expect(execFileSync(envoyBinary(), ['--mode', 'validate', '-l', 'error', '-c', file], { encoding: 'utf8' })).toContain('OK');
  });

  it('names the node ROLE~ADDRESS~NAME.NAMESPACE~CLUSTER', () => {
    expect(nodeId(SIDECAR)).toBe('sidecar~127.80.0.11~reviews-v1.bookinfo~us-east');
  });

  it.each(['', '127.0.0.1', '127.0.0.1:', ':15010', '127.0.0.1:70000', 'a:b:1', '[::1]'])('refuses %j as an address', (text) => {
    expect(() => splitAddress(text)).toThrow(/expected IP:PORT/);
  });
});

it('counts requests in progress and inbound TCP, not who watches or pools', () => {
  const stats = [
    'http.admin.downstream_rq_active: 1',
    'http.hawser_stats.downstream_rq_active: 1',
    'http.outbound.downstream_rq_active: 2',
    'http.inbound.downstream_rq_active: 3',
    'http.inbound.downstream_cx_active: 100',
    'tcp.3306.db.shop.downstream_cx_active: 4',
    'tcp.tunnel|us-west.downstream_cx_active: 5',
    'tcp.outbound_tcp|3306|db.shop.svc.clusterset.local.downstream_cx_active: 6',
    'nonsense',
    '',
  ];
  expect(activeRequests(stats.join('\n'))).toBe(9);
  // What leads out of an outbound gateway is its callers'.
  expect(activeRequests(stats.join('\n'), true)).toBe(15);
});
