/** VirtualService: time limits, retries, faults, mirrors and CORS. */
import { afterEach, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { always, rules, to } from './kit/reviews-rules.ts';
import type { Rig } from './kit/rig.ts';

let rig: Rig | undefined;
const behaviour = behavioursOf({ net: 14 }, async (started) => {
  rig = started;
});

const VERSIONS = ['reviews-v1', 'reviews-v2', 'reviews-v3'];

/** Applications remember requests; each behaviour begins with none, and with nobody ejected. */
afterEach(async () => {
  for (const name of [...VERSIONS, 'ratings-v1']) rig?.app(name).received.splice(0);
});

/** How often each version got a request with this path. */
function arrivals(of: Rig, path: string): number[] {
  return VERSIONS.map((name) => of.app(name).received.filter((request) => request.path === path).length);
}

/** Calls until the version answers: what was ejected by failures on purpose comes back after a while. */
async function recovered(of: Rig): Promise<void> {
  await until(
    async () => (await of.call()).status === 200,
    () => 'nobody answers any more',
  );
}

behaviour('VS-070', 'http.timeout', 'a request that takes longer than its limit is answered 504, one that does not is not', async (of) => {
  await of.policies(always({ timeout: '300ms', retries: { attempts: 0 } }));
  const slow = await of.call({ reply: { delayMs: 1_500 } });
  expect(slow.status).toBe(504);
  expect(slow.ms).toBeGreaterThan(290);
  expect((await of.call()).status).toBe(200);
});

behaviour('VS-071', 'http.timeout unset', 'without a limit a slow answer is waited for', async (of) => {
  await of.policies(always({}));
  const slow = await of.call({ reply: { delayMs: 600 } });
  expect(slow).toMatchObject({ status: 200 });
  expect(slow.ms).toBeGreaterThan(590);
});

behaviour('VS-072', 'http.retries.attempts', 'a request is tried again as often as asked, and no more', async (of) => {
  await of.policies(always({ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 2, retryOn: '418' } }));
  // No status of a gateway: three of those in a row would eject a host.
  expect((await of.call({ path: '/thrice', reply: { status: 418 } })).status).toBe(418);
  expect(arrivals(of, '/thrice').reduce((sum, count) => sum + count, 0)).toBe(3);
  await of.policies(always({ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 0, retryOn: '418' } }));
  await of.call({ path: '/once', reply: { status: 418 } });
  expect(arrivals(of, '/once').reduce((sum, count) => sum + count, 0)).toBe(1);
});

behaviour('VS-073', 'http.retries.retryOn', 'only the conditions named are reasons to try again', async (of) => {
  await of.policies(always({ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 1, retryOn: 'retriable-4xx' } }));
  expect(await of.call({ path: '/conflict', reply: { status: 409, only: 'nobody' } })).toMatchObject({ status: 200 });
  await of.call({ path: '/conflict', reply: { status: 409 } });
  await of.call({ path: '/teapot', reply: { status: 418 } });
  const sum = (path: string): number => arrivals(of, path).reduce((all, count) => all + count, 0);
  expect([sum('/conflict'), sum('/teapot')]).toEqual([3, 1]);
});

behaviour('VS-074', 'http.retries.perTryTimeout', 'each attempt has a limit of its own', async (of) => {
  await of.policies(
    always({ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 2, perTryTimeout: '250ms', retryOn: 'gateway-error' } }),
  );
  const answer = await of.call({ path: '/slow', reply: { delayMs: 2_000, only: 'reviews-v1' } });
  expect(['reviews-v2', 'reviews-v3']).toContain(answer.servedBy);
  expect((await of.call({ path: '/slower', reply: { delayMs: 2_000 } })).status).toBe(504);
  expect(arrivals(of, '/slower').reduce((sum, count) => sum + count, 0)).toBe(3);
});

