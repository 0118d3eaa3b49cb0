/** DestinationRule: which endpoint takes a request. */
import { Agent } from 'node:http';
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig, type Tally } from './kit/rig.ts';
import { upstreamStat } from './kit/upstreams.ts';

const behaviour = behavioursOf({ net: 40 });
const ALL = ['reviews-v1', 'reviews-v2', 'reviews-v3'];
const SLOW_V1 = { reply: { only: 'reviews-v1', delayMs: 150 } };

/** Makes these the settings of the load balancer of reviews. */
async function balance(rig: Rig, loadBalancer: unknown): Promise<void> {
  await rig.policies([policy('DestinationRule', { host: 'reviews', trafficPolicy: { loadBalancer } })]);
}

async function sequence(rig: Rig, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let index = 0; index < count; index += 1) seen.push((await rig.call()).servedBy);
  return seen;
}

function share({ by }: Tally, name: string): number {
  return (by[name] ?? 0) / Object.values(by).reduce((sum, count) => sum + count, 0);
}

behaviour('DR-001', 'trafficPolicy.loadBalancer.simple', 'ROUND_ROBIN goes from one endpoint to the next', async (rig) => {
  await balance(rig, { simple: 'ROUND_ROBIN' });
  const seen = await sequence(rig, 30);
  for (const name of ALL) expect(seen.filter((one) => one === name)).toHaveLength(10);
  expect(new Set(seen.slice(12, 15)).size).toBe(3);
});

behaviour('DR-002', 'trafficPolicy.loadBalancer.simple', 'LEAST_REQUEST spares an endpoint that is slow', async (rig) => {
  await balance(rig, { simple: 'LEAST_REQUEST' });
  expect(share(await rig.tally(200, SLOW_V1), 'reviews-v1')).toBeLessThan(0.22);
});

behaviour('DR-003', 'trafficPolicy.loadBalancer.simple', 'LEAST_CONN, its older name, means the same', async (rig) => {
  await balance(rig, { simple: 'LEAST_CONN' });
  expect(share(await rig.tally(200, SLOW_V1), 'reviews-v1')).toBeLessThan(0.22);
});

behaviour(
  'DR-004',
  'trafficPolicy.loadBalancer.simple',
  'RANDOM does not care how slow an endpoint is, and keeps no order',
  async (rig) => {
    await balance(rig, { simple: 'RANDOM' });
    expect(share(await rig.tally(200, SLOW_V1), 'reviews-v1')).toBeGreaterThan(0.22);
    const seen = await sequence(rig, 40);
    expect(seen.some((name, index) => name === seen[index + 1])).toBe(true);
  },
);

behaviour('DR-005', 'trafficPolicy.loadBalancer.simple', 'UNSPECIFIED is LEAST_REQUEST', async (rig) => {
  await balance(rig, { simple: 'UNSPECIFIED' });
  expect(share(await rig.tally(200, SLOW_V1), 'reviews-v1')).toBeLessThan(0.22);
});

behaviour(
  'DR-006',
  'trafficPolicy.loadBalancer.simple',
  'PASSTHROUGH chooses nothing: a call that names no endpoint has none',
  async (rig) => {
    await balance(rig, { simple: 'PASSTHROUGH' });
    const { status, servedBy } = await rig.call();
    expect([status, servedBy]).toEqual([503, '']);
  },
);

/** The share of an endpoint that came when the others had long been there, over the first moments. */
async function warmUp(rig: Rig, loadBalancer: unknown): Promise<number> {
  const old = ['127.81.40.21', '127.81.40.22'].map((address) => ({ address, targetPorts: { 80: 9080 } }));
  rig.mesh.service('bookinfo/reviews', 'east', { endpoints: old });
  await balance(rig, loadBalancer);
  const began = performance.now();
  await until(
    () => performance.now() - began > 3_200,
    () => 'time stands still',
  );
  await rig.health({});
  await until(
    async () =>
      ((await rig.tally(5)).by['reviews-v3'] ?? 0) > 0 ||
      /127\.81\.40\.23:15006::health_flags::healthy/.test(await rig.client().admin('/clusters')),
    () => 'the new endpoint is not there',
  );
  return share(await rig.tally(60), 'reviews-v3');
}

