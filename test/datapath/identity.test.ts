/** Who may speak to whom: wrong identities are refused in both directions, and by gateways. */
import { spiffeId } from '@hawser/model/fleet.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { type App, startApp } from './kit/app.ts';
import { call, stream } from './kit/load.ts';
import { Mesh } from './kit/mesh.ts';
import { ask, askTunnel } from './kit/peer.ts';
import { createTrustDomain, type Identity } from './kit/pki.ts';
import { until } from './kit/until.ts';

const CLIENT = '127.78.3.11';
const SERVER = '127.78.4.11';
const GATEWAY = '127.78.4.1';
const HOST = 'ratings.bookinfo.svc.clusterset.local';
const AUTHORITY = `${HOST}:80`;
const to = { via: CLIENT, host: HOST };

let mesh: Mesh;
let app: App;
let client: TestEnvoy;

beforeAll(async () => {
  mesh = await Mesh.start([
    { name: 'east', gateways: ['127.78.3.1:15443'] },
    { name: 'west', gateways: [`${GATEWAY}:15443`] },
  ]);
  mesh.service('bookinfo/ratings', 'west', { endpoints: [{ address: SERVER }] });
  mesh.service('bookinfo/private', 'west', { exported: false, endpoints: [{ address: '127.78.4.12' }] });
  mesh.service('bookinfo/productpage', 'east', { endpoints: [{ address: CLIENT }] });
  app = await startApp('ratings', SERVER);
  await mesh.sidecar('west', SERVER, 'bookinfo/ratings');
  await mesh.gateway('west', GATEWAY);
  client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
  await until(
    async () => (await call(to)).status === 200,
    () => `no answer yet: ${client.log()} ${mesh.nacks.join()}`,
  );
});

afterAll(async () => {
  await mesh?.stop();
  await app?.crash();
});

describe('a caller', () => {
  const headers = { ':method': 'GET', ':path': '/', ':authority': HOST };
  const asks = (identity: Identity | undefined): Promise<number | 'refused'> =>
    ask({ address: SERVER, port: 15006, identity, servername: '80.ratings.bookinfo', headers });

  test('of a member cluster is let in', async () => {
    expect(await asks(await mesh.domain('east').issue('spiffe://east.hawser/ns/x/sa/y'))).toBe(200);
  });

  test('is refused without a certificate, from a stranger, with a forged domain, with a look-alike domain', async () => {
    const stranger = await createTrustDomain('stranger.hawser');
    expect(await asks(undefined)).toBe('refused');
    expect(await asks(await stranger.issue('spiffe://stranger.hawser/ns/x/sa/y'))).toBe('refused');
    expect(await asks(await stranger.issue('spiffe://east.hawser/ns/x/sa/y'))).toBe('refused');
    expect(await asks(await mesh.domain('west').issue('spiffe://east.hawser/ns/x/sa/y'))).toBe('refused');
    expect(await asks(await mesh.domain('east').issue('spiffe://east.hawser.evil.com/ns/x/sa/y'))).toBe('refused');
    expect(await asks(await mesh.domain('east').issue('spiffe://east.hawser'))).toBe('refused');
  });

  test('reaches no service by a server name that the workload does not serve', async () => {
    const identity = await mesh.domain('east').issue('spiffe://east.hawser/ns/x/sa/y');
    expect(await ask({ address: SERVER, port: 15006, identity, servername: '80.reviews.bookinfo', headers })).toBe('refused');
  });
});

describe('a gateway', () => {
  const tunnel = (identity: Identity | undefined, endpoint?: string, authority = AUTHORITY): Promise<number | 'refused'> =>
    askTunnel(GATEWAY, identity, endpoint === undefined ? { authority } : { authority, endpoint });

  test('opens tunnels to exported endpoints and to nothing else', async () => {
    const identity = await mesh.domain('east').issue('spiffe://east.hawser/ns/x/sa/y');
    expect(await tunnel(identity, `${SERVER}:15006`)).toBe(200);
    expect(await tunnel(identity, '127.78.4.12:15006')).toBe(503);
    expect(await tunnel(identity, `${SERVER}:15000`)).toBe(503);
    expect(await tunnel(identity, undefined)).toBe(404);
    expect(await tunnel(identity, '127.78.4.12:15006', 'private.bookinfo.svc.clusterset.local:80')).toBe(404);
  });

  test('demands an identity of a member', async () => {
    const stranger = await createTrustDomain('stranger.hawser');
    expect(await tunnel(undefined, `${SERVER}:15006`)).toBe('refused');
    expect(await tunnel(await stranger.issue('spiffe://east.hawser/ns/x/sa/y'), `${SERVER}:15006`)).toBe('refused');
  });
});

