/** Another encryption key under a running authority, and a command that is stopped half way. On real files. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StoredAuthority } from './generation.ts';
import { GenerationStore } from './generation-store.ts';
import { openAuthority } from './open-authority.ts';
import { reencryptAuthority } from './reencrypt-authority.ts';

const DOMAIN = 'us-east.hawser';
let dir: string;
let other: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hawser-reencrypt-'));
  other = join(dir, 'other.key');
  writeFileSync(other, randomBytes(32).toString('hex'), { mode: 0o600 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const folder = (): string => join(dir, 'identity');
const keyFile = (): string => join(folder(), 'ca-encryption.key');
const stored = async (): Promise<StoredAuthority> => (await new GenerationStore(folder()).read())?.stored as StoredAuthority;
const sealedBy = async (): Promise<readonly string[]> => {
  const { generations, door } = await stored();
  return [...new Set([...generations, door].flatMap((one) => (one?.key === undefined ? [] : [one.key.by])))];
};
const rotation = (phase: 'prepare' | 'activate', id = 'r1') => ({ rotation: id, kind: 'root', phase, emergency: false }) as const;

test('the key in the folder is replaced, every signing key with it, and a running agent rotates on', async () => {
  const running = await openAuthority(folder(), DOMAIN);
  await running.apply(rotation('prepare'));
  const [before, [was]] = [readFileSync(keyFile(), 'utf8'), await sealedBy()];
  const { keys, by } = await reencryptAuthority({ identityDir: folder(), from: {} });
  expect([keys, await sealedBy()]).toEqual([2, [by]]);
  expect(by).not.toBe(was);
  expect(readFileSync(keyFile(), 'utf8')).not.toContain(before.trim());
  expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  expect((await openAuthority(folder(), DOMAIN)).trustBundle).toEqual(running.trustBundle);
  await running.apply(rotation('activate'));
  await running.issue({ namespace: 'shop', serviceAccount: 'cart' });
  expect(await sealedBy()).toEqual([by]);
  expect(readdirSync(folder()).sort()).toEqual(['ca', 'ca-encryption.key', 'ca.pem']);
});

test('stopped anywhere, what lies there opens, and the next run ends it', async () => {
  const { active } = await openAuthority(folder(), DOMAIN);
  const old = readFileSync(keyFile(), 'utf8');
  // Stopped when both keys are there and nothing is sealed anew, then when everything is.
  for (const sealed of [false, true]) {
    writeFileSync(keyFile(), `${randomBytes(32).toString('base64')}\n${sealed ? readFileSync(keyFile(), 'utf8') : old}`);
    expect((await openAuthority(folder(), DOMAIN)).active).toBe(active);
    await reencryptAuthority({ identityDir: folder(), from: {} });
    expect(readFileSync(keyFile(), 'utf8').trim().split('\n')).toHaveLength(1);
    expect((await openAuthority(folder(), DOMAIN)).active).toBe(active);
  }
});

test('a key from elsewhere: a running agent that has not got it signs on, and adds nothing that the new key does not open', async () => {
  const caKey = { value: randomBytes(32).toString('base64') };
  const running = await openAuthority(folder(), DOMAIN, { caKey });
  const { by } = await reencryptAuthority({ identityDir: folder(), from: caKey, newKeyFile: other });
  await running.issue({ namespace: 'shop', serviceAccount: 'cart' });
  await expect(running.apply(rotation('prepare'))).rejects.toThrow(/was replaced .*start it with the new one/);
  expect(await sealedBy()).toEqual([by]);
  await expect(openAuthority(folder(), DOMAIN, { caKey })).rejects.toThrow(/encrypted with another key/);
  expect((await openAuthority(folder(), DOMAIN, { caKey: { file: other } })).active).toBe(running.active);
  // Again, as after a stop at the very end.
  expect(await reencryptAuthority({ identityDir: folder(), from: caKey, newKeyFile: other })).toEqual({ keys: 1, by });
});

test('while a generation is made, the key is replaced: it is made once more, sealed with the new one', async () => {
  const running = await openAuthority(folder(), DOMAIN);
  const [, { by }] = await Promise.all([running.apply(rotation('prepare')), reencryptAuthority({ identityDir: folder(), from: {} })]);
  await expect(openAuthority(folder(), DOMAIN)).resolves.toMatchObject({ active: running.active });
  expect(await sealedBy()).toEqual([by]);
});

test('what cannot be changes nothing: no authority, a wrong key, a damaged new one', async () => {
  const empty = { identityDir: join(dir, 'empty'), from: {} };
  await expect(reencryptAuthority(empty)).rejects.toThrow(/start its agent once/);
  const caKey = { value: randomBytes(32).toString('base64') };
  await openAuthority(folder(), DOMAIN, { caKey });
  const before = await stored();
  const wrong = { value: randomBytes(32).toString('base64') };
  await expect(reencryptAuthority({ identityDir: folder(), from: wrong, newKeyFile: other })).rejects.toThrow(/encrypted with another key/);
  await expect(reencryptAuthority({ identityDir: folder(), from: caKey })).rejects.toThrow(/--new-ca-key-file/);
  writeFileSync(other, 'short');
  await expect(reencryptAuthority({ identityDir: folder(), from: caKey, newKeyFile: other })).rejects.toThrow(/no key of 32 bytes/);
  expect(await stored()).toEqual(before);
});