behaviour('DR-007', 'trafficPolicy.loadBalancer.warmup.duration', 'an endpoint that is new gets little at first', async (rig) => {
  const warmup = { duration: '3s', minimumPercent: 5 };
  expect(await warmUp(rig, { simple: 'ROUND_ROBIN', warmup })).toBeLessThan(0.27);
});

behaviour(
  'DR-008',
  'trafficPolicy.loadBalancer.consistentHash.httpHeaderName',
  'equal headers lead to one endpoint, others to others',
  async (rig) => {
    await balance(rig, { consistentHash: { httpHeaderName: 'x-user' } });
    const same = await rig.tally(20, { headers: { 'x-user': 'jason' } });
    expect(Object.keys(same.by)).toHaveLength(1);
    expect((await byKey(rig, (key) => ({ headers: { 'x-user': key } }))).size).toBeGreaterThan(1);
  },
);

behaviour(
  'DR-009',
  'trafficPolicy.loadBalancer.consistentHash.httpQueryParameterName',
  'equal query parameters lead to one endpoint',
  async (rig) => {
    await balance(rig, { consistentHash: { httpQueryParameterName: 'user' } });
    const same = await rig.tally(20, { path: '/a?x=1&user=jason' });
    expect(Object.keys(same.by)).toHaveLength(1);
    expect((await byKey(rig, (key) => ({ path: `/a?user=${key}` }))).size).toBeGreaterThan(1);
  },
);

behaviour('DR-010', 'trafficPolicy.loadBalancer.consistentHash.useSourceIp', 'calls from one address lead to one endpoint', async (rig) => {
  await balance(rig, { consistentHash: { useSourceIp: true } });
  expect(Object.keys((await rig.tally(20)).by)).toHaveLength(1);
  const from = (last: string): Agent => new Agent({ localAddress: `127.81.40.1${last}` });
  const seen = await byKey(rig, (key) => ({ agent: from(key.padStart(2, '0')) }));
  expect(seen.size).toBeGreaterThan(1);
});

/** Who answers thirty different keys. */
async function byKey(rig: Rig, callOf: (key: string) => Parameters<Rig['call']>[0]): Promise<Map<string, string>> {
  const answers = await Promise.all(
    Array.from({ length: 30 }, async (_, key) => [String(key), (await rig.call(callOf(String(key)))).servedBy] as const),
  );
  return new Map(answers.map(([key, servedBy]) => [servedBy, key]));
}

behaviour(
  'DR-011',
  'trafficPolicy.loadBalancer.consistentHash.httpCookie.ttl',
  'who has no cookie is given one, and stays where it leads',
  async (rig) => {
    await balance(rig, { consistentHash: { httpCookie: { name: 'sticky', ttl: '60s' } } });
    const first = await rig.call();
    const cookie = /^sticky="?([^";]+)"?; Max-Age=60/.exec(first.headers['set-cookie'] ?? '')?.[1];
    expect(cookie).toBeDefined();
    const again = await rig.tally(20, { headers: { cookie: `sticky=${cookie}` } });
    expect(again.by).toEqual({ [first.servedBy]: 20 });
  },
);

behaviour('DR-012', 'trafficPolicy.loadBalancer.consistentHash.httpCookie.path', 'the cookie is for a path', async (rig) => {
  await balance(rig, { consistentHash: { httpCookie: { name: 'sticky', ttl: '60s', path: '/shop' } } });
  expect((await rig.call()).headers['set-cookie']).toContain('Path=/shop');
});

