/** What lies in the identity folder: encrypted, taken over from earlier releases, and never replaced by a new root. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeRoot } from './ca-certificates.ts';
import { openAuthority, readDoorBundle } from './open-authority.ts';

const DOMAIN = 'us-east.hawser';
const reviews = { namespace: 'bookinfo', serviceAccount: 'reviews' };
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hawser-authority-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

/** All text of the folder, names included. */
async function everything(): Promise<string> {
  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'utf8'));
  return (await Promise.all(texts)).join('\n');
}

/** As a release wrote it that did not encrypt. */
async function plainPair(trustDomain = DOMAIN): Promise<{ certificate: string; key: string }> {
  const pair = await makeRoot(trustDomain);
  await writeFile(join(dir, 'ca.key'), pair.key, { mode: 0o600 });
  await writeFile(join(dir, 'ca.pem'), pair.certificate);
  return pair;
}

describe('at rest', () => {
  test('no private key lies in the folder in plain text', async () => {
    await openAuthority(dir, DOMAIN);
    expect(await everything()).not.toMatch(/PRIVATE KEY/);
    expect(await everything()).toContain('aes-256-gcm');
  });

  test('the key of a file, or of the environment, opens what it sealed; any other, or none, does not', async () => {
    const file = join(dir, 'elsewhere');
    const value = randomBytes(32).toString('base64');
    await writeFile(file, `${value}\n`);
    const { trustBundle } = await openAuthority(join(dir, 'a'), DOMAIN, { caKey: { file } });
    expect((await openAuthority(join(dir, 'a'), DOMAIN, { caKey: { value } })).trustBundle).toEqual(trustBundle);
    expect((await readdir(join(dir, 'a'))).sort()).toEqual(['ca', 'ca.pem']);
    const other = { value: randomBytes(32).toString('hex') };
    await expect(openAuthority(join(dir, 'a'), DOMAIN, { caKey: other })).rejects.toThrow(
      /encrypted with another key .* than that of HAWSER_CA_KEY .*: give the right one with --ca-key-file/,
    );
    await expect(openAuthority(join(dir, 'a'), DOMAIN)).rejects.toThrow(/are encrypted, and .*ca-encryption.key is not there: restore it/);
    await expect(openAuthority(join(dir, 'a'), DOMAIN, { caKey: { file: join(dir, 'none') } })).rejects.toThrow(
      /none is not there: make it/,
    );
    await expect(openAuthority(join(dir, 'a'), DOMAIN, { caKey: { value: 'short' } })).rejects.toThrow('holds no key of 32 bytes');
    expect(await readDoorBundle(join(dir, 'a'))).toEqual(trustBundle);
  });

  test('the key that was made in the folder can be moved away', async () => {
    const { trustBundle } = await openAuthority(join(dir, 'a'), DOMAIN);
    const file = join(dir, 'moved');
    await rename(join(dir, 'a', 'ca-encryption.key'), file);
    expect((await openAuthority(join(dir, 'a'), DOMAIN, { caKey: { file } })).trustBundle).toEqual(trustBundle);
  });

  test('a sealed key is not opened in the place of another, nor when a byte of it differs', async () => {
    await openAuthority(dir, DOMAIN);
    const path = join(dir, 'ca', '000001.json');
    const text = await readFile(path, 'utf8');
    const stored = JSON.parse(text) as { generations: [{ key: { ciphertext: string } }] };
    await writeFile(path, text.replaceAll(DOMAIN, 'us-west.hawser'));
    await expect(openAuthority(dir, 'us-west.hawser')).rejects.toThrow('is damaged, or was moved here from elsewhere');
    const { ciphertext } = stored.generations[0].key;
    const flipped = `${ciphertext.startsWith('A') ? 'B' : 'A'}${ciphertext.slice(1)}`;
    await writeFile(path, text.replace(ciphertext, flipped));
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow('is damaged, or was moved here from elsewhere');
    await writeFile(path, text.slice(0, 200));
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow('000001.json is damaged');
    await writeFile(path, '{}');
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow('restore the folder, or run the release that wrote it');
    await writeFile(path, text);
    await expect(openAuthority(dir, 'us-west.hawser')).rejects.toThrow(`holds the authority of ${DOMAIN}, not of us-west.hawser`);
  });
});

