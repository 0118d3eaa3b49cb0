import type { TrustDomainView } from '@hawser/wire/trust-domains.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { createTrustDomain, type TrustDomain } from '../../../../test/datapath/kit/pki.ts';
import { rootLines, statusLines } from './trust-domains.ts';
import { verdictLines, verifySvid } from './verify-svid.ts';

let a: TrustDomain;
let b: TrustDomain;
let domains: readonly TrustDomainView[];

beforeAll(async () => {
  [a, b] = [await createTrustDomain('a.test'), await createTrustDomain('b.test')];
  domains = [a, b].map(({ name, bundle }) => viewOf(name, bundle));
});

function viewOf(name: string, pem: string): TrustDomainView {
  const root = { fingerprint: `${name}-`.padEnd(64, '0'), subject: `CN=${name}`, state: 'active', clusters: ['one'], pem };
  return {
    ...{ name, source: 'agent', clusters: ['one'], federatesWith: ['*'], aliases: [], holders: [], problems: [] },
    roots: [{ ...root, notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2036-01-01T00:00:00.000Z' }],
  };
}

describe('a certificate', () => {
  test('of a workload is good, by the bundle of its own trust domain', async () => {
    const { certificate } = await a.issue('spiffe://a.test/ns/x/sa/y');
    const verdict = verifySvid([certificate], domains, Date.now());
    expect(verdict).toMatchObject({ isGood: true, verifiedBy: 'a.test', spiffeId: 'spiffe://a.test/ns/x/sa/y', problems: [] });
    expect(verdictLines(verdict)[0]).toBe('good: spiffe://a.test/ns/x/sa/y');
  });

  test('that another trust domain forged is refused, and says whose root it was', async () => {
    const { certificate } = await b.issue('spiffe://a.test/ns/x/sa/y');
    const verdict = verifySvid([certificate], domains, Date.now());
    expect(verdict).toMatchObject({ isGood: false, verifiedBy: 'b.test' });
    expect(verdict.problems).toEqual(['it is signed below a root of b.test, which cannot speak for a.test']);
  });

  test.each([
    ['has no path', 'spiffe://a.test', /has no path/],
    ['is of nobody', 'spiffe://a.test.evil/x', /cannot speak for a\.test\.evil/],
    ['is no SPIFFE ID', 'https://a.test/x', /does not begin with spiffe/],
  ])('that %s is refused', async (_, uri, problem) => {
    const verdict = verifySvid([(await a.issue(uri)).certificate], domains, Date.now());
    expect(verdict.isGood).toBe(false);
    expect(verdict.problems.join('\n')).toMatch(problem);
  });

  test('of an unknown root, or of none, is refused', async () => {
    const stranger = await createTrustDomain('a.test');
    const { certificate } = await stranger.issue('spiffe://a.test/x');
    expect(verifySvid([certificate], domains, Date.now()).problems).toEqual(['no bundle of this federation verifies its signature']);
    expect(verifySvid([certificate], [], Date.now()).isGood).toBe(false);
    expect(verifySvid([a.bundle], domains, Date.now()).isGood).toBe(false);
  });

  test('that has expired is refused, as is one below a root that has', async () => {
    const { certificate } = await a.issue('spiffe://a.test/x');
    const verdict = verifySvid([certificate], domains, Date.now() + 10 * 3_600_000);
    expect(verdict.problems.join('\n')).toMatch(/expired on[\s\S]*no bundle/);
  });
});

test('tables of roots, and of who believes whom, with those who are behind', () => {
  expect(rootLines(domains)[1]).toBe('a.test         a.test-000000000   active   2036-01-01T00:00:00.000Z   one        CN=a.test');
  const [first] = domains;
  if (first === undefined) throw new Error('there are two');
  const holders = [
    { cluster: 'one', current: true, expected: 3, acked: 2, missing: ['reviews'] },
    { cluster: 'two', current: false, expected: 1, acked: 1, missing: [] },
  ];
  expect(statusLines([{ ...first, holders, federatesWith: ['b.test'] }]).slice(1)).toEqual([
    'a.test         agent    one        b.test     1       2036-01-01T00:00:00.000Z   3/4 have it',
    '1 of 3 proxies of one have not taken the bundle of a.test: reviews',
    'two does not serve the newest bundle of a.test yet',
  ]);
});
