/** Drains, spill, and shares of clusters: whole places lose their traffic, in part or altogether, and their lasting connections. */
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { policy, type Rig } from './kit/rig.ts';
import {
  grpcThrough,
  type Lasting,
  openTcp,
  openWebSocket,
  STREAM_PORTS,
  type StreamApp,
  startStreamApp,
  watch,
} from './kit/stream-app.ts';

const NET = 142;
const CLUSTERS = ['east', 'west', 'south'];
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const workloads = CLUSTERS.map((cluster) => ({
  ...{ name: cluster, service: 'bookinfo/reviews', cluster, labels: { version: 'v1' }, at: 21 },
}));
const ports = {
  'bookinfo/reviews': [
    { name: 'http', port: 80, protocol: 'http' as const },
    { name: 'grpc', port: 50051, protocol: 'http2' as const, target: STREAM_PORTS.grpc },
    { name: 'ws', port: 8085, protocol: 'http' as const, target: STREAM_PORTS.webSocket },
    { name: 'tcp', port: 5000, protocol: 'tcp' as const, target: APP_PORTS.tcp },
  ],
};

const streams: StreamApp[] = [];
afterAll(() => Promise.all(streams.map((app) => app.stop())));

// As the product's proxies: what is left of drained connections is closed after a time.
const behaviour = behavioursOf({ net: NET, clusters: CLUSTERS, workloads, ports, drainsAtOnce: true }, async () => {
  for (const [index, cluster] of CLUSTERS.entries()) streams.push(await startStreamApp(cluster, `127.81.${NET + index}.21`));
});

const ORDER = policy('FailoverPolicy', { order: ['east', 'west', 'south'], spillover: 'strict' });

function drain(scope: object, percent: number, more: object = {}): Resource {
  return { ...policy('Drain', { scope, percent, ...more }), metadata: { name: 'drain' } };
}

/** Shares of the answers by cluster, of the own sidecar's as ''. */
async function shares(rig: Rig, count = 60, host = HOST): Promise<Record<string, number>> {
  const { by } = await rig.tally(count, { host });
  return Object.fromEntries(Object.entries(by).map(([name, answers]) => [name, answers / count]));
}

behaviour('DN-001', 'Drain.percent', 'that part of what went to a region goes to the next in the order', async (rig) => {
  await rig.policies([ORDER, drain({ region: 'east' }, 40)]);
  const found = await shares(rig, 500);
  expect(Object.keys(found).sort()).toEqual(['east', 'west']);
  expect(Math.abs((found['west'] ?? 0) - 0.4)).toBeLessThan(0.08);
});

behaviour('DN-002', 'Drain.scope', 'a region, cluster or zone that is wholly drained gets nothing, until the drain ends', async (rig) => {
  for (const scope of [{ region: 'east' }, { cluster: 'east' }, { zone: 'east/east-a' }]) {
    await rig.policies([ORDER, drain(scope, 100)]);
    expect(await shares(rig)).toEqual({ west: 1 });
  }
  await rig.policies([ORDER]);
  expect(await shares(rig)).toEqual({ east: 1 });
});

behaviour('DN-003', 'Drain.scope.gateway', 'calls through the gateway of a cluster go elsewhere, its own stay', async (rig) => {
  const west = policy('TrafficShift', { services: ['reviews'], clusters: { west: 100 } });
  await rig.policies([ORDER, west, drain({ gateway: 'west' }, 100)]);
  expect(await shares(rig)).toEqual({ east: 1 });
  await rig.policies([ORDER, drain({ gateway: 'east' }, 100)]);
  expect(await shares(rig)).toEqual({ east: 1 });
});

behaviour('DN-004', 'Drain.destinations', 'what is moved goes to them by their weights', async (rig) => {
  await rig.policies([ORDER, drain({ region: 'east' }, 100, { destinations: [{ region: 'south', weight: 3 }, { cluster: 'west' }] })]);
  const found = await shares(rig, 400);
  expect(Math.abs((found['south'] ?? 0) - 0.75)).toBeLessThan(0.08);
  expect(found['east']).toBeUndefined();
});

behaviour(
  'DN-005',
  'Drain.panicMode',
  'failTraffic: with everything else unhealthy, panic brings nothing back to what is drained',
  async (rig) => {
    await rig.policies([ORDER, drain({ region: 'east' }, 100, { panicMode: 'failTraffic' })]);
    await rig.health({ west: 'UNHEALTHY', south: 'UNHEALTHY' });
    // Whoever may only seem to be dead is still asked.
    expect(Object.keys(await shares(rig, 80)).filter((name) => name === 'east')).toEqual([]);
    expect(await rig.client().admin('/clusters')).not.toMatch(new RegExp(`outbound\\|80\\|\\|${HOST}::127.81.${NET}.21`));
    await rig.health({});
  },
);

behaviour('DN-006', 'Drain.panicMode', 'spread: with everything else unhealthy, what is drained serves', async (rig) => {
  await rig.policies([ORDER, drain({ region: 'east' }, 100, { panicMode: 'spread' })]);
  expect(await shares(rig)).toEqual({ west: 1 });
  await rig.health({ west: 'UNHEALTHY', south: 'UNHEALTHY' });
  expect(await shares(rig)).toEqual({ east: 1 });
  await rig.health({});
});

