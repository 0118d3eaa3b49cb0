import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { createAuthority } from '../../../../test/behaviour/kit/site-certificates.ts';
import { createTrustDomain, type Identity } from '../../../../test/datapath/kit/pki.ts';
import { RegistryDirectory } from './registry-directory.ts';
import type { SecretObject } from './registry-kinds.ts';
import type { RegistryRead } from './registry-source.ts';
import { credentialsOf, credentialWarnings } from './secrets.ts';

let first: Identity;
let second: Identity;
let root: string;

beforeAll(async () => {
  const domain = await createTrustDomain('secrets.test');
  [first, second, root] = [await domain.issue('spiffe://a/b'), await domain.issue('spiffe://a/c'), domain.bundle];
});

function secret(data: Readonly<Record<string, string>>, as: 'data' | 'stringData' = 'stringData'): SecretObject {
  const values = Object.entries(data).map(([key, value]) => [key, as === 'data' ? Buffer.from(value).toString('base64') : value]);
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'site', namespace: 'ingress' }, [as]: Object.fromEntries(values) };
}

it('reads a kubernetes.io/tls Secret, and the generic form that Istio takes', () => {
  const tls = secret({ 'tls.crt': first.certificate, 'tls.key': first.key, 'ca.crt': root }, 'data');
  const generic = secret({ cert: first.certificate, key: first.key, cacert: root });
  const [a, b] = [tls, generic].map((one) => credentialsOf([one], new Map()).get('ingress/site'));
  expect(a?.problem).toBeUndefined();
  expect(a?.keyPair?.certificate.trim()).toBe(first.certificate.trim());
  expect(a?.authorities?.trim()).toBe(root.trim());
  expect(b).toEqual(a);
});

it.each([
  [
    'a key of another certificate',
    () => ({ 'tls.crt': first.certificate, 'tls.key': second.key }),
    'is not the key of the first certificate',
  ],
  ['no key', () => ({ 'tls.crt': first.certificate }), 'data[tls.key] is missing'],
  ['no certificate at all', () => ({ note: 'x' }), 'neither tls.crt with tls.key nor ca.crt'],
  ['a certificate that is none', () => ({ 'tls.crt': 'x', 'tls.key': first.key }), 'holds no certificate in PEM'],
  ['a list of nothing', () => ({ 'ca.crt': root, 'ca.crl': 'x' }), 'holds no revocation list'],
])('names %s, and shows nothing of it', (_what, data, message) => {
  const credentials = credentialsOf([secret(data())], new Map());
  expect(credentialWarnings(credentials)).toEqual([expect.stringContaining(message)]);
  expect(credentialWarnings(credentials).join()).not.toContain('PRIVATE KEY');
});

it('takes a revocation list, and refuses one that Envoy would refuse', async () => {
  const authority = await createAuthority('revoking.test');
  const list = await authority.revoke([await authority.issue(['gone.test'])]);
  const [good] = credentialsOf([secret({ 'ca.crt': root, 'ca.crl': list })], new Map()).values();
  expect(good?.problem).toBeUndefined();
  expect(good?.revoked?.trim()).toBe(list.trim());
  const cut = Buffer.from(list.replace(/-----[^-]+-----/g, ''), 'base64')
    .subarray(0, -9)
    .toString('base64');
  const broken = `-----BEGIN X509 CRL-----\n${cut}\n-----END X509 CRL-----\n`;
  expect(credentialWarnings(credentialsOf([secret({ 'ca.crt': root, 'ca.crl': broken })], new Map())).join()).toContain(
    'list 1 cannot be read',
  );
});

it('keeps the last good state of one that breaks or goes, and takes the next good one', () => {
  const good = credentialsOf([secret({ 'tls.crt': first.certificate, 'tls.key': first.key })], new Map());
  const broken = credentialsOf([secret({ 'tls.crt': first.certificate, 'tls.key': 'x' })], good);
  const gone = credentialsOf([], broken);
  for (const state of [broken, gone]) expect(state.get('ingress/site')?.keyPair).toEqual(good.get('ingress/site')?.keyPair);
  expect(broken.get('ingress/site')?.problem).toMatch(/not a private key.*last good state is used/);
  expect(gone.get('ingress/site')?.problem).toBe('it is gone from the registry (its last good state is used)');
  expect(credentialsOf([], gone)).toBe(gone);
  const next = credentialsOf([secret({ 'tls.crt': second.certificate, 'tls.key': second.key })], gone).get('ingress/site');
  expect(next?.problem).toBeUndefined();
  expect(next?.keyPair?.certificate.trim()).toBe(second.certificate.trim());
});

it('warns of a Secret that others than its owner may read, until they may not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-secret-'));
  const file = join(folder, 'site.yaml');
  writeFileSync(file, `${JSON.stringify(secret({ 'ca.crt': root }))}\n`, { mode: 0o644 });
  const reads: RegistryRead[] = [];
  const directory = new RegistryDirectory({ root: folder, onRead: (read) => reads.push(read), onHold: () => undefined });
  await directory.start();
  const warned = [expect.stringContaining('site.yaml: it holds a Secret')];
  await vi.waitFor(() => expect(reads.at(-1)?.warnings.map(({ message }) => message)).toEqual(warned), 10_000);
  chmodSync(file, 0o600);
  await directory.rescan();
  expect(reads.at(-1)?.warnings).toEqual([]);
  expect(reads.at(-1)?.objects).toHaveLength(1);
  await directory.stop();
  rmSync(folder, { recursive: true });
});