behaviour(
  'DR-013',
  'trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes',
  'the cookie has the attributes asked for',
  async (rig) => {
    const attributes = [{ name: 'SameSite', value: 'Strict' }, { name: 'Secure' }];
    await balance(rig, { consistentHash: { httpCookie: { name: 'sticky', ttl: '60s', attributes } } });
    const text = (await rig.call()).headers['set-cookie'];
    expect(text).toContain('SameSite=Strict');
    expect(text).toContain('Secure');
  },
);

behaviour(
  'DR-014',
  'trafficPolicy.loadBalancer.consistentHash.httpCookie.name',
  'a cookie without a time to live is read and never set',
  async (rig) => {
    await balance(rig, { consistentHash: { httpCookie: { name: 'session' } } });
    expect((await rig.call()).headers['set-cookie']).toBeUndefined();
    const same = await rig.tally(20, { headers: { cookie: 'other=1; session=abc' } });
    expect(Object.keys(same.by)).toHaveLength(1);
  },
);

behaviour(
  'DR-015',
  'trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize',
  'the ring has at least so many places',
  async (rig) => {
    await balance(rig, { consistentHash: { httpHeaderName: 'x-user', ringHash: { minimumRingSize: 5000 } } });
    expect(Object.keys((await rig.tally(10, { headers: { 'x-user': 'a' } })).by)).toHaveLength(1);
    expect(await upstreamStat(rig, 'ring_hash_lb.size')).toBeGreaterThanOrEqual(5_000);
  },
);

behaviour('DR-016', 'trafficPolicy.loadBalancer.consistentHash.minimumRingSize', 'the older place for it is obeyed too', async (rig) => {
  await balance(rig, { consistentHash: { httpHeaderName: 'x-user', minimumRingSize: 3000 } });
  expect(Object.keys((await rig.tally(10, { headers: { 'x-user': 'a' } })).by)).toHaveLength(1);
  const size = await upstreamStat(rig, 'ring_hash_lb.size');
  expect(size).toBeGreaterThanOrEqual(3_000);
  expect(size).toBeLessThan(5_000);
});

behaviour(
  'DR-017',
  'trafficPolicy.loadBalancer.consistentHash.maglev.tableSize',
  'Maglev divides a table of that size, evenly',
  async (rig) => {
    await balance(rig, { consistentHash: { httpHeaderName: 'x-user', maglev: { tableSize: 251 } } });
    expect(Object.keys((await rig.tally(20, { headers: { 'x-user': 'a' } })).by)).toHaveLength(1);
    const [least, most] = [
      await upstreamStat(rig, 'maglev_lb.min_entries_per_host'),
      await upstreamStat(rig, 'maglev_lb.max_entries_per_host'),
    ];
    expect(least).toBeGreaterThanOrEqual(83);
    expect(most).toBeLessThanOrEqual(85);
  },
);

behaviour(
  'DR-018',
  'trafficPolicy.loadBalancer.consistentHash',
  'when an endpoint is lost, most callers of the others stay',
  async (rig) => {
    await balance(rig, { consistentHash: { httpHeaderName: 'x-user' } });
    const users = Array.from({ length: 40 }, (_, user) => `user-${user}`);
    const whereAll = async (): Promise<string[]> =>
      Promise.all(users.map(async (user) => (await rig.call({ headers: { 'x-user': user } })).servedBy));
    const before = await whereAll();
    await rig.health({ 'reviews-v3': 'UNHEALTHY' });
    const after = await whereAll();
    await rig.health({});
    expect(after).not.toContain('reviews-v3');
    const others = before.flatMap((name, index) => (name === 'reviews-v3' ? [] : [after[index] === name]));
    expect(others.filter((stayed) => !stayed).length / others.length).toBeLessThan(1 / 3);
  },
);

behaviour('DR-019', 'trafficPolicy.loadBalancer.warmupDurationSecs', 'the older spelling of warmup is obeyed', async (rig) => {
  expect(await warmUp(rig, { simple: 'ROUND_ROBIN', warmupDurationSecs: '3s' })).toBeLessThan(0.27);
});
