/** TCP services: a listener each on the proxy's address, through the same tunnel and the same mTLS. */
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { Mesh } from './kit/mesh.ts';
import { until } from './kit/until.ts';

const CLIENT = '127.78.10.11';
const SERVER = '127.78.11.11';
const LISTENER = 'outbound_tcp|5000|echo.bookinfo.svc.clusterset.local';

let mesh: Mesh;
let client: TestEnvoy;
let server: Server;

beforeAll(async () => {
  server = createServer((socket) => void socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(9080, SERVER, resolve));
  mesh = await Mesh.start([
    { name: 'east', gateways: ['127.78.10.1:15443'] },
    { name: 'west', gateways: ['127.78.11.1:15443'] },
  ]);
  mesh.service('bookinfo/echo', 'west', { ports: [{ port: 5000, protocol: 'tcp' }], endpoints: [{ address: SERVER }] });
  await mesh.sidecar('west', SERVER, 'bookinfo/echo');
  await mesh.gateway('west', '127.78.11.1');
  client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
});

afterAll(async () => {
  await mesh?.stop();
  server.close();
});

/** What comes back for a line sent to the service's listener. */
function echoed(port: number, line: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, CLIENT, () => socket.write(line));
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.length >= line.length) done();
    });
    socket.on('error', done).on('close', done);
  });
}

async function listenerPort(): Promise<number> {
  const text = await client.admin('/listeners?format=json');
  const { listener_statuses: listeners } = JSON.parse(text) as {
    listener_statuses?: { name: string; local_address: { socket_address?: { port_value: number } } }[];
  };
  return listeners?.find(({ name }) => name === LISTENER)?.local_address.socket_address?.port_value ?? 0;
}

test('bytes go to another cluster and back', async () => {
  await until(
    async () => (await listenerPort()) > 0,
    () => `no listener for the service: ${mesh.nacks.join()}`,
  );
  const port = await listenerPort();
  expect(port).toBeGreaterThanOrEqual(16_000);
  expect(port).toBeLessThan(20_000);
  await until(
    async () => (await echoed(port, 'hello')) === 'hello',
    () => 'no echo',
  );
  expect(await echoed(port, 'x'.repeat(100_000))).toHaveLength(100_000);
});