behaviour('VS-075', 'http.retries.retryIgnorePreviousHosts', 'a retry goes to another host, unless told not to care', async (of) => {
  await recovered(of);
  await of.tally(12);
  const route = [{ destination: { host: 'reviews' } }];
  await of.policies(always({ route, retries: { attempts: 1, retryOn: '418' } }));
  const paths = Array.from({ length: 10 }, (_, index) => `/others/${index}`);
  for (const path of paths) await of.call({ path, reply: { status: 418 } });
  // Envoy looks five times for one that was not tried: of three hosts it hardly ever finds none.
  expect(paths.filter((path) => arrivals(of, path).filter((count) => count === 1).length === 2).length).toBeGreaterThan(7);
  await of.policies(always({ route: to('v2'), retries: { attempts: 2, retryOn: '418', retryIgnorePreviousHosts: false } }));
  await of.call({ path: '/same', reply: { status: 418 } });
  expect(arrivals(of, '/same')).toEqual([0, 3, 0]);
});

behaviour(
  'VS-076',
  'http.retries.backoff',
  'between attempts at most the first time, twice, and four times the least is waited',
  async (of) => {
    await of.policies(always({ retries: { attempts: 3, retryOn: '418', backoff: '400ms' } }));
    const answers = await Promise.all(Array.from({ length: 5 }, () => of.call({ reply: { status: 418 } })));
    // Each wait is random between nothing and its limit, 2.8 s together; without the wish it would be 70 ms at most.
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeGreaterThan(300);
  },
);

behaviour(
  'VS-077',
  'http.retries of unsafe methods',
  'a POST is tried again for the reasons named only where the rule is for POST alone',
  async (of) => {
    const retries = { attempts: 2, retryOn: '418' };
    const route = [{ destination: { host: 'reviews' } }];
    const sum = (path: string): number => arrivals(of, path).reduce((all, count) => all + count, 0);
    await of.policies(always({ route, retries }));
    await of.call({ path: '/any', method: 'POST', reply: { status: 418 } });
    await of.policies(rules([{ match: [{ method: { exact: 'POST' } }], route, retries }, { route }]));
    await of.call({ path: '/post', method: 'POST', reply: { status: 418 } });
    expect([sum('/any'), sum('/post')]).toEqual([1, 3]);
  },
);

behaviour('VS-078', 'http.fault.abort.httpStatus', 'requests are aborted with the status, before anything is forwarded', async (of) => {
  await of.policies(always({ fault: { abort: { httpStatus: 555, percentage: { value: 100 } } } }));
  expect(await of.call({ path: '/aborted' })).toMatchObject({ status: 555, servedBy: '', body: 'fault filter abort' });
  expect(arrivals(of, '/aborted')).toEqual([0, 0, 0]);
});

behaviour('VS-079', 'http.fault.abort.percentage', 'about the share asked for is aborted; none without a percentage', async (of) => {
  await of.policies(always({ fault: { abort: { httpStatus: 555, percentage: { value: 40 } } } }));
  const { byStatus } = await of.tally(300);
  // 6 standard deviations of a random choice among 300.
  expect(Math.abs((byStatus[555] ?? 0) - 120)).toBeLessThan(51);
  await of.policies(always({ fault: { abort: { httpStatus: 555 } } }));
  expect((await of.tally(40)).byStatus).toEqual({ 200: 40 });
});

behaviour('VS-080', 'http.fault.abort.grpcStatus', 'a gRPC call is aborted with its status', async (of) => {
  await of.policies(always({ fault: { abort: { grpcStatus: 'RESOURCE_EXHAUSTED', percentage: { value: 100 } } } }));
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  expect(await of.call({ method: 'POST', http2: true, headers })).toMatchObject({ status: 200, headers: { 'grpc-status': '8' } });
});

behaviour('VS-081', 'http.fault.delay.fixedDelay', 'requests are held back that long, then forwarded', async (of) => {
  await of.policies(always({ fault: { delay: { fixedDelay: '400ms', percentage: { value: 100 } } } }));
  const answer = await of.call();
  expect(answer).toMatchObject({ status: 200, servedBy: 'reviews-v1' });
  expect(answer.ms).toBeGreaterThan(390);
});