describe('a server', () => {
  /** Leaves the service this one endpoint; resolves when the client knows no other, and gateway and sidecar let calls through to it. */
  const only = async (address: string): Promise<void> => {
    mesh.service('bookinfo/ratings', 'west', { endpoints: [{ address, serviceAccount: 'ratings' }] });
    await until(
      async () => (await knownToClient()).join() === address,
      () => `the client does not know ${address} alone`,
    );
    const identity = await mesh.domain('east').issue('spiffe://east.hawser/ns/x/sa/y');
    await until(
      async () => (await askTunnel(GATEWAY, identity, { authority: AUTHORITY, endpoint: `${address}:15006` })) === 200,
      () => `no way to ${address}`,
    );
  };
  const knownToClient = async (): Promise<string[]> => {
    const hosts = (await client.admin('/clusters')).matchAll(new RegExp(`${HOST}::envoy://tunnel.west/([0-9.]+)`, 'g'));
    return [...new Set([...hosts].map(([, address]) => address ?? ''))].sort();
  };

  test('is not believed with an identity that is not exactly its own', async () => {
    const west = mesh.domain('west');
    const east = mesh.domain('east');
    const namesake = await createTrustDomain('west.hawser');
    const right = spiffeId('west.hawser', 'bookinfo', 'ratings');
    const wrong: readonly [string, Identity][] = [
      ['127.78.4.21', await west.issue(spiffeId('west.hawser', 'bookinfo', 'reviews'))],
      ['127.78.4.22', await west.issue(spiffeId('west.hawser', 'other', 'ratings'))],
      ['127.78.4.23', await east.issue(right)],
      ['127.78.4.24', await east.issue(spiffeId('east.hawser', 'bookinfo', 'ratings'))],
      ['127.78.4.25', await namesake.issue(right)],
      ['127.78.4.26', await west.issue(right)],
    ];
    mesh.service('bookinfo/ratings', 'west', { endpoints: [SERVER, ...wrong.map(([address]) => address)].map((address) => ({ address })) });
    const others = await Promise.all(wrong.map(([address]) => startApp(address, address)));
    await Promise.all(wrong.map(([address, identity], index) => mesh.sidecar('west', address, `test/wrong-${index}`, identity)));
    const statuses: number[] = [];
    for (const [address] of wrong) {
      await only(address);
      statuses.push((await call(to)).status);
    }
    await Promise.all(others.map((other) => other.crash()));
    expect(statuses).toEqual([503, 503, 503, 503, 503, 200]);
    expect(others.map((other) => other.received.size)).toEqual([0, 0, 0, 0, 0, 1]);
  });

  test('keeps its connections when trust changes', async () => {
    await only(SERVER);
    expect(await call(to)).toMatchObject({ status: 200, servedBy: 'ratings' });
    const stat = async (name: string): Promise<number> => {
      const text = await client.admin(`/stats?filter=cluster.outbound.80..${HOST}.${name}$`);
      return Number(/: ([0-9]+)/.exec(text)?.[1] ?? -1);
    };
    const connections = await stat('upstream_cx_total');
    const updates = await stat('client_ssl_socket_factory.ssl_context_update_by_sds');
    const load = stream(to, 100);
    await until(
      () => load.tally.sent > 20,
      () => 'no load',
    );
    const idle = { address: '127.78.4.30', serviceAccount: 'another', health: 'DRAINING' as const };
    mesh.service('bookinfo/ratings', 'west', { endpoints: [{ address: SERVER }, idle] });
    await until(
      async () => (await stat('client_ssl_socket_factory.ssl_context_update_by_sds')) > updates,
      () => 'trust did not change',
    );
    const at = load.tally.sent;
    await until(
      () => load.tally.sent > at + 50,
      () => 'no load',
    );
    expect((await load.stop()).failed).toBe(0);
    expect(await stat('upstream_cx_total')).toBe(connections);
  });
});
