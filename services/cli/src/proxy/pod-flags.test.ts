import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { completeFlags } from './pod-flags.ts';
import { type ProxyRunFlags, proxyOf } from './proxy-flags.ts';

const POD = {
  HAWSER_CLUSTER: 'us-east',
  HAWSER_POD_NAME: 'web-0',
  HAWSER_POD_NAMESPACE: 'shop',
  HAWSER_SERVICE_ACCOUNT: 'web',
  HAWSER_POD_IP: '10.1.0.7',
  HAWSER_PROXY_TOKEN_FILE: '/var/run/secrets/hawser/token',
};
const REST = { drain: '10s', concurrency: '1', stateDir: '/tmp', server: '' };

it('a Pod says who its proxy is: POD.NAMESPACE', () => {
  const flags = completeFlags<ProxyRunFlags>(REST, POD);
  expect(proxyOf(flags)).toMatchObject({
    ...{ cluster: 'us-east', name: 'web-0.shop', namespace: 'shop', serviceAccount: 'web', address: '10.1.0.7' },
    adminAddress: '127.0.0.1',
  });
  expect(flags.tokenFile).toBe('/var/run/secrets/hawser/token');
});

it('a flag wins over what the Pod says', () => {
  expect(completeFlags<ProxyRunFlags>({ ...REST, name: 'mine', serviceAccount: 'other' }, POD)).toMatchObject({
    name: 'mine',
    serviceAccount: 'other',
    namespace: 'shop',
  });
});

it.each([
  ['HAWSER_CLUSTER', '--cluster is missing (in a Pod: HAWSER_CLUSTER)'],
  ['HAWSER_POD_NAME', '--name is missing (in a Pod: HAWSER_POD_NAME)'],
  ['HAWSER_POD_IP', '--address is missing (in a Pod: HAWSER_POD_IP)'],
  ['HAWSER_PROXY_TOKEN_FILE', '--token-file is missing (in a Pod: HAWSER_PROXY_TOKEN_FILE)'],
])('without %s it says what is missing', (variable, message) => {
  expect(() => completeFlags<ProxyRunFlags>(REST, { ...POD, [variable]: '' })).toThrow(message);
});

it('labels are those of the Pod and those of the flags', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-pod-'));
  const file = join(folder, 'labels');
  writeFileSync(file, 'app="web"\napp.kubernetes.io/version="1.2"\nempty=""');
  const flags = completeFlags<ProxyRunFlags>({ ...REST, label: ['more=yes'] }, { ...POD, HAWSER_POD_LABELS_FILE: file });
  rmSync(folder, { recursive: true });
  expect(proxyOf(flags).labels).toEqual({ app: 'web', 'app.kubernetes.io/version': '1.2', empty: '', more: 'yes' });
});

it('a workload calls its sidecar on loopback, wherever that is', () => {
  const at = (outboundAddress: string) => proxyOf(completeFlags<ProxyRunFlags>({ ...REST, outboundAddress }, POD));
  expect(at('127.0.0.7').outboundAddress).toBe('127.0.0.7');
  expect(() => at('10.1.0.7')).toThrow('--outbound-address 10.1.0.7: must be an address of loopback');
});

it('an outbound gateway has its identity, and is called at its own address alone', () => {
  const { HAWSER_POD_NAMESPACE: _namespace, HAWSER_SERVICE_ACCOUNT: _account, ...pod } = POD;
  const of = (more: object) => proxyOf(completeFlags<ProxyRunFlags>({ ...REST, outboundGateway: true, ...more }, pod));
  expect(of({})).toMatchObject({ role: 'sidecar', namespace: 'hawser-system', serviceAccount: 'hawser-outbound', outboundGateway: true });
  expect(of({ namespace: 'mesh', serviceAccount: 'out' })).toMatchObject({ namespace: 'mesh', serviceAccount: 'out' });
  for (const [flag, other] of Object.entries({
    gateway: { gateway: true },
    edge: { edge: true },
    capture: { capture: true },
    'workload-group': { workloadGroup: 'web' },
    'outbound-address': { outboundAddress: '127.0.0.7' },
  }))
    expect(() => of(other)).toThrow(`it does not go with --${flag}`);
});
