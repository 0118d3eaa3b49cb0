/** Certificates that are no SVIDs, each for one reason; made by @peculiar/x509, read as they come. */
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { spiffeIdOf } from '@hawser/runtime/certificate-checks.ts';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeRoot } from './ca-certificates.ts';
import { leafBody, leafSigner, signLeaf } from './leaf-certificates.ts';
import { signingKeyOf, webPublicKey } from './signing-key.ts';
import { spiffeIdProblems, svidProblems } from './svid.ts';

const ID = 'spiffe://a.test/ns/bookinfo/sa/reviews';
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { digitalSignature, keyCertSign } = x509.KeyUsageFlags;
const { serverAuth, clientAuth, emailProtection } = x509.ExtendedKeyUsage;
let keys: webcrypto.CryptoKeyPair;

beforeAll(async () => {
  keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
});

/** What a test changes of a proper SVID. */
interface Changes {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ca?: boolean;
  readonly usage?: x509.KeyUsageFlags | undefined;
  readonly usageCritical?: boolean;
  readonly extended?: readonly string[] | undefined;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly more?: readonly x509.Extension[];
}

async function leaf(changes: Changes = {}): Promise<string> {
  const { uris = [ID], dns = [], ca = false, usageCritical = true, more = [], notBefore = Date.now() - 60_000 } = changes;
  const usage = 'usage' in changes ? changes.usage : digitalSignature;
  const extended = 'extended' in changes ? changes.extended : [serverAuth, clientAuth];
  const names = [...uris.map((value) => ({ type: 'url' as const, value })), ...dns.map((value) => ({ type: 'dns' as const, value }))];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...{ serialNumber: '01', name: '', keys, signingAlgorithm: ALGORITHM },
      ...{ notBefore: new Date(notBefore), notAfter: new Date(changes.notAfter ?? Date.now() + 3_600_000) },
      extensions: [
        new x509.BasicConstraintsExtension(ca, undefined, true),
        ...(usage === undefined ? [] : [new x509.KeyUsagesExtension(usage, usageCritical)]),
        ...(extended === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...extended])]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, true)]),
        ...more,
      ],
    },
    webcrypto,
  );
  return certificate.toString('pem');
}

