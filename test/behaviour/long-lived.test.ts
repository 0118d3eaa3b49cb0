/** Long-lived connections when the region of their server dies: what breaks, and where new ones go. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Mesh } from '../datapath/kit/mesh.ts';
import { until } from '../datapath/kit/until.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { callTcp } from './kit/clients.ts';
import { APP_PORTS, type EchoApp, startEchoApp } from './kit/echo-app.ts';
import {
  grpcThrough,
  type Lasting,
  openTcp,
  openWebSocket,
  STREAM_PORTS,
  type StreamApp,
  say,
  startStreamApp,
  watch,
} from './kit/stream-app.ts';

const [CLIENT, EAST, WEST, WEST_GATEWAY] = ['127.81.86.11', '127.81.86.21', '127.81.87.21', '127.81.87.1'] as const;
const HOST = 'echo.bookinfo.svc.clusterset.local';
const PORTS = [
  { name: 'grpc', port: 50051, protocol: 'http2' as const },
  { name: 'ws', port: 8085, protocol: 'http' as const },
  { name: 'tcp', port: 5000, protocol: 'tcp' as const },
];
const targetPorts = { '50051': STREAM_PORTS.grpc, '8085': STREAM_PORTS.webSocket, '5000': APP_PORTS.tcp };

let mesh: Mesh;
let client: TestEnvoy;
let server: TestEnvoy;
const apps: (EchoApp | StreamApp)[] = [];

beforeAll(async () => {
  for (const [name, address] of [
    ['east', EAST],
    ['west', WEST],
  ] as const)
    apps.push(await startEchoApp(name, address), await startStreamApp(name, address));
  mesh = await Mesh.start([
    { name: 'east', gateways: ['127.81.86.1:15443'] },
    { name: 'west', gateways: [`${WEST_GATEWAY}:15443`] },
  ]);
  mesh.service('bookinfo/echo', 'east', { ports: PORTS, endpoints: [{ address: EAST, targetPorts }] });
  mesh.service('bookinfo/echo', 'west', { ports: PORTS, endpoints: [{ address: WEST, targetPorts }] });
  await Promise.all([mesh.sidecar('west', WEST, 'bookinfo/echo'), mesh.gateway('west', WEST_GATEWAY)]);
  server = await mesh.sidecar('east', EAST, 'bookinfo/echo');
  client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
}, 60_000);

afterAll(async () => {
  await mesh?.stop();
  await Promise.all(apps.map((app) => app.stop()));
});

/** In the order of this file: one region dies once. */
function behaviour(id: string, field: string, seen: string, show: () => Promise<void>): void {
  test(`${id} ${field}: ${seen}`, show, 60_000);
}

const grpc = () => grpcThrough(`${CLIENT}:15001`, `${HOST}:50051`);
let tcpPort = 0;

async function webSocket(): Promise<Lasting> {
  const socket = await openWebSocket(CLIENT, `${HOST}:8085`);
  return { servedBy: await socket.next(), ended: socket.ended, close: socket.close };
}

async function all(): Promise<Lasting[]> {
  return Promise.all([watch(grpc()), webSocket(), openTcp({ address: CLIENT, port: tcpPort })]);
}

behaviour('PR-020', 'failover of lasting connections', 'a gRPC stream, a WebSocket and a TCP connection go to the own region', async () => {
  await until(
    async () => {
      const { listener_statuses: listeners = [] } = JSON.parse(await client.admin('/listeners?format=json'));
      const found = listeners.find(({ name }: { name: string }) => name === `outbound_tcp|5000|${HOST}`);
      tcpPort = found?.local_address.socket_address.port_value ?? 0;
      return tcpPort > 0 && (await say(grpc(), 'x')) === 'east:x';
    },
    () => `the own region does not answer: ${mesh.nacks.join()}`,
  );
  // Each protocol has a listener of its own at the server, and they are there one after the other.
  let served: string[] = [];
  await until(
    async () => {
      const connections = await all();
      served = connections.map(({ servedBy }) => servedBy);
      for (const one of connections) one.close();
      return served.every((name) => name === 'east');
    },
    () => `not all go to the own region: ${served.join()}`,
  );
});

behaviour(
  'PR-021',
  'failover of lasting connections',
  'when the server’s side dies, each of them breaks at once, and new ones go to the other region at once',
  async () => {
    const connections = await all();
    const killed = performance.now();
    server.kill('SIGKILL');
    const broken = (await Promise.all(connections.map(({ ended }) => ended))).map((at) => Math.round(at - killed));
    const again = await all();
    const ready = Math.round(performance.now() - killed);
    console.log(`broken after ${broken.join(', ')} ms, all new ones open after ${ready} ms`);
    expect(again.map(({ servedBy }) => servedBy)).toEqual(['west', 'west', 'west']);
    expect(Math.max(...broken)).toBeLessThan(5_000);
    for (const one of again) one.close();
  },
);

behaviour('PR-022', 'failover of new TCP connections', 'while the region is down, no TCP connection is refused', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => callTcp({ address: CLIENT, port: tcpPort }, 'hello')));
  expect(answers.map(([name]) => name)).toEqual(Array(20).fill('west'));
});
