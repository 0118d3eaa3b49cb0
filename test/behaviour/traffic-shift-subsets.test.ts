/** TrafficShift among subsets: the routes of a service are divided anew, whoever wrote them, and callers keep their side. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 140 });

const SUBSETS = policy('DestinationRule', {
  host: 'reviews',
  subsets: ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } })),
});
const shift = (subsets: Readonly<Record<string, number>>, more: object = {}) =>
  policy('TrafficShift', { services: ['reviews'], subsets, ...more }, { name: 'versions' });
const rules = (...http: readonly object[]) => policy('VirtualService', { hosts: ['reviews'], http });
const to = (subset?: string, weight?: number) => ({
  destination: { host: 'reviews', ...(subset === undefined ? {} : { subset }) },
  ...(weight === undefined ? {} : { weight }),
});

/** Share of an application's answers. */
async function share(rig: Rig, name: string, count = 400, options: Parameters<Rig['call']>[0] = {}): Promise<number> {
  const { by } = await rig.tally(count, options);
  return (by[name] ?? 0) / count;
}

behaviour('TS-001', 'TrafficShift.subsets', 'without a VirtualService, requests are divided among subsets by their shares', async (rig) => {
  await rig.policies([SUBSETS, shift({ v1: 75, v2: 25 })]);
  const { by } = await rig.tally(600);
  expect(Object.keys(by).sort()).toEqual(['reviews-v1', 'reviews-v2']);
  expect(Math.abs((by['reviews-v2'] ?? 0) / 600 - 0.25)).toBeLessThan(0.08);
  await rig.policies([SUBSETS, shift({ v1: 0, v2: 100 })]);
  expect(await share(rig, 'reviews-v2', 50)).toBe(1);
});

behaviour('TS-002', 'TrafficShift.subsets', 'the weights of a VirtualService are divided anew, its other rules stay', async (rig) => {
  const written = [
    { match: [{ uri: { prefix: '/old' } }], directResponse: { status: 410 } },
    { route: [to('v1', 50), to('v2', 50)], headers: { request: { set: { 'x-rule': 'kept' } } } },
  ];
  await rig.policies([SUBSETS, rules(...written), shift({ v1: 100, v2: 0 })]);
  expect(await share(rig, 'reviews-v1', 50)).toBe(1);
  expect((await rig.call({ path: '/old' })).status).toBe(410);
  expect((await rig.call()).got?.headers['x-rule']).toBe('kept');
});

behaviour('TS-003', 'TrafficShift.subsets', 'a destination that is no subset of the shift keeps its part', async (rig) => {
  await rig.policies([SUBSETS, rules({ route: [to('v1', 50), to('v3', 50)] }), shift({ v1: 0, v2: 100 })]);
  const { by } = await rig.tally(400);
  expect(Object.keys(by).sort()).toEqual(['reviews-v2', 'reviews-v3']);
  expect(Math.abs((by['reviews-v3'] ?? 0) / 400 - 0.5)).toBeLessThan(0.1);
});

behaviour('TS-004', 'TrafficShift.subsets', 'a rule that leads chosen callers to one subset stays', async (rig) => {
  const testers = { match: [{ headers: { 'x-tester': { exact: 'yes' } } }], route: [to('v3')] };
  await rig.policies([SUBSETS, rules({ ...testers, route: [to('v1')] }, { route: [to()] }), shift({ v1: 0, v2: 100 })]);
  expect(await share(rig, 'reviews-v1', 30, { headers: { 'x-tester': 'yes' } })).toBe(1);
  expect(await share(rig, 'reviews-v2', 30)).toBe(1);
});

behaviour('TS-005', 'TrafficShift.match', 'only requests that match are divided, within each rule', async (rig) => {
  const match = [{ uri: { prefix: '/api' }, headers: { 'x-beta': { exact: '1' } } }, { method: { exact: 'POST' } }];
  await rig.policies([
    SUBSETS,
    rules({ match: [{ uri: { prefix: '/api/' } }, { uri: { exact: '/one' } }], route: [to('v1')] }),
    shift({ v1: 0, v2: 100 }, { match }),
  ]);
  const served = async (options: Parameters<Rig['call']>[0]) => (await rig.call(options)).servedBy;
  expect(await served({ path: '/api/x', headers: { 'x-beta': '1' } })).toBe('reviews-v2');
  expect(await served({ path: '/api/x' })).toBe('reviews-v1');
  expect(await served({ path: '/one', headers: { 'x-beta': '1' } })).toBe('reviews-v1');
  expect(await served({ path: '/one', method: 'POST' })).toBe('reviews-v2');
  expect((await rig.call({ path: '/elsewhere', headers: { 'x-beta': '1' } })).status).toBe(404);
});