behaviour(
  'VS-082',
  'http.fault.delay.percentage, percent',
  'about the share asked for is delayed; none without a percentage',
  async (of) => {
    const delayed = async (delay: object): Promise<number> => {
      await of.policies(always({ fault: { delay: { fixedDelay: '50ms', ...delay } } }));
      const before = await of.client().stat('http.outbound.fault.delays_injected');
      await of.tally(60);
      return (await of.client().stat('http.outbound.fault.delays_injected')) - before;
    };
    expect(await delayed({})).toBe(0);
    const [half, all] = [await delayed({ percentage: { value: 50 } }), await delayed({ percent: 100 })];
    expect(half).toBeGreaterThan(8);
    expect(half).toBeLessThan(52);
    expect(all).toBe(60);
  },
);

behaviour('VS-083', 'http.fault.delay and abort', 'both at once: a request is held back and then aborted', async (of) => {
  const percentage = { value: 100 };
  await of.policies(always({ fault: { delay: { fixedDelay: '300ms', percentage }, abort: { httpStatus: 501, percentage } } }));
  const answer = await of.call();
  expect(answer.status).toBe(501);
  expect(answer.ms).toBeGreaterThan(290);
});

behaviour('VS-084', 'http.fault of one rule', 'requests of other rules are left alone', async (of) => {
  const fault = { abort: { httpStatus: 555, percentage: { value: 100 } } };
  await of.policies(rules([{ match: [{ headers: { 'x-test': {} } }], fault, route: to('v1') }, { route: to('v2') }]));
  expect([(await of.call({ headers: { 'x-test': '1' } })).status, (await of.call()).servedBy]).toEqual([555, 'reviews-v2']);
});

/** Waits for copies: nobody answers for them. */
async function copied(of: Rig, name: string, path: string, count: number): Promise<void> {
  const seen = (): number => of.app(name).received.filter((request) => request.path === path).length;
  await until(
    () => seen() >= count,
    () => `${name} got ${seen()} copies of ${path}`,
  );
  expect(seen()).toBe(count);
}

behaviour('VS-085', 'http.mirror', 'a copy goes to another destination, marked as a shadow; its answer is nobody’s', async (of) => {
  await of.policies(always({ mirror: { host: 'ratings' } }));
  const answer = await of.call({ path: '/copy', method: 'POST', body: 'content' });
  expect(answer).toMatchObject({ servedBy: 'reviews-v1', got: { body: 'content' } });
  await copied(of, 'ratings-v1', '/copy', 1);
  const [copy] = of.app('ratings-v1').received.filter(({ path }) => path === '/copy');
  expect(copy).toMatchObject({ method: 'POST', body: 'content', headers: { host: expect.stringMatching(/-shadow(:|$)/) } });
});

behaviour('VS-086', 'http.mirrors', 'copies go to each of several destinations', async (of) => {
  const mirrors = [
    { destination: { host: 'reviews', subset: 'v2' } },
    { destination: { host: 'reviews', subset: 'v3' }, percentage: { value: 100 } },
  ];
  await of.policies(always({ mirrors }));
  expect((await of.call({ path: '/both' })).servedBy).toBe('reviews-v1');
  await copied(of, 'reviews-v2', '/both', 1);
  await copied(of, 'reviews-v3', '/both', 1);
});

behaviour(
  'VS-087',
  'http.mirrorPercentage, mirrorPercent, mirror_percent',
  'about the share asked for is copied, none at 0',
  async (of) => {
    const mirror = { host: 'ratings' };
    const copies = (path: string): number => of.app('ratings-v1').received.filter((request) => request.path === path).length;
    const shares: readonly [string, object][] = [
      ['/a', { mirrorPercentage: { value: 50 } }],
      ['/b', { mirrorPercent: 50 }],
      ['/c', { mirror_percent: 50 }],
    ];
    for (const [path, share] of shares) {
      await of.policies(always({ mirror, ...share }));
      expect((await of.tally(100, { path })).by).toEqual({ 'reviews-v1': 100 });
      await until(
        () => copies(path) > 20,
        () => `${copies(path)} copies of 100`,
      );
      expect(copies(path)).toBeLessThan(80);
    }
    await of.policies(always({ mirror, mirrorPercentage: { value: 0 } }));
    await of.tally(30, { path: '/none' });
    expect(copies('/none')).toBe(0);
  },
);