describe("the agent's own door", () => {
  const phases = ['prepare', 'activate', 'taint', 'retire'] as const;

  test('is known by the file that proxies have, over rotations; the file names what it may be signed by next', async () => {
    const authority = await openAuthority(dir, DOMAIN);
    const [first = ''] = authority.trustBundle;
    for (const rotation of ['one', 'two'])
      for (const phase of phases)
        await authority.apply({ rotation, kind: 'root', phase, emergency: phase === 'retire' && rotation === 'two' });
    const again = await openAuthority(dir, DOMAIN);
    const [now = ''] = again.trustBundle;
    expect(now).not.toBe(first);
    const door = new X509Certificate((await again.issueAgent()).certificateChainPem);
    const workload = new X509Certificate((await again.issue(reviews)).certificateChainPem);
    expect([door, workload].map((leaf) => leaf.verify(new X509Certificate(first).publicKey))).toEqual([true, false]);
    expect([door, workload].map((leaf) => leaf.verify(new X509Certificate(now).publicKey))).toEqual([false, true]);
    expect(door.subjectAltName).toBe(`URI:spiffe://${DOMAIN}/agent`);
    expect((await readDoorBundle(dir))?.toSorted()).toEqual([first, now].sort());
    expect(await readFile(join(dir, 'ca.pem'), 'utf8')).toBe([first, now].sort().join(''));
  });

  test('is not left to whoever stole the root', async () => {
    const authority = await openAuthority(dir, DOMAIN);
    const [stolen = ''] = authority.trustBundle;
    await authority.apply({ rotation: 'stolen', kind: 'root', phase: 'retire', emergency: true });
    const [now = ''] = authority.trustBundle;
    const door = new X509Certificate((await authority.issueAgent()).certificateChainPem);
    expect([stolen, now].map((root) => door.verify(new X509Certificate(root).publicKey))).toEqual([false, true]);
    expect(await readDoorBundle(dir)).toEqual([now]);
    const stored = JSON.parse((await everything()).match(/\{[\s\S]*\}/)?.[0] ?? '{}') as { generations: { state: string; key?: object }[] };
    expect(stored.generations.map(({ state, key }) => [state, key !== undefined])).toEqual([
      ['retired', false],
      ['active', true],
    ]);
  });
});

describe('the plain pair of an earlier release', () => {
  test('is taken over as the first generation, and its key is plain no more', async () => {
    const { certificate } = await plainPair();
    const lines: string[] = [];
    const log = { info: (_: object, text: string) => lines.push(text), warn: () => undefined, error: () => undefined };
    const authority = await openAuthority(dir, DOMAIN, { log: log as never });
    expect(authority.trustBundle).toEqual([certificate]);
    expect(lines).toEqual(['the signing key of an earlier release was encrypted, and its plain file removed']);
    expect((await readdir(dir)).sort()).toEqual(['ca', 'ca-encryption.key', 'ca.pem']);
    expect(await readFile(join(dir, 'ca.pem'), 'utf8')).toBe(certificate);
    const leaf = new X509Certificate((await authority.issue(reviews)).certificateChainPem);
    expect(leaf.verify(new X509Certificate(certificate).publicKey)).toBe(true);
  });

  test('by several at once it is the same root, and the key of another root that lies there is left alone', async () => {
    const { certificate } = await plainPair();
    const all = await Promise.all([1, 2, 3].map(() => openAuthority(dir, DOMAIN)));
    expect(all.map(({ trustBundle }) => trustBundle)).toEqual([[certificate], [certificate], [certificate]]);
    const { key } = await makeRoot(DOMAIN);
    await writeFile(join(dir, 'ca.key'), key);
    expect((await openAuthority(dir, DOMAIN)).trustBundle).toEqual([certificate]);
    expect(await readFile(join(dir, 'ca.key'), 'utf8')).toBe(key);
  });

  test('does not belong together, is damaged, or for another trust domain: refused, and left as it is', async () => {
    const { key, certificate } = await plainPair();
    await expect(openAuthority(dir, 'us-west.hawser')).rejects.toThrow(`is for URI:spiffe://${DOMAIN}, not for spiffe://us-west.hawser`);
    await rm(join(dir, 'ca.key'));
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow(/ca.pem exists but its key .*ca.key does not: restore the key/);
    await writeFile(join(dir, 'ca.key'), (await makeRoot(DOMAIN)).key);
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow('does not belong to ca.key');
    await writeFile(join(dir, 'ca.key'), 'half a ke');
    await expect(openAuthority(dir, DOMAIN)).rejects.toThrow(/ca.key is not usable .*: restore it/);
    expect(await readFile(join(dir, 'ca.key'), 'utf8')).toBe('half a ke');
    await writeFile(join(dir, 'ca.key'), key);
    expect((await openAuthority(dir, DOMAIN)).trustBundle).toEqual([certificate]);
  });
});
