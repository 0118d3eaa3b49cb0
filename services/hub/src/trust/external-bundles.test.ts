/** Bundles of trust domains outside of the federation: what is taken of an answer, and what becomes of it. No I/O. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { authorityCertificate } from '../../../../test/kit/authority-certificates.ts';
import { isPublic } from '../outgoing/public-address.ts';
import { afterAnswer, boundedRefresh, type KnownBundle, REFRESH_BOUNDS } from './external-bundle-state.ts';
import { type ReadBundle, readSpiffeBundle } from './spiffe-bundle-text.ts';

let root: string;
let other: string;
const NOW = new Date();

beforeAll(async () => {
  root = await authorityCertificate('root', { uris: ['spiffe://out.test'] });
  other = await authorityCertificate('other');
});

const x5c = (pem: string): string[] => [new X509Certificate(pem).raw.toString('base64')];
const jwk = (pem: string) => ({ ...createPublicKey(pem).export({ format: 'jwk' }), use: 'x509-svid', x5c: x5c(pem) });
const read = (text: string): ReturnType<typeof readSpiffeBundle> => readSpiffeBundle('out.test', text, NOW.getTime());
const textOf = (keys: readonly unknown[], head: object = { spiffe_sequence: 3, spiffe_refresh_hint: 600 }): string =>
  JSON.stringify({ ...head, keys });

describe('a bundle', () => {
  test('is read: certificates of X.509-SVIDs alone, all other keys are passed over', () => {
    const bundle = read(textOf([jwk(root), { use: 'jwt-svid', kty: 'EC' }, { use: 'new', kty: 'x' }, { kty: 'none' }, jwk(other)]));
    expect(bundle).toMatchObject({ sequence: 3n, refreshHint: 600, problems: [] });
    expect((bundle as ReadBundle).certificates).toHaveLength(2);
  });

  test('keeps every bit of its sequence', () => {
    expect(read('{"spiffe_sequence": 9007199254740993, "keys": []}')).toMatchObject({ sequence: 9007199254740993n });
    expect(read('{"spiffe_sequence": 18446744073709551615, "keys": []}')).toMatchObject({ sequence: 2n ** 64n - 1n });
  });

  test('without keys is empty, and not unreadable', () => {
    expect(read(textOf([]))).toMatchObject({ certificates: [], problems: [] });
  });

  test('loses what is not as it should be, and keeps the rest', async () => {
    const weak = await authorityCertificate('weak', { rsaBits: 1024 });
    const bundle = read(
      textOf([jwk(root), { ...jwk(other), x5c: [...x5c(other), ...x5c(root)] }, { ...jwk(other), x5c: undefined }, jwk(weak)]),
    );
    expect((bundle as ReadBundle).certificates).toHaveLength(1);
    expect((bundle as ReadBundle).problems).toEqual([
      expect.stringContaining('key 2 has not exactly one certificate'),
      expect.stringContaining('key 3 has not exactly one certificate'),
      expect.stringContaining('1024 bits'),
    ]);
  });

  test.each<[string, () => string, RegExp]>([
    ['no JSON', () => '<html>', /no JSON/],
    ['a list', () => '[]', /no JSON object/],
    ['a field twice', () => '{"keys": [], "spiffe_sequence": 2, "spiffe_sequence": 9}', /twice.*spiffe_sequence/],
    ['a key twice below', () => '{"keys": [{"use": "x509-svid", "use": "jwt-svid"}]}', /twice/],
    ['a negative sequence', () => textOf([], { spiffe_sequence: -1 }), /no whole number of 64 bits/],
    ['a sequence in quotes', () => textOf([], { spiffe_sequence: '3' }), /no whole number of 64 bits/],
    ['a sequence with a fraction', () => textOf([], { spiffe_sequence: 1.5 }), /no whole number of 64 bits/],
    ['a sequence too large', () => '{"spiffe_sequence": 18446744073709551616, "keys": []}', /no whole number of 64 bits/],
    ['a negative hint', () => textOf([], { spiffe_refresh_hint: -1 }), /spiffe_refresh_hint/],
    ['no keys at all', () => '{"spiffe_sequence": 1}', /no list of keys/],
    ['too many keys', () => textOf(Array.from({ length: 101 }, () => ({}))), /more than 100/],
    ['keys for JWT-SVIDs alone', () => textOf([{ use: 'jwt-svid', kty: 'EC' }]), /none of its keys is for X\.509-SVIDs/],
  ])('with %s is a problem', (_, text, problem) => {
    expect(read(text())).toEqual({ problem: expect.stringMatching(problem) });
  });

  test('with nothing but the root of another trust domain is a problem, and not the end of trust', async () => {
    const foreign = await authorityCertificate('foreign', { uris: ['spiffe://a.test'] });
    expect(read(textOf([jwk(foreign)]))).toEqual({ problem: expect.stringContaining('is the root of a.test by its own word') });
  });
});

describe('what an answer does', () => {
  const known: KnownBundle = { certificates: ['old'], sequence: '5', refreshSeconds: 300, held: '' };
  const answer = (changes: Partial<ReadBundle>): ReadBundle => ({
    ...{ sequence: 6n, refreshHint: 600, certificates: ['new'], keyIds: ['k'], problems: [] },
    ...changes,
  });
  const after = (before: KnownBundle, given: Parameters<typeof afterAnswer>[1], owner?: string) =>
    afterAnswer(before, given, { now: NOW, bounds: REFRESH_BOUNDS, owner, jitter: 0 });

  test('it is taken, and the next is asked for when it says', () => {
    const next = after(known, answer({}));
    expect(next).toMatchObject({ certificates: ['new'], sequence: '6', refreshSeconds: 600, problem: '', fetchedAt: NOW });
    expect(next.nextAt.getTime() - NOW.getTime()).toBe(600_000);
  });

  test('it is asked for up to a tenth later, and never sooner', () => {
    const judging = { now: NOW, bounds: REFRESH_BOUNDS, owner: undefined, jitter: 1 };
    const waits = [answer({}), { problem: 'away' }].map((given) => afterAnswer(known, given, judging).nextAt.getTime() - NOW.getTime());
    expect(waits).toEqual([660_000, 66_000]);
  });

  test.each<[string, Parameters<typeof afterAnswer>[1], string | undefined, RegExp]>([
    ['a lower sequence', answer({ sequence: 4n }), undefined, /went back from 5 to 4/],
    ['the same sequence with other keys', answer({ sequence: 5n }), undefined, /another bundle with the same/],
    ['no sequence any more', answer({ sequence: undefined }), undefined, /no spiffe_sequence any more/],
    ['a key of a member', answer({}), 'us-east.hawser', /authority of us-east\.hawser/],
    ['an endpoint that is away', { problem: 'ECONNREFUSED' }, undefined, /ECONNREFUSED/],
  ])('%s changes nothing: the last good one stays', (_, given, owner, problem) => {
    const next = after(known, given, owner);
    expect(next).toMatchObject({ certificates: ['old'], sequence: '5', problem: expect.stringMatching(problem), fetchedAt: null });
    expect(next.nextAt.getTime() - NOW.getTime()).toBe(60_000);
  });

  test('the end of all trust is obeyed when it is said twice in a row', () => {
    const empty = answer({ certificates: [], keyIds: [] });
    const first = after(known, empty);
    expect(first).toMatchObject({ certificates: ['old'], problem: expect.stringContaining('when it says so once more') });
    expect(after(first, empty)).toMatchObject({ certificates: [], problem: '', held: '' });
    const interrupted = after(first, { problem: 'away' });
    expect(after(interrupted, empty)).toMatchObject({ certificates: ['old'] });
    expect(after(after(first, answer({ sequence: 7n })), answer({ sequence: 8n, certificates: [] }))).toMatchObject({
      certificates: ['new'],
    });
  });

  test.each([
    [undefined, 300],
    [0, 300],
    [1, 60],
    [600, 600],
    [10_000_000, 86_400],
  ])('a refresh hint of %s is %s seconds', (hint, seconds) => expect(boundedRefresh(hint, REFRESH_BOUNDS)).toBe(seconds));
});

test.each([
  ...['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255'],
  ...[
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    'ff02::1',
    '2002:7f00:1::',
    'nonsense',
  ],
])('%s is not of the public Internet', (address) => expect(isPublic(address)).toBe(false));
test.each(['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111'])('%s is', (address) => expect(isPublic(address)).toBe(true));
