/** `hawser trust import` as users run it, beside an agent that answers or not; nothing it says, writes or leaves behind has a key in it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestCa, testCa } from '@hawser/agent/trust/ca-fixture.ts';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { environmentOf, type Outcome, runHere } from '../command-fixture.ts';

const DOMAIN = 'us-east.hawser';
let folder: string;
let identity: string;
let ca: TestCa;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-import-'));
  identity = join(folder, 'agents', 'us-east');
  ca = await testCa({ uris: [`spiffe://${DOMAIN}`] });
  writeFileSync(join(folder, 'root.pem'), ca.certificate);
  writeFileSync(join(folder, 'root.key'), ca.key, { mode: 0o600 });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hawser = (...args: readonly string[]): Promise<Outcome> => runHere(args, { env: environmentOf(folder) });
const given = (): string[] => ['--cluster', 'us-east', '--cert', join(folder, 'root.pem'), '--key', join(folder, 'root.key')];

test('a root is prepared beside the one in use, is not shown to the hub, and a rotation is what comes next', async () => {
  const before = await openAuthority(identity, DOMAIN);
  const { status, stdout, stderr } = await hawser('trust', 'import', ...given());
  expect([status, stdout.trim()]).toEqual([0, expect.stringMatching(/^[0-9a-f]{64}$/)]);
  expect(stderr).toContain('this root is prepared for us-east.hawser: hawser trust rotate us-east --kind root takes it into use');
  const after = await openAuthority(identity, DOMAIN);
  expect([after.active, after.trustBundle.length]).toEqual([before.active, 2]);
  const body = ca.key.split('\n')[1] ?? 'none';
  const files = readdirSync(identity, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const left = files.map((file) => ({
    path: join(file.parentPath, file.name),
    text: readFileSync(join(file.parentPath, file.name), 'utf8'),
  }));
  for (const text of [stdout, stderr, ...left.map((file) => file.text)])
    expect([text.includes('PRIVATE KEY'), text.includes(body)]).toEqual([false, false]);
  // Who else is on the machine reads the bundle, and nothing else.
  const open = left.filter(({ path }) => (statSync(path).mode & 0o077) !== 0).map(({ path }) => path);
  expect(open).toEqual([join(identity, 'ca.pem')]);
  const discarded = await hawser('trust', 'import', '--cluster', 'us-east', '--discard');
  expect([discarded.status, discarded.stderr]).toEqual([0, expect.stringContaining('is forgotten')]);
});

test('a cluster whose agent has not started yet begins with it', async () => {
  const { status, stderr } = await hawser('trust', 'import', ...given());
  expect([status, stderr]).toEqual([0, expect.stringContaining("signs for us-east.hawser from the agent's first start")]);
  expect((await openAuthority(identity, DOMAIN)).trustBundle).toEqual([ca.certificate]);
});

test('a key of another trust domain is refused by what the running agent knows', async () => {
  await openAuthority(identity, DOMAIN);
  const clusters = [{ name: 'us-west', trustDomain: 'us-west.hawser', trustBundle: [ca.certificate] }];
  const agent = createServer((_request, response) => response.end(JSON.stringify({ clusters })));
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve));
  try {
    writeFileSync(join(identity, 'agent.json'), JSON.stringify({ admin: `127.0.0.1:${(agent.address() as AddressInfo).port}` }));
    const { status, stderr } = await hawser('trust', 'import', ...given());
    expect([status, stderr]).toEqual([1, expect.stringContaining('has the key of an authority of the trust domain us-west.hawser')]);
  } finally {
    agent.close();
  }
});

test('what cannot be is said, with the way out', async () => {
  expect(await hawser('trust', 'import', ...given(), '--p12', 'x')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--p12 has'),
  });
  const swapped = ['--cluster', 'us-east', '--cert', join(folder, 'root.key'), '--key', join(folder, 'root.key')];
  expect(await hawser('trust', 'import', ...swapped)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('holds a private key where'),
  });
  await openAuthority(identity, DOMAIN);
  const wrong = join(folder, 'wrong');
  writeFileSync(wrong, Buffer.alloc(32, 7).toString('base64'));
  const outcome = await hawser('trust', 'import', ...given(), '--ca-key-file', wrong);
  expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining('encrypted with another key') });
});

test('the key that encrypts the signing keys is replaced, and what is printed names it without saying it', async () => {
  await openAuthority(identity, DOMAIN);
  const { status, stdout, stderr } = await hawser('trust', 'reencrypt', '--cluster', 'us-east');
  expect([status, stdout.trim(), stderr]).toEqual([
    0,
    expect.stringMatching(/^[0-9a-f]{16}$/),
    expect.stringContaining('1 signing keys of us-east'),
  ]);
  const key = readFileSync(join(identity, 'ca-encryption.key'), 'utf8').trim();
  expect(stdout + stderr).not.toContain(key);
  const lost = await hawser('trust', 'reencrypt', '--cluster', 'us-west');
  expect([lost.status, lost.stderr]).toEqual([1, expect.stringContaining('start its agent once')]);
});
