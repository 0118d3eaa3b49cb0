import { describe, expect, test } from 'vitest';
import { type AuthorityShape, authorityCertificate, authorityKeys } from '../../../test/kit/authority-certificates.ts';
import { checkBundle, KeyOwners, pemCertificates, readAuthority } from './authority-certificate.ts';

/** KeyUsage, bit 0 (RFC 5280, 4.2.1.3). */
const DIGITAL_SIGNATURE = 1;

describe('a certificate of an authority', () => {
  test.each<[string, AuthorityShape, RegExp]>([
    ['is a leaf', { ca: false }, /CA:FALSE/],
    ['may not sign', { usages: DIGITAL_SIGNATURE }, /no keyCertSign/],
    ['has a short RSA key', { rsaBits: 1024 }, /1024 bits; at least 2048/],
    ['is signed with SHA-1', { rsaBits: 2048, hash: 'SHA-1' }, /SHA-1/],
    ['has two URIs', { uris: ['spiffe://a.test', 'spiffe://b.test'] }, /more than one URI/],
    ['has a URI with a path', { uris: ['spiffe://a.test/ns/x'] }, /no path/],
    ['has a URI of another scheme', { uris: ['https://a.test'] }, /no trust domain/],
  ])('that %s is refused', async (_, shape, problem) => {
    expect(readAuthority(await authorityCertificate('bad', shape))).toEqual({ problem: expect.stringMatching(problem) });
  });

  test('that is none is refused', () => {
    expect(readAuthority('nonsense')).toEqual({ problem: expect.stringContaining('is no certificate') });
  });

  test.each<[string, AuthorityShape]>([
    ['P-256', {}],
    ['RSA', { rsaBits: 2048 }],
    ['with its trust domain', { uris: ['spiffe://a.test'] }],
  ])('is read: %s', async (_, shape) => {
    const read = readAuthority(await authorityCertificate('good', shape));
    expect(read).toMatchObject({ subject: 'CN=good', trustDomain: shape.uris === undefined ? undefined : 'a.test' });
  });
});

describe('a bundle', () => {
  const now = Date.now();
  const past = { notBefore: new Date(now - 7_200_000), notAfter: new Date(now - 3_600_000) };

  test('loses what is expired, and says so', async () => {
    const [live, old] = [await authorityCertificate('live'), await authorityCertificate('old', past)];
    const { authorities, problems } = checkBundle('a.test', [old, live], now);
    expect(authorities.map(({ subject }) => subject)).toEqual(['CN=live']);
    expect(problems).toEqual([expect.stringContaining('the root CN=old of a.test expired on')]);
  });

  test('that has expired whole stays: time ends the trust in it, nobody else', async () => {
    const old = await authorityCertificate('old', past);
    expect(checkBundle('a.test', [old], now).authorities).toHaveLength(1);
  });

  test('loses a root that names another trust domain, and what is repeated', async () => {
    const [own, foreign] = [await authorityCertificate('own'), await authorityCertificate('b', { uris: ['spiffe://b.test'] })];
    const { authorities, problems } = checkBundle('a.test', [own, foreign, own], now);
    expect(authorities).toHaveLength(1);
    expect(problems).toEqual(['certificate 2 of the bundle of a.test is the root of b.test by its own word: it is left out']);
  });

  test('is split from PEM text', async () => {
    const [a, b] = [await authorityCertificate('a'), await authorityCertificate('b')];
    expect(pemCertificates(`comment\n${a}${b}`)).toHaveLength(2);
  });
});

test('a key belongs to one trust domain, whoever vouches for it, until nobody does', async () => {
  const keys = await authorityKeys();
  const [one, two] = [await authorityCertificate('one', { keys }), await authorityCertificate('two', { keys })].map(readAuthority);
  if (one === undefined || two === undefined || 'problem' in one || 'problem' in two) throw new Error('they are good');
  expect(one.keyId).toBe(two.keyId);
  const owners = new KeyOwners();
  owners.claim('us-east', 'a.test', [one.keyId]);
  owners.claim('us-west', 'a.test', [one.keyId]);
  expect(owners.conflict('a.test', [two.keyId])).toBeUndefined();
  expect(owners.conflict('b.test', ['other', two.keyId])).toEqual({ keyId: two.keyId, owner: 'a.test' });
  owners.release('us-east');
  expect(owners.conflict('b.test', [two.keyId])).toMatchObject({ owner: 'a.test' });
  owners.claim('us-west', 'a.test', []);
  expect(owners.conflict('b.test', [two.keyId])).toBeUndefined();
});
