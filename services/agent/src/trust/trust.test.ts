/** The authority, its certificates and the proxies' tokens, checked by OpenSSL's eyes (node:crypto) and on disk. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Authority } from './authority.ts';
import { openAuthority } from './open-authority.ts';
import { mintProxyToken, PROXY_TOKEN_LIFE_MS, proxyTokenVerifier } from './proxy-tokens.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hawser-trust-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const modeOf = async (name: string): Promise<number> => (await stat(join(dir, name))).mode & 0o777;
const reviews = { namespace: 'bookinfo', serviceAccount: 'reviews' };

async function leafOf(authority: Authority, identity = reviews, lifeMs?: number): Promise<X509Certificate> {
  return new X509Certificate((await authority.issue(identity, lifeMs)).certificateChainPem);
}

/** OIDs of the extensions that are marked critical, read from the DER. */
function criticalOf(certificate: X509Certificate): string[] {
  const oids = { '55 1d 0f': 'keyUsage', '55 1d 13': 'basicConstraints', '55 1d 11': 'subjectAltName', '55 1d 25': 'extKeyUsage' };
  const hex = certificate.raw.toString('hex').replaceAll(/../g, '$& ');
  return Object.entries(oids).flatMap(([oid, name]) => (hex.includes(`06 03 ${oid} 01 01 ff `) ? [name] : []));
}

describe('authority', () => {
  test('the root is a SPIFFE signing certificate: critical CA, no path in its ID, key 0600', async () => {
    const authority = await openAuthority(dir, 'us-east.hawser');
    const [pem = ''] = authority.trustBundle;
    const root = new X509Certificate(pem);
    expect(root).toMatchObject({ ca: true, subjectAltName: 'URI:spiffe://us-east.hawser' });
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(criticalOf(root)).toEqual(['keyUsage', 'basicConstraints']);
    // BasicConstraints {CA:TRUE, pathLen 1}, for one intermediate; KeyUsage {keyCertSign, cRLSign}.
    expect(root.raw.toString('hex')).toContain('30060101ff020101');
    expect(root.raw.toString('hex')).toContain('0603551d0f0101ff040403020106');
    expect([await modeOf('ca/000001.json'), await modeOf('ca-encryption.key'), await modeOf('ca.pem')]).toEqual([0o600, 0o600, 0o644]);
    expect((await readdir(dir)).sort()).toEqual(['ca', 'ca-encryption.key', 'ca.pem']);
  });

  test('a leaf has exactly one URI SAN, is no CA, lives a day, back-dated, with a key of its own', async () => {
    const authority = await openAuthority(dir, 'us-east.hawser');
    const [pem = ''] = authority.trustBundle;
    const [leaf, other] = [await leafOf(authority), await leafOf(authority)];
    expect(leaf).toMatchObject({ ca: false, subjectAltName: 'URI:spiffe://us-east.hawser/ns/bookinfo/sa/reviews' });
    expect(leaf.verify(new X509Certificate(pem).publicKey)).toBe(true);
    expect(leaf.checkIssued(new X509Certificate(pem))).toBe(true);
    // Node calls the extended key usage so.
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(criticalOf(leaf)).toEqual(['keyUsage', 'basicConstraints', 'subjectAltName']);
    expect(leaf.raw.toString('hex')).toContain('0603551d0f0101ff040403020780');
    expect(leaf.validToDate.getTime() - leaf.validFromDate.getTime()).toBe(24 * 3_600_000 + 300_000);
    expect(other.serialNumber).not.toBe(leaf.serialNumber);
    expect(other.publicKey.equals(leaf.publicKey)).toBe(false);
  });

  test('the key of a leaf is the one that comes with it', async () => {
    const issued = await (await openAuthority(dir, 'us-east.hawser')).issue(reviews);
    expect(new X509Certificate(issued.certificateChainPem).checkPrivateKey(createPrivateKey(issued.privateKeyPem))).toBe(true);
  });

  test('opened again, by several at once too, it is the same root', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => openAuthority(dir, 'us-east.hawser')));
    const again = await openAuthority(dir, 'us-east.hawser');
    expect(new Set([...all, again].map(({ trustBundle }) => trustBundle[0])).size).toBe(1);
    const [pem = ''] = again.trustBundle;
    for (const authority of all) expect((await leafOf(authority)).verify(new X509Certificate(pem).publicKey)).toBe(true);
  });

  test.each([
    ['../admin', 'reviews'],
    ['bookinfo', 'a/sa/b'],
    ['', 'reviews'],
    ['..', 'reviews'],
    ['bookinfo', 'x\n'],
    ['bookinfo', 'é'],
  ])('no ID is made of %j and %j', async (namespace, serviceAccount) => {
    const authority = await openAuthority(dir, 'us-east.hawser');
    await expect(authority.issue({ namespace, serviceAccount })).rejects.toThrow('no SPIFFE ID can hold');
  });
});

describe('proxy tokens', () => {
  const claims = { cluster: 'us-east', ...reviews };
  const proven = { ...claims, expiresAt: expect.closeTo(Date.now() + PROXY_TOKEN_LIFE_MS, -6) as number };

  test('what is minted is what is proven; the key is 0600', async () => {
    const verify = await proxyTokenVerifier(dir, 'us-east');
    expect(await verify(await mintProxyToken({ agentDir: dir, ...claims }))).toEqual(proven);
    expect(await verify(await mintProxyToken({ agentDir: dir, ...claims, name: 'reviews-1' }))).toEqual({ ...proven, name: 'reviews-1' });
    expect(await modeOf('proxy-token.pem')).toBe(0o600);
  });

  test('minting and verifying make one key, whoever comes first', async () => {
    const [verify, token] = await Promise.all([proxyTokenVerifier(dir, 'us-east'), mintProxyToken({ agentDir: dir, ...claims })]);
    expect(await verify(token)).toEqual(proven);
  });

  test('expired, foreign, forged and unsigned tokens prove nothing', async () => {
    const verify = await proxyTokenVerifier(dir, 'us-east');
    const token = await mintProxyToken({ agentDir: dir, ...claims });
    const [header = '', payload = '', signature = ''] = token.split('.');
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const admin = encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), serviceAccount: 'gateway' });
    const forged = [
      await mintProxyToken({ agentDir: dir, ...claims, ttlMs: -1_000 }),
      await mintProxyToken({ agentDir: dir, ...claims, cluster: 'us-west' }),
      await mintProxyToken({ agentDir: join(dir, 'other'), ...claims }),
      `${header}.${admin}.${signature}`,
      `${encode({ alg: 'none' })}.${payload}.`,
      'nonsense',
      '',
    ];
    expect(await Promise.all(forged.map(verify))).toEqual(forged.map(() => undefined));
  });
});
