/** Who may hold which certificate, over renewals, departures, restarts and replicas. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acknowledged, given, type HeldCertificates, heldUntil, identityAccount, together, unexpired } from './held-certificates.ts';
import { IdentityLedger } from './identity-ledger.ts';

const give = (held: HeldCertificates, proxy: string, [generation, version]: readonly [string, string], at = 1): HeldCertificates => ({
  ...held,
  [proxy]: [...given(held[proxy] ?? [], { generation, version, at, notAfter: 1_000 + at })],
});
const ack = (held: HeldCertificates, proxy: string, version: string, at = 2): HeldCertificates => ({
  ...held,
  [proxy]: [...acknowledged(held[proxy] ?? [], { version, at })],
});
const account = (held: HeldCertificates): readonly [number, number, readonly string[]] => {
  const { onActive, onOld, missing } = identityAccount(held, 'new', 0);
  return [onActive, onOld, missing];
};

describe('a proxy', () => {
  test('is on the old generation until it acknowledged a certificate of the new one', () => {
    const old = ack(give({}, 'p', ['old', 'v1']), 'p', 'v1');
    expect(account(old)).toEqual([0, 1, ['p']]);
    const offered = give(old, 'p', ['new', 'v2'], 3);
    expect(account(offered)).toEqual([0, 1, ['p']]);
    expect(heldUntil(offered, 'old', 0)).toBe(1_001);
    const taken = ack(offered, 'p', 'v2', 4);
    expect(account(taken)).toEqual([1, 0, []]);
    expect(heldUntil(taken, 'old', 0)).toBeUndefined();
  });

  test('an answer to an earlier certificate does not settle a later one', () => {
    const both = give(give({}, 'p', ['old', 'v1']), 'p', ['new', 'v2'], 2);
    expect(account(ack(both, 'p', 'v1'))).toEqual([0, 1, ['p']]);
    expect(account(ack(both, 'p', 'v7'))).toEqual([0, 1, ['p']]);
  });

  test('that went away counts until its certificate ends, and no longer', () => {
    const gone = ack(give({}, 'p', ['old', 'v1']), 'p', 'v1');
    expect(identityAccount(gone, 'new', 1_000)).toMatchObject({ onOld: 1, lastNotAfterOnOld: new Date(1_001).toISOString() });
    expect(identityAccount(gone, 'new', 1_001)).toEqual({ onActive: 0, onOld: 0, missing: [] });
    expect(unexpired(gone, 1_001)).toEqual({});
  });

  test('that moved to another replica holds what it acknowledged there', () => {
    const here = ack(give({}, 'p', ['old', 'v1']), 'p', 'v1', 2);
    const there = give({}, 'p', ['new', 'w1'], 5);
    expect(account(together([here, there]))).toEqual([0, 1, ['p']]);
    expect(account(together([here, ack(there, 'p', 'w1', 6)]))).toEqual([1, 0, []]);
    const back = give(here, 'p', ['old', 'v2'], 9);
    expect(account(together([back, ack(there, 'p', 'w1', 6)]))).toEqual([0, 1, ['p']]);
  });
});

describe('the ledger', () => {
  let dir: string;
  const errors: string[] = [];
  const log = { error: (_: object, text: string) => errors.push(text) } as never;
  const open = (replica: string): Promise<IdentityLedger> => IdentityLedger.open({ identityDir: dir, replica, log });
  const soon = (): number => Date.now() + 60_000;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hawser-ledger-'));
    errors.length = 0;
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('is on disk when it says so, and known to the next life and to the other replicas', async () => {
    const one = await open('one');
    const other = await open('other');
    await one.given(['p', 'q'], { generation: 'old', version: 'v1', notAfter: soon() });
    one.acknowledged('p', 'v1');
    await one.flush();
    expect((await stat(join(dir, 'issued', 'one.json'))).mode & 0o777).toBe(0o600);
    await other.refresh();
    for (const ledger of [other, await open('one')]) {
      const now = identityAccount(ledger.held, 'new', Date.now());
      expect([now.onOld, now.missing]).toEqual([2, ['p', 'q']]);
      expect(identityAccount(ledger.held, 'old', Date.now()).onActive).toBe(1);
    }
  });

  test('many at once are written together, none is lost', async () => {
    const one = await open('one');
    const names = Array.from({ length: 200 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => one.given([name], { generation: 'g', version: name, notAfter: soon() })));
    expect(Object.keys(JSON.parse(await readFile(join(dir, 'issued', 'one.json'), 'utf8')))).toHaveLength(200);
  });

  test('a file that cannot be read is not an empty one', async () => {
    const one = await open('one');
    await one.given(['p'], { generation: 'g', version: 'v', notAfter: soon() });
    await writeFile(join(dir, 'issued', 'other.json'), '{"p": 7');
    await one.refresh();
    expect(one.unreadable).toEqual(['other.json']);
  });

  test('a disk that takes nothing is said once, and holds nobody up', async () => {
    await writeFile(join(dir, 'issued'), 'in the way');
    const one = await open('one');
    for (const version of ['v1', 'v2']) await one.given(['p'], { generation: 'g', version, notAfter: soon() });
    expect(errors).toEqual(['what proxies were given cannot be noted on disk']);
    expect(heldUntil(one.held, 'g', Date.now())).toBeDefined();
  });
});