/** Headers of a request, or of a preflight, from a page of this origin. */
const from = (origin: string, preflight?: string): Record<string, string> =>
  preflight === undefined ? { origin } : { origin, 'access-control-request-method': preflight };

behaviour('VS-088', 'http.corsPolicy.allowOrigins', 'answers to pages of allowed origins say so, to others they do not', async (of) => {
  await of.policies(
    always({
      corsPolicy: { allowOrigins: [{ exact: 'https://a.example' }, { prefix: 'https://b.' }, { regex: 'https://[cd]\\.example' }] },
    }),
  );
  const allowed = async (origin: string): Promise<string | undefined> =>
    (await of.call({ headers: from(origin) })).headers['access-control-allow-origin'];
  const origins = ['https://a.example', 'https://b.example', 'https://d.example', 'https://e.example'];
  expect(await Promise.all(origins.map(allowed))).toEqual([...origins.slice(0, 3), undefined]);
});

behaviour('VS-089', 'http.corsPolicy preflight', 'the sidecar answers preflights with what is allowed, and for how long', async (of) => {
  const corsPolicy = {
    ...{ allowOrigins: [{ exact: 'https://a.example' }], allowMethods: ['GET', 'PUT'], allowHeaders: ['x-token'] },
    ...{ exposeHeaders: ['x-shown'], maxAge: '24h', allowCredentials: true },
  };
  await of.policies(always({ corsPolicy }));
  const preflight = await of.call({ method: 'OPTIONS', path: '/preflight', headers: from('https://a.example', 'PUT') });
  expect(preflight).toMatchObject({ status: 200, servedBy: '' });
  expect(preflight.headers).toMatchObject({
    'access-control-allow-origin': 'https://a.example',
    'access-control-allow-methods': 'GET,PUT',
    'access-control-allow-headers': 'x-token',
    'access-control-max-age': '86400',
    'access-control-allow-credentials': 'true',
  });
  const request = await of.call({ headers: from('https://a.example') });
  expect(request.headers).toMatchObject({ 'access-control-expose-headers': 'x-shown', 'access-control-allow-credentials': 'true' });
});

behaviour(
  'VS-090',
  'http.corsPolicy.unmatchedPreflights',
  'preflights of other origins are forwarded, or answered without leave when told to ignore them',
  async (of) => {
    const corsPolicy = { allowOrigins: [{ exact: 'https://a.example' }], allowMethods: ['PUT'] };
    const call = () => of.call({ method: 'OPTIONS', headers: from('https://e.example', 'PUT') });
    await of.policies(always({ corsPolicy }));
    expect((await call()).servedBy).toBe('reviews-v1');
    await of.policies(always({ corsPolicy: { ...corsPolicy, unmatchedPreflights: 'IGNORE' } }));
    const ignored = await call();
    expect([ignored.servedBy, ignored.headers['access-control-allow-origin']]).toEqual(['', undefined]);
  },
);

behaviour('VS-091', 'http.corsPolicy.allowOrigin', 'the old list of origins is obeyed too, * for all of them', async (of) => {
  await of.policies(always({ corsPolicy: { allowOrigin: ['*'] } }));
  expect((await of.call({ headers: from('https://any.example') })).headers['access-control-allow-origin']).toBe('https://any.example');
});

behaviour('VS-092', 'http.timeout with retries', 'the limit of a request counts its attempts together', async (of) => {
  await of.policies(always({ timeout: '500ms', retries: { attempts: 10, perTryTimeout: '200ms', retryOn: '504,gateway-error' } }));
  const answer = await of.call({ path: '/patience', reply: { delayMs: 3_000 } });
  expect(answer.status).toBe(504);
  expect(arrivals(of, '/patience')[0]).toBeLessThan(5);
});
