/** Gateway mode where gateways, and Pods without a sidecar, have addresses of IPv6. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { sayWithin } from '../datapath/kit/peer.ts';
import { until } from '../datapath/kit/until.ts';
import { available } from '../kit/requirements.ts';
import { authorization, judged } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp, DEFAULT_HOST } from './kit/clients.ts';
import { startEchoApp } from './kit/echo-app.ts';
import { openIpv6 } from './kit/ipv6.ts';
import { bareEastern } from './kit/layout.ts';
import { matching } from './kit/reviews-rules.ts';
import { type Rig, rigAddress } from './kit/rig.ts';

const NET = 178;
const [GATEWAY, V1, V2] = [1, 21, 22].map((at) => rigAddress(NET, at, true)) as [string, string, string];
/** A Pod of the same service that has an address of IPv4. */
const V4 = rigAddress(NET, 23);
const PORTS = [
  { name: 'http', port: 80, protocol: 'http' as const },
  { name: 'grpc', port: 82, protocol: 'http2' as const },
  { name: 'tcp', port: 9000, protocol: 'tcp' as const },
];
const CALLERS = ['productpage', 'details'] as const;
const named = (place: string) => `envoy://workloads|9000.reviews.bookinfo/${place}`;

describe.skipIf(![available('root'), available('ipv6')].every(Boolean))('IPv6', () => {
  let close: (() => void) | undefined;
  beforeAll(() => {
    close = openIpv6([GATEWAY, V1, V2, rigAddress(NET + 1, 1, true)]);
  });
  // The last of these hooks is the first to run: nothing listens there any more.
  afterAll(() => close?.());

  const behaviour = behavioursOf({
    net: NET,
    isIpv6: true,
    drainsAtOnce: true,
    clusters: ['east', 'west'],
    workloads: [bareEastern('reviews', 'v1', 21), bareEastern('reviews', 'v2', 22)],
    clients: [
      { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
      { name: 'details', namespace: 'bookinfo', cluster: 'west', at: 13 },
    ],
    ports: { 'bookinfo/reviews': PORTS },
  });

  /** Who answers connections of TCP. */
  const answering = async (rig: Rig): Promise<string> => {
    const answers = CALLERS.map(async (client) => {
      const at = await rig.listener(`outbound_tcp|9000|${DEFAULT_HOST}`, client);
      if (at === undefined) throw new Error(`${client} has no listener for the port`);
      return Promise.all(Array.from({ length: 8 }, async () => (await callTcp(at, 'hello')).join(' ')));
    });
    return [...new Set((await Promise.all(answers)).flat())].sort().join();
  };

  behaviour('GM-030', 'gateway mode: IPv6', 'callers of both clusters share their requests, by HTTP/1.1, HTTP/2 and TCP', async (rig) => {
    await rig.policies([]);
    for (const from of CALLERS) {
      const { by, byStatus } = await rig.tally(100, { from });
      expect([from, byStatus, Object.keys(by).sort()]).toEqual([from, { 200: 100 }, ['reviews-v1', 'reviews-v2']]);
      expect(await rig.call({ from, host: `${DEFAULT_HOST}:82`, http2: true })).toMatchObject({ status: 200 });
    }
    expect(await answering(rig)).toBe('reviews-v1 hello,reviews-v2 hello');
    expect(await rig.client('details').admin('/clusters')).toContain(`envoy://tunnel|east/[${V1}]:15006`);
  });

  behaviour('GM-031', 'gateway mode: IPv6', 'a policy for one version holds for its Pods alone, by HTTP and by TCP', async (rig) => {
    const denied = authorization({ action: 'DENY', selector: { matchLabels: { version: 'v2' } }, rules: [{}] });
    const calls = CALLERS.flatMap((from) => [[{ from, path: '/v1' }, 200] as const, [{ from, path: '/v2' }, 403] as const]);
    await judged(rig, [...matching({ uri: { prefix: '/v2' } }), denied], calls);
    let seen = '';
    await until(
      async () => {
        seen = await answering(rig);
        // Envoy judges a connection by its first byte, and who is refused by v2 may give it up for a while.
        return seen.includes('reviews-v1 hello') && !seen.includes('reviews-v2 hello');
      },
      () => `answered by ${seen}`,
    );
  });

  behaviour('GM-032', 'gateway mode: IPv6', 'an address that is no such workload, or is no such text, is 503', async (rig) => {
    await rig.policies([]);
    const west = await rig.mesh.domain('west').issue('spiffe://west.hawser/ns/bookinfo/sa/details');
    const asked = (place: string): Promise<string> =>
      sayWithin(`[${GATEWAY}]`, west, { authority: `${DEFAULT_HOST}:9000`, endpoint: named(place), servername: '9000.reviews.bookinfo' });
    expect(await asked(`[${V1}]:15006`)).toBe('reviews-v1\nhello\n');
    for (const place of [`[${GATEWAY}]:15006`, `[${V1}]:9081`, `${V1}:15006`, `[fd81:${NET}:0::21]:15006`, '[::1]:15006'])
      expect([place, await asked(place)]).toEqual([place, '503']);
  });

  behaviour('GM-033', 'gateway mode: IPv6', 'Pods of both families may serve one port, and come and go', async (rig) => {
    await rig.policies([]);
    const third = await startEchoApp('reviews-v4', V4);
    const endpoints = [V1, V2, V4].map((address) => ({
      address,
      targetPorts: { '80': 9080, '82': 9082, '9000': 9081 },
      bare: true as const,
    }));
    const answer = async (addresses: readonly string[], by: string): Promise<void> => {
      rig.mesh.service('bookinfo/reviews', 'east', {
        ports: PORTS,
        endpoints: endpoints.filter(({ address }) => addresses.includes(address)),
      });
      await rig.settled();
      for (const from of CALLERS) {
        let seen = '';
        await until(
          async () => {
            seen = Object.keys((await rig.tally(30, { from })).by)
              .sort()
              .join();
            return seen === by;
          },
          () => `${from} is answered by ${seen}, not by ${by}`,
        );
      }
    };
    await answer([V1, V2, V4], 'reviews-v1,reviews-v2,reviews-v4');
    await answer([V4], 'reviews-v4');
    await answer([V2], 'reviews-v2');
    await third.stop();
  });
});