behaviour('DN-007', 'Drain.services', 'services that are not named stay', async (rig) => {
  await rig.policies([ORDER, drain({ region: 'east' }, 100, { services: { names: ['bookinfo/ratings'], namespaces: ['other'] } })]);
  expect(await shares(rig)).toEqual({ east: 1 });
  await rig.policies([ORDER, drain({ region: 'east' }, 100, { services: { names: ['bookinfo/reviews'] } })]);
  expect(await shares(rig)).toEqual({ west: 1 });
});

behaviour('DN-013', 'Drain.stages', 'of services that leave before others so much goes elsewhere as their wave says', async (rig) => {
  const left = { services: { names: ['bookinfo/reviews'] }, percent: 100 };
  await rig.policies([ORDER, drain({ region: 'east' }, 0, { stages: [left] })]);
  expect(await shares(rig)).toEqual({ west: 1 });
  await rig.policies([ORDER, drain({ region: 'east' }, 0, { stages: [{ ...left, percent: 0 }] })]);
  expect(await shares(rig)).toEqual({ east: 1 });
});

behaviour('DN-008', 'Drain', 'a name of the own cluster alone stays in it', async (rig) => {
  await rig.policies([ORDER, drain({ region: 'east' }, 100)]);
  expect(await shares(rig, 30, 'reviews.bookinfo.svc.cluster.local')).toEqual({ east: 1 });
});

behaviour('DN-009', 'TrafficShift.clusters', 'clusters get their shares, and a drained one’s goes to the others', async (rig) => {
  const half = policy('TrafficShift', { services: ['reviews'], clusters: { east: 7_000, west: 3_000 }, totalWeight: 10_000 });
  await rig.policies([ORDER, half]);
  expect(Math.abs(((await shares(rig, 500))['west'] ?? 0) - 0.3)).toBeLessThan(0.08);
  await rig.policies([ORDER, half, drain({ cluster: 'east' }, 100)]);
  expect(await shares(rig)).toEqual({ west: 1 });
});

behaviour('DN-010', 'FailoverPolicy.spill', 'the excess of a place goes to the next in the order', async (rig) => {
  const spill = [{ service: 'reviews', from: { region: 'east' }, percent: 30 }];
  await rig.policies([policy('FailoverPolicy', { order: ['east', 'south'], spillover: 'strict', spill })]);
  const found = await shares(rig, 500);
  expect(Object.keys(found).sort()).toEqual(['east', 'south']);
  expect(Math.abs((found['south'] ?? 0) - 0.3)).toBeLessThan(0.08);
});

async function lasting(rig: Rig): Promise<Lasting[]> {
  const at = rig.clientAddress();
  let tcp: Awaited<ReturnType<Rig['listener']>>;
  await until(
    async () => {
      tcp = await rig.listener(`outbound_tcp|5000|${HOST}`);
      return tcp !== undefined;
    },
    () => 'the TCP port has no listener',
  );
  if (tcp === undefined) throw new Error('no listener');
  const socket = await openWebSocket(at, `${HOST}:8085`);
  const webSocket = { servedBy: await socket.next(), ended: socket.ended, close: socket.close };
  return [await watch(grpcThrough(`${at}:15001`, `${HOST}:50051`)), webSocket, await openTcp(tcp)];
}

behaviour(
  'DN-011',
  'Drain.closeLongLived',
  'a gRPC stream, a WebSocket and a TCP connection to what is drained end, others stay',
  async (rig) => {
    await rig.policies([ORDER]);
    const here = await lasting(rig);
    expect(here.map(({ servedBy }) => servedBy)).toEqual(['east', 'east', 'east']);
    await rig.policies([ORDER, drain({ region: 'east' }, 100)]);
    const elsewhere = await lasting(rig);
    expect(elsewhere.map(({ servedBy }) => servedBy)).toEqual(['west', 'west', 'west']);
    let over = 0;
    for (const { ended } of [...here, ...elsewhere]) void ended.then(() => (over += 1));
    expect(over).toBe(0);
    await rig.policies([ORDER, drain({ region: 'east' }, 100, { closeLongLived: true })]);
    await Promise.all(here.map(({ ended }) => ended));
    // Requests go on all the while, and what is in use elsewhere is left alone.
    expect(await shares(rig, 30)).toEqual({ west: 1 });
    expect(over).toBe(3);
    for (const one of elsewhere) one.close();
  },
);

behaviour('DN-012', 'Drain.closeLongLived', 'tunnels through a drained gateway end', async (rig) => {
  const west = policy('TrafficShift', { services: ['reviews'], clusters: { west: 100 } });
  await rig.policies([ORDER, west]);
  const through = await lasting(rig);
  expect(through.map(({ servedBy }) => servedBy)).toEqual(['west', 'west', 'west']);
  await rig.policies([ORDER, west, drain({ gateway: 'west' }, 100, { closeLongLived: true })]);
  await Promise.all(through.map(({ ended }) => ended));
  const again = await lasting(rig);
  expect(again.map(({ servedBy }) => servedBy)).toEqual(['east', 'east', 'east']);
  for (const one of again) one.close();
});