describe('an SVID', () => {
  test('is what the authority issues, to the bit what the library makes of the same', async () => {
    const pair = await makeRoot('a.test');
    const key = signingKeyOf(pair.key);
    const signer = leafSigner(key, pair.certificate, { chain: [], root: pair.certificate });
    const issued = await signLeaf(signer, ID, 3_600_000);
    expect(svidProblems(issued.certificate, { trustDomain: 'a.test' })).toEqual([]);
    expect(spiffeIdOf(issued.certificate)).toBe(ID);
    const read = new x509.X509Certificate(issued.certificate);
    const root = new x509.X509Certificate(pair.certificate);
    const same = await x509.X509CertificateGenerator.create(
      {
        ...{ serialNumber: read.serialNumber, issuer: root.subjectName, notBefore: read.notBefore, notAfter: read.notAfter },
        ...{ publicKey: await webPublicKey(signingKeyOf(issued.key)), signingKey: keys.privateKey, signingAlgorithm: ALGORITHM },
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: 'url', value: ID }], true),
          await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
        ],
      },
      webcrypto,
    );
    const bodyOf = (raw: Uint8Array): string => Buffer.from(raw).toString('hex').slice(8);
    const body = leafBody(signer, {
      ...{ id: ID, serial: Buffer.from(read.serialNumber, 'hex'), notBefore: read.notBefore.getTime(), notAfter: read.notAfter.getTime() },
      publicKey: signingKeyOf(issued.key).publicKey.export({ type: 'spki', format: 'der' }),
    }).toString('hex');
    expect(bodyOf(new Uint8Array(same.rawData)).startsWith(body)).toBe(true);
    expect(bodyOf(new X509Certificate(issued.certificate).raw).startsWith(body)).toBe(true);
  });

  test('may have a DNS name beside its ID, no extended key usage, and any issuer', async () => {
    expect(svidProblems(await leaf({ dns: ['reviews'], extended: undefined }))).toEqual([]);
  });

  test.each<[string, Changes, RegExp]>([
    ['no URI SAN', { uris: [], dns: ['reviews'] }, /^0 URI SANs/],
    ['two URI SANs', { uris: [ID, 'spiffe://a.test/admin'] }, /^2 URI SANs/],
    ['the same URI twice', { uris: [ID, ID] }, /^2 URI SANs/],
    ['another trust domain', { uris: ['spiffe://b.test/cli'] }, /is of another trust domain than a.test/],
    ['a trust domain that only begins like it', { uris: ['spiffe://a.test.evil.com/cli'] }, /is of another trust domain/],
    ['no path', { uris: ['spiffe://a.test'] }, /has no path/],
    ['an empty path', { uris: ['spiffe://a.test/'] }, /ill-formed segment/],
    ['a path that climbs', { uris: ['spiffe://a.test/../b'] }, /ill-formed segment/],
    ['an empty segment', { uris: ['spiffe://a.test/ns//sa'] }, /ill-formed segment/],
    ['a query', { uris: ['spiffe://a.test/x?y'] }, /ill-formed segment/],
    ['percent encoding', { uris: ['spiffe://a.test/%61'] }, /ill-formed segment/],
    ['a NUL byte', { uris: ['spiffe://a.test/x\0.b'] }, /ill-formed segment/],
    ['capitals in the trust domain', { uris: ['spiffe://A.test/x'] }, /has other characters/],
    ['a port', { uris: ['spiffe://a.test:8443/x'] }, /has other characters/],
    ['user information', { uris: ['spiffe://u@a.test/x'] }, /has other characters/],
    ['another scheme', { uris: ['https://a.test/x'] }, /does not begin with spiffe/],
    ['a very long ID', { uris: [`spiffe://a.test/${'x'.repeat(2050)}`] }, /longer than 2048/],
    ['CA:TRUE', { ca: true }, /certificate of an authority/],
    ['no key usage', { usage: undefined }, /key usage is missing/],
    ['key usage that is not critical', { usageCritical: false }, /key usage is not critical/],
    ['no digitalSignature', { usage: x509.KeyUsageFlags.keyEncipherment }, /no digitalSignature/],
    ['keyCertSign', { usage: digitalSignature | keyCertSign }, /keyCertSign or cRLSign/],
    ['the wrong extended key usage', { extended: [emailProtection] }, /without both serverAuth and clientAuth/],
    ['half the extended key usage', { extended: [clientAuth] }, /without both serverAuth and clientAuth/],
    ['expired', { notBefore: Date.now() - 9_000_000, notAfter: Date.now() - 1_000 }, /^expired on/],
    ['not yet valid', { notBefore: Date.now() + 600_000 }, /^not valid before/],
    ['an unknown critical extension', { more: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }, /1.2.3.4 is not known/],
    ['two SAN extensions', { more: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'x' }])] }, /2.5.29.17 is there twice/],
  ])('is not: %s', async (_, changes, problem) => {
    const problems = svidProblems(await leaf(changes), { trustDomain: 'a.test' });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  test('is not: nonsense, nor half a certificate', async () => {
    const half = new X509Certificate(await leaf()).raw.subarray(0, 150);
    for (const bytes of ['nonsense', half]) expect(svidProblems(bytes)[0]).toMatch(/^not a certificate that can be read/);
    expect(spiffeIdOf(half)).toBeUndefined();
  });

  test('has an ID of which every part is well-formed', () => {
    expect(spiffeIdProblems(ID)).toEqual([]);
    expect(spiffeIdProblems('spiffe:///x')).not.toEqual([]);
  });
});