behaviour('TS-006', 'TrafficShift.headerRoute', 'requests with its headers go to its subset, whatever the shares', async (rig) => {
  const headerRoute = { name: 'testers', match: { 'x-version': { exact: 'next' } }, destination: 'v2' };
  await rig.policies([SUBSETS, shift({ v1: 100, v2: 0 }, { headerRoute })]);
  expect(await share(rig, 'reviews-v2', 30, { headers: { 'x-version': 'next' } })).toBe(1);
  expect(await share(rig, 'reviews-v1', 30)).toBe(1);
});

behaviour('TS-007', 'TrafficShift.mirror', 'its subset gets copies of the divided requests, whose answers nobody sees', async (rig) => {
  await rig.policies([SUBSETS, shift({ v1: 100, v3: 0 }, { mirror: { destination: 'v3', percent: 100 } })]);
  const before = rig.app('reviews-v3').received.length;
  expect(await share(rig, 'reviews-v1', 20)).toBe(1);
  await expect.poll(() => rig.app('reviews-v3').received.length - before, { timeout: 20_000 }).toBe(20);
});

/** Who answered each user, by the header that names them. */
async function sides(rig: Rig, users: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: users }, async (_, user) => (await rig.call({ headers: { 'x-user': `user-${user}` } })).servedBy),
  );
}

behaviour(
  'TS-008',
  'TrafficShift.stickiness.header',
  'a caller keeps its side of either, and a moved weight moves no more than it must',
  async (rig) => {
    const stickiness = { header: 'x-user' };
    await rig.policies([SUBSETS, shift({ v1: 80, v2: 20 }, { stickiness })]);
    const first = await sides(rig, 150);
    expect(await sides(rig, 150)).toEqual(first);
    expect(new Set(first)).toEqual(new Set(['reviews-v1', 'reviews-v2']));
    await rig.policies([SUBSETS, shift({ v1: 50, v2: 50 }, { stickiness })]);
    const second = await sides(rig, 150);
    // Whoever was on the side that grew is there still.
    expect(second.filter((name, user) => first[user] === 'reviews-v2' && name !== 'reviews-v2')).toEqual([]);
    const moved = second.filter((name, user) => name !== first[user]).length / 150;
    expect(moved).toBeGreaterThan(0.15);
    expect(moved).toBeLessThan(0.45);
    await rig.policies([SUBSETS, shift({ v1: 80, v2: 20 }, { stickiness })]);
    expect(await sides(rig, 150)).toEqual(first);
  },
);

behaviour(
  'TS-009',
  'TrafficShift.stickiness.cookie',
  'a caller is given a cookie and keeps its side from the first request on',
  async (rig) => {
    const stickiness = { cookie: { name: 'side', maxAge: '1h' } };
    await rig.policies([SUBSETS, shift({ v1: 50, v2: 50 }, { stickiness })]);
    const callers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const { servedBy, headers } = await rig.call();
        return { servedBy, cookie: headers['set-cookie'] ?? '' };
      }),
    );
    expect(new Set(callers.map(({ servedBy }) => servedBy))).toEqual(new Set(['reviews-v1', 'reviews-v2']));
    expect(callers[0]?.cookie).toMatch(/^side=[0-9a-f-]{13}; Max-Age=3600; Path=\/; HttpOnly$/);
    for (const { servedBy, cookie } of callers) {
      const known = { cookie: `a=b; ${cookie.split(';')[0]}; c=d` };
      for (let again = 0; again < 3; again += 1) {
        const { servedBy: now, headers } = await rig.call({ headers: known });
        expect([now, headers['set-cookie']]).toEqual([servedBy, undefined]);
      }
    }
  },
);

behaviour('TS-010', 'TrafficShift', 'explain-route names the shift, and the rule that it divides', async (rig) => {
  await rig.policies([SUBSETS, rules({ route: [to('v1')] }), shift({ v1: 90, v2: 10 })]);
  const explained = rig.mesh.explain('east', {
    ...{ proxy: `sidecar-${rig.clientAddress()}`, method: 'GET', headers: {} },
    url: 'http://reviews.bookinfo/',
  });
  const [taken] = explained.taken;
  expect(taken).toMatchObject({ policy: 'TrafficShift/bookinfo/versions', rule: 'spec.subsets' });
  expect(taken?.effects).toContain('divides VirtualService/bookinfo/virtualservice spec.http[0]');
  expect(taken?.upstreams.map(({ share: part }) => part)).toEqual([90, 10]);
});

behaviour(
  'TS-011',
  'TrafficShift.subsets',
  'a share of a subset that no DestinationRule has is answered 503, and the shift is named',
  async (rig) => {
    await rig.policies([SUBSETS, rules({ route: [to('v1')] }), shift({ v1: 0, v9: 100 })]);
    expect((await rig.call()).status).toBe(503);
    expect(rig.mesh.problems('east').map(({ policy: name }) => name)).toContain('TrafficShift/bookinfo/versions');
  },
);
