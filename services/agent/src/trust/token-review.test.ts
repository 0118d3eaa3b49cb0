import { SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiRequest } from '../discover/kubernetes/api-client.ts';
import { eitherVerifier, tokenReviewVerifier } from './token-review.ts';

const USER = { username: 'system:serviceaccount:shop:web', extra: { 'authentication.kubernetes.io/pod-name': ['web-0'] } };
const GOOD = { authenticated: true, audiences: ['hawser'], user: USER };

let now: number;
let asked: ApiRequest[];
let answer: () => unknown;
const api = {
  json: async (request: ApiRequest): Promise<unknown> => {
    asked.push(request);
    return answer();
  },
};
const verifier = (edgeAccounts: readonly string[] = []) => tokenReviewVerifier({ api, cluster: 'east', edgeAccounts, now: () => now });
const token = (seconds = 600): Promise<string> =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(now / 1000) + seconds)
    .sign(Buffer.alloc(32));

beforeEach(() => {
  now = 1_800_000_000_000;
  asked = [];
  answer = () => ({ status: GOOD });
});

describe('a token that the API server vouches for', () => {
  it('proves namespace, account, Pod and when it ends', async () => {
    const one = await token();
    expect(await verifier()(one)).toEqual({
      ...{ cluster: 'east', namespace: 'shop', serviceAccount: 'web', name: 'web-0.shop', expiresAt: now + 600_000 },
    });
    expect(asked[0]).toMatchObject({ method: 'POST', body: { kind: 'TokenReview', spec: { token: one, audiences: ['hawser'] } } });
  });

  it('may be an edge proxy where its account is one', async () => {
    expect(await verifier(['shop/web'])(await token())).toMatchObject({ edge: true });
    expect(await verifier(['shop/other'])(await token())).not.toHaveProperty('edge');
  });

  it('is asked about once a minute, by however many at once', async () => {
    const [verify, one] = [verifier(), await token()];
    await Promise.all([verify(one), verify(one)]);
    await verify(one);
    expect(asked).toHaveLength(1);
    now += 61_000;
    answer = () => ({ status: { authenticated: false, error: 'pod is gone' } });
    await expect(verify(one)).rejects.toMatchObject({ reason: 'unauthenticated', message: expect.stringMatching('pod is gone') as string });
  });

  it('is believed while the API server is away, until it ends itself', async () => {
    const [verify, one] = [verifier(), await token()];
    await verify(one);
    now += 300_000;
    answer = () => {
      throw new Error('connect ECONNREFUSED');
    };
    expect(await verify(one)).toMatchObject({ serviceAccount: 'web' });
    await expect(verify(await token(700))).rejects.toMatchObject({
      reason: 'unavailable',
      message: expect.stringMatching('ECONNREFUSED') as string,
    });
    now += 300_001;
    await expect(verify(one)).rejects.toMatchObject({ reason: 'unavailable' });
  });
});

describe('refused', () => {
  const refused: [unknown, string][] = [
    [
      { authenticated: false, error: '[invalid bearer token, token audiences ["api"] is invalid]' },
      'the API server refuses the proxy token: [invalid bearer',
    ],
    [{}, 'it is not valid'],
    [{ ...GOOD, audiences: ['https://kubernetes.default.svc'] }, 'for another audience than hawser'],
    [{ authenticated: true, user: USER }, 'for another audience than hawser'],
    [{ ...GOOD, user: { username: 'alice' } }, 'is of alice, which is no service account'],
    [{ ...GOOD, user: { username: 'system:serviceaccount:shop:web:x' } }, 'which is no service account'],
    [{ ...GOOD, user: undefined }, 'is of nobody'],
  ];
  it.each(refused)('%j', async (status, message) => {
    answer = () => ({ status });
    const [verify, one] = [verifier(), await token()];
    await expect(verify(one)).rejects.toMatchObject({ reason: 'unauthenticated', message: expect.stringContaining(message) as string });
    await expect(verify(one)).rejects.toThrow();
    expect(asked).toHaveLength(1);
    now += 6_000;
    answer = () => ({ status: GOOD });
    expect(await verify(one)).toMatchObject({ namespace: 'shop' });
  });

  it('an answer that is none is no verdict', async () => {
    answer = () => ({ kind: 'Status' });
    await expect(verifier()(await token())).rejects.toMatchObject({ reason: 'unavailable' });
  });
});

it('asks about tokens only that are not its own', async () => {
  const own = { cluster: 'east', namespace: 'vm', serviceAccount: 'db' };
  const verify = eitherVerifier(async (one) => (one === 'own' ? own : undefined), verifier());
  expect(await verify('own')).toBe(own);
  expect(asked).toEqual([]);
  expect(await verify(await token())).toMatchObject({ namespace: 'shop' });
});
