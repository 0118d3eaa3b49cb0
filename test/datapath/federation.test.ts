/** Requests between clusters whose networks are apart: client sidecar → tunnel → gateway → server sidecar → application. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { type App, postCounts, startApp } from './kit/app.ts';
import { burst, call, stream, type Tally } from './kit/load.ts';
import { Mesh } from './kit/mesh.ts';
import { until } from './kit/until.ts';

const CLIENT = '127.78.1.11';
const GATEWAYS = ['127.78.2.1', '127.78.2.2'];
const SERVERS = ['127.78.2.11', '127.78.2.12', '127.78.2.13', '127.78.2.14'];
const HOST = 'ratings.bookinfo.svc.clusterset.local';
const to = { via: CLIENT, host: HOST };

let mesh: Mesh;
let client: TestEnvoy;
const apps: App[] = [];
const sidecars: TestEnvoy[] = [];
let gateways: TestEnvoy[];

function ratings(addresses: readonly string[], exported = true): void {
  mesh.service('bookinfo/ratings', 'west', { exported, endpoints: addresses.map((address) => ({ address })) });
}

/** Waits until the client's Envoy knows exactly these endpoints. */
function clientKnows(addresses: readonly string[]): Promise<void> {
  const known = async (): Promise<boolean> => {
    const text = await client.admin('/clusters');
    return SERVERS.every(
      (address) => text.includes(`outbound|80||${HOST}::envoy://tunnel|west/${address}:15006`) === addresses.includes(address),
    );
  };
  return until(known, () => `the client does not have exactly ${addresses.join(', ')}`);
}

/** Whether the newest server's sidecar takes calls for ratings. */
async function servesRatings(): Promise<boolean> {
  const dump = JSON.parse((await sidecars.at(-1)?.admin('/config_dump?resource=dynamic_listeners')) ?? '{}') as {
    readonly configs?: readonly { readonly active_state?: unknown }[];
  };
  return JSON.stringify(dump.configs?.map((listener) => listener.active_state) ?? []).includes('80.ratings.bookinfo');
}

beforeAll(async () => {
  mesh = await Mesh.start([
    { name: 'east', gateways: ['127.78.1.1:15443'] },
    { name: 'west', gateways: GATEWAYS.map((address) => `${address}:15443`) },
  ]);
  ratings(SERVERS.slice(0, 3));
  mesh.service('bookinfo/secret', 'west', { exported: false, endpoints: [{ address: '127.78.2.14' }] });
  mesh.service('bookinfo/productpage', 'east', { endpoints: [{ address: CLIENT }] });
  for (const address of SERVERS) apps.push(await startApp(address, address));
  sidecars.push(...(await Promise.all(SERVERS.map((address) => mesh.sidecar('west', address, 'bookinfo/ratings')))));
  gateways = await Promise.all(GATEWAYS.map((address) => mesh.gateway('west', address)));
  client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
  await clientKnows(SERVERS.slice(0, 3));
  await until(
    async () => (await call(to)).status === 200,
    () => `no answer yet: ${client.log()} ${mesh.nacks.join()}`,
  );
});

afterAll(async () => {
  await mesh?.stop();
  await Promise.all(apps.map((app) => app.crash()));
});

describe('a federated request', () => {
  test('reaches the application with the identity of its caller', async () => {
    const answer = await call(to);
    expect(answer.status).toBe(200);
    const app = apps.find((candidate) => candidate.name === answer.servedBy);
    expect(app?.lastHeaders['x-forwarded-client-cert']).toContain('URI=spiffe://east.hawser/ns/bookinfo/sa/productpage');
    expect(app?.lastHeaders['x-forwarded-client-cert']).toContain('By=spiffe://west.hawser/ns/bookinfo/sa/ratings');
    expect(mesh.nacks).toEqual([]);
  });

  test('answers to every spelling of the host', async () => {
    for (const host of [`${HOST}:80`, 'ratings.bookinfo', 'ratings.bookinfo.svc'])
      expect((await call({ via: CLIENT, host })).status).toBe(200);
    const nobody = await call({ via: CLIENT, host: 'ratings.bookinfo.svc.cluster.local' });
    expect(nobody).toMatchObject({ status: 404, body: 'hawser: no service has this host and port\n' });
  });

  test('is balanced one by one over all remote endpoints, and a new one gets its share at once', async () => {
    const before = await burst(to, 3_000);
    expect(before.failed).toBe(0);
    for (const address of SERVERS.slice(0, 3)) expect((before.by.get(address) ?? 0) / 3_000).toBeCloseTo(1 / 3, 1);
    ratings(SERVERS);
    await until(servesRatings, () => 'the new sidecar does not serve ratings');
    await clientKnows(SERVERS);
    const after = await burst(to, 4_000);
    expect(after.failed).toBe(0);
    for (const address of SERVERS) expect((after.by.get(address) ?? 0) / 4_000).toBeCloseTo(1 / 4, 1);
  });
});

describe('a gateway', () => {
  test('holds no key of a workload', async () => {
    const dump = await gateways[0]?.admin('/certs');
    const identities = [...(dump ?? '').matchAll(/"uri": "([^"]+)"/g)].map((match) => match[1]);
    expect(identities).toContain('spiffe://west.hawser/ns/hawser-system/sa/gateway');
    expect(identities.filter((uri) => uri?.includes('/sa/') && !uri.endsWith('/sa/gateway'))).toEqual([]);
  });
});

describe('without a failed GET', () => {
  /** What became of requests while something was killed, and for some time after. */
  const withoutFailedGet = async (kill: () => Promise<void>): Promise<Tally> => {
    const load = stream(to, 300, 20);
    await until(
      () => load.tally.sent > 300,
      () => 'no load',
    );
    await kill();
    const at = load.tally.sent;
    await until(
      () => load.tally.sent > at + 900,
      () => 'no load',
    );
    const tally = await load.stop();
    expect([...tally.failures.keys()].filter((kind) => kind.startsWith('GET'))).toEqual([]);
    return tally;
  };

  test('an endpoint is killed', async () => {
    const tally = await withoutFailedGet(async () => {
      await sidecars[0]?.stop();
      await apps[0]?.crash();
    });
    expect(tally.failed).toBeLessThanOrEqual(4);
  });

  test('a gateway is killed', async () => {
    await withoutFailedGet(async () => gateways[0]?.stop());
  });

  test('no POST was delivered twice', () => {
    const posts = postCounts(apps);
    expect(posts.length).toBeGreaterThan(50);
    expect(posts.filter((count) => count > 1)).toEqual([]);
  });
});
