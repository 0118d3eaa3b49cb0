/** What users bring, in files as they come: taken and used, or refused for its reason. */
import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../../../../test/kit/requirements.ts';
import { broughtAuthority } from './brought-authority.ts';
import { type BroughtFiles, readBroughtFiles } from './brought-files.ts';
import { type TestAlgorithm, type TestCa, type TestCaOptions, testCa } from './ca-fixture.ts';
import { importAuthority, openAuthority } from './open-authority.ts';
import { svidProblems } from './svid.ts';

const DOMAIN = 'us-east.hawser';
const OWN = `spiffe://${DOMAIN}`;
const reviews = { namespace: 'bookinfo', serviceAccount: 'reviews' };
const withOpenssl = available('openssl');
let folder: string;
let proper: TestCa;
let files = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-brought-'));
  proper = await testCa({ uris: [OWN] });
});

beforeEach(() => {
  files += 1;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes files of these names, and gives their paths. */
function written<Name extends string>(contents: Record<Name, string | Buffer>): Record<Name, string> {
  const entries = Object.entries<string | Buffer>(contents).map(([name, content]) => {
    const path = join(folder, `${files}-${name}`);
    writeFileSync(path, content);
    return [name, path];
  });
  return Object.fromEntries(entries) as Record<Name, string>;
}

async function brought(given: BroughtFiles, bound: readonly { trustDomain: string; certificate: string }[] = []) {
  return broughtAuthority(await readBroughtFiles(given), { trustDomain: DOMAIN, now: Date.now(), bound });
}

/** A container as openssl makes it. */
function container(name: string, content: { ca: TestCa; chain?: readonly TestCa[]; args?: readonly string[] }): string {
  const { ca, chain = [], args = [] } = content;
  const parts = written({ cert: ca.certificate, key: ca.key, more: chain.map(({ certificate }) => certificate).join('') || ' ' });
  const path = join(folder, `${files}-${name}.p12`);
  const more = chain.length === 0 ? [] : ['-certfile', parts.more];
  const from = ['pkcs12', '-export', '-in', parts.cert, '-inkey', parts.key, ...more, '-out', path, '-passout', 'pass:sesame', ...args];
  execFileSync('openssl', from, { stdio: 'pipe' });
  return path;
}

describe('an authority that is brought', () => {
  test.each<TestAlgorithm>(['P-256', 'P-384', 'RSA-2048'])(
    'signs SVIDs with a %s key, as a root and as an intermediate',
    async (algorithm) => {
      const root = await testCa({ algorithm, uris: [OWN] });
      const upper = await testCa({ issuer: root });
      const lower = await testCa({
        issuer: upper,
        algorithm,
        pathLength: 0,
        permitted: [DOMAIN],
        extended: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
      });
      const asRoot = await brought(written({ cert: root.certificate, key: root.key }));
      const asLower = await brought(written({ cert: lower.certificate, key: lower.key, chain: root.certificate + upper.certificate }));
      expect([asRoot.generation.kind, asLower.generation.kind]).toEqual(['root', 'intermediate']);
      for (const one of [asRoot, asLower]) {
        const identityDir = join(folder, `dir-${algorithm}-${one.generation.kind}`);
        expect(await importAuthority({ identityDir, trustDomain: DOMAIN }, one)).toBe('active');
        const authority = await openAuthority(identityDir, DOMAIN);
        const { certificateChainPem, privateKeyPem } = await authority.issue(reviews);
        expect(svidProblems(certificateChainPem, { trustDomain: DOMAIN })).toEqual([]);
        expect(new X509Certificate(certificateChainPem).checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
        const paths = written({ chain: certificateChainPem, roots: authority.trustBundle.join('') });
        if (withOpenssl) {
          const verified = execFileSync('openssl', ['verify', '-CAfile', paths.roots, '-untrusted', paths.chain, paths.chain]);
          expect(String(verified)).toContain('OK');
        }
        expect(readdirSync(identityDir).sort()).toEqual(['ca', 'ca-encryption.key', 'ca.pem']);
        expect(readFileSync(join(identityDir, 'ca', '000001.json'), 'utf8')).not.toContain('PRIVATE KEY');
      }
    },
  );

  test.skipIf(!withOpenssl).each<[string, TestAlgorithm, readonly string[]]>([
    ['EC', 'P-256', []],
    ['RSA', 'RSA-2048', []],
    ['RSA, as older programs write it', 'RSA-2048', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
  ])('comes in a PKCS#12 container: %s', async (_, algorithm, args) => {
    const root = await testCa({ algorithm });
    const lower = await testCa({ issuer: root, algorithm, pathLength: 0 });
    const p12 = container('ca', { ca: lower, chain: [root], args });
    const { password } = written({ password: 'sesame\n' });
    const { generation, key } = await brought({ p12, passwordFile: password });
    expect(generation).toMatchObject({ kind: 'intermediate', chain: [] });
    expect(new X509Certificate(generation.root).fingerprint256).toBe(new X509Certificate(root.certificate).fingerprint256);
    expect(new X509Certificate(lower.certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test('waits for its rotation, which takes it; it can be forgotten until then', async () => {
    const identityDir = join(folder, 'waits');
    const place = { identityDir, trustDomain: DOMAIN };
    const authority = await openAuthority(identityDir, DOMAIN);
    const one = await brought(written({ cert: proper.certificate, key: proper.key }));
    expect(await importAuthority(place, one)).toBe('prepared');
    await expect(importAuthority(place, one)).rejects.toThrow('has this certificate already, and it is prepared');
    const other = await testCa();
    const second = await brought(written({ cert: other.certificate, key: other.key }));
    await expect(importAuthority(place, second)).rejects.toThrow('was imported before and waits for its rotation');
    expect(await authority.discardBrought()).toBe(one.generation.id);
    await expect(authority.discardBrought()).rejects.toThrow('nothing that was imported waits');
    await importAuthority(place, one);
    await expect(authority.apply({ rotation: 'r', kind: 'intermediate', phase: 'prepare' })).rejects.toThrow(
      'rotate the root, not the intermediate',
    );
    for (const phase of ['prepare', 'activate', 'taint', 'retire'] as const) await authority.apply({ rotation: 'r', kind: 'root', phase });
    expect(authority.active).toBe(one.generation.id);
    expect(authority.trustBundle.map((pem) => new X509Certificate(pem).subject)).toEqual([new X509Certificate(proper.certificate).subject]);
  });
});

describe('is refused', () => {
  const { digitalSignature } = x509.KeyUsageFlags;

  test.each<[string, TestCaOptions, RegExp]>([
    ['expired', { from: -9_000_000, until: -1_000 }, /expired on .*: bring one that is valid/],
    ['not yet valid', { from: 3_600_000 }, /is not valid before .*: import it then/],
    ['signed with SHA-1', { algorithm: 'RSA-2048-SHA-1' }, /is signed with SHA-1, which can be forged: have it signed with SHA-256/],
    ['an RSA key of 1024 bits', { algorithm: 'RSA-1024' }, /the key is RSA of 1024 bits: an authority signs with/],
    ['a curve that nothing here signs with', { algorithm: 'P-521' }, /the key is ec secp521r1: an authority signs with/],
    ['not a CA', { ca: false, usage: digitalSignature }, /is not the certificate of an authority/],
    ['without keyCertSign', { usage: digitalSignature }, /may not sign certificates \(keyCertSign is missing/],
    ['without key usage', { usage: undefined }, /may not sign certificates/],
    [
      'for another trust domain',
      { uris: ['spiffe://us-west.hawser'] },
      /is for spiffe:\/\/us-west.hawser, not for spiffe:\/\/us-east.hawser/,
    ],
    ['a workload of the trust domain', { uris: [`${OWN}/ns/a/sa/b`] }, /is for spiffe:\/\/us-east.hawser\/ns\/a\/sa\/b, not for/],
    ['name constraints of another host', { permitted: ['example.com'] }, /excludes spiffe:\/\/us-east.hawser by its name constraints/],
    ['name constraints of sub-domains alone', { permitted: [`.${DOMAIN}`] }, /excludes spiffe/],
    ['name constraints that exclude it', { excluded: ['.hawser'] }, /excludes .* \(URI not .hawser\): bring one that permits it/],
    ['an extended key usage for code', { extended: ['1.3.6.1.5.5.7.3.3'] }, /cannot sign for workloads/],
  ])('%s', async (_, options, reason) => {
    const ca = await testCa(options);
    await expect(brought(written({ cert: ca.certificate, key: ca.key }))).rejects.toThrow(reason);
  });

  test('a key of another certificate', async () => {
    const other = await testCa();
    await expect(brought(written({ cert: proper.certificate, key: other.key }))).rejects.toThrow(
      /the key is not that of the certificate "CN=Test CA/,
    );
  });

  test('a chain that does not lead to a root, or is another one', async () => {
    const [root, other] = [await testCa(), await testCa()];
    const lower = await testCa({ issuer: root });
    const alone = written({ cert: lower.certificate, key: lower.key });
    await expect(brought(alone)).rejects.toThrow(
      /nothing that was given signed .*: give the certificates above it, up to the root, with --chain/,
    );
    await expect(brought({ ...alone, ...written({ chain: other.certificate }) })).rejects.toThrow(/nothing that was given signed/);
    // The right name, and another key.
    const impostor = { ...other, issuer: { ...other.issuer, subject: root.issuer.subject } };
    const forged = await testCa({ issuer: impostor });
    const chained = written({ cert: forged.certificate, key: forged.key, chain: root.certificate });
    await expect(brought(chained)).rejects.toThrow(/nothing that was given signed/);
  });

  test('what is above it counts too: an expired root, SHA-1, a path length that is too short', async () => {
    for (const [options, reason] of [
      [{ from: -9_000_000, until: -1_000 }, /expired on/],
      [{ algorithm: 'RSA-2048-SHA-1' }, /is signed with SHA-1/],
      [{ pathLength: 0 }, /has path length 0, and 1 authorities are below it: no leaf would be believed/],
      [{ permitted: ['example.com'] }, /excludes/],
    ] as const) {
      const root = await testCa(options);
      const lower = await testCa({ issuer: root });
      await expect(brought(written({ cert: lower.certificate, key: lower.key, chain: root.certificate }))).rejects.toThrow(reason);
    }
  });

  test('a key that signs for another trust domain already', async () => {
    const theirs = await testCa({ uris: ['spiffe://us-west.hawser'] });
    const ours = await testCa({ keyOf: theirs });
    const bound = [{ trustDomain: 'us-west.hawser', certificate: theirs.certificate }];
    const given = written({ cert: ours.certificate, key: ours.key });
    await expect(brought(given, bound)).rejects.toThrow('has the key of an authority of the trust domain us-west.hawser');
    await brought(given, [{ trustDomain: DOMAIN, certificate: theirs.certificate }]);
  });

  test('the wrong password, and none where one is needed', async () => {
    const encrypted = createPrivateKey(proper.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'sesame' });
    const { right, wrong, ...pems } = written({ right: 'sesame', wrong: 'guess', cert: proper.certificate, key: encrypted.toString() });
    await expect(brought({ ...pems, passwordFile: wrong })).rejects.toThrow(/the password does not open .*key: give the right one/);
    await expect(brought(pems)).rejects.toThrow(/is encrypted: give its password with --password-file/);
    expect((await brought({ ...pems, passwordFile: right })).generation.kind).toBe('root');
  });

  test.skipIf(!withOpenssl)('a container with the wrong password, none, or cut off', async () => {
    const p12 = container('locked', { ca: proper });
    const { right, wrong, half } = written({ right: 'sesame', wrong: 'guess', half: readFileSync(p12).subarray(0, 300) });
    await expect(brought({ p12, passwordFile: wrong })).rejects.toThrow(/the password does not open .*locked.p12: give the right one/);
    await expect(brought({ p12 })).rejects.toThrow(/the password does not open/);
    await expect(brought({ p12: half, passwordFile: right })).rejects.toThrow(
      /is no PKCS#12 container that can be read .*it may be cut off/,
    );
  });

  test('files that are cut off, empty, missing, or not what they should be', async () => {
    const { certificate, key } = proper;
    const cut = (text: string): string => text.slice(0, text.length / 2);
    const paths = written({
      cert: certificate,
      key,
      half: cut(certificate),
      halfKey: cut(key),
      empty: '',
      password: 'sesame',
    });
    const [badCert, badKey] = [certificate, key].map((pem) => pem.replace(/\n.*\n/, '\nAAAA\n'));
    const broken = written({ badCert: badCert ?? '', badKey: badKey ?? '' });
    const refusals: [BroughtFiles, RegExp][] = [
      [{ cert: paths.half, key: paths.key }, /half is cut off: a block begins in it that does not end/],
      [{ cert: paths.cert, key: paths.halfKey }, /halfKey is cut off/],
      [{ cert: broken.badCert, key: paths.key }, /holds a certificate that cannot be read/],
      [{ cert: paths.cert, key: broken.badKey }, /holds a private key that cannot be read/],
      [{ p12: paths.cert, passwordFile: paths.password }, /is no PKCS#12 container that can be read/],
      [{ cert: paths.empty, key: paths.key }, /empty holds no certificate in PEM/],
      [{ cert: paths.cert, key: paths.empty }, /empty holds no private key/],
      [{ cert: join(folder, 'nowhere'), key: paths.key }, /nowhere cannot be read/],
      [{ cert: paths.cert }, /nothing to import: give --cert and --key/],
    ];
    for (const [given, reason] of refusals) await expect(brought(given)).rejects.toThrow(reason);
  });

  test('a private key among the certificates, and several keys', async () => {
    const other = await testCa();
    const paths = written({
      mixed: proper.certificate + proper.key,
      cert: proper.certificate,
      key: proper.key,
      keys: proper.key + other.key,
    });
    await expect(brought({ cert: paths.mixed, key: paths.key })).rejects.toThrow(/mixed holds a private key where certificates belong/);
    await expect(brought({ cert: paths.cert, key: paths.key, chain: paths.mixed })).rejects.toThrow(/mixed holds a private key/);
    await expect(brought({ cert: paths.cert, key: paths.keys })).rejects.toThrow(/keys holds 2 private keys/);
  });
});

test('no refusal has a key in it', async () => {
  const other = await testCa();
  const body = other.key.split('\n')[1] ?? '';
  const paths = written({ cert: proper.certificate, key: other.key, broken: other.key.replace(/=*\n-----END/, '!\n-----END') });
  for (const key of [paths.key, paths.broken, paths.cert]) {
    const error: unknown = await brought({ cert: paths.cert, key }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Error);
    expect(String((error as Error).stack) + JSON.stringify(error)).not.toContain(body);
  }
});
