/** Protocols: what a port speaks, by real clients of each. */
import { request } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp, DEFAULT_HOST } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { eastern } from './kit/layout.ts';
import type { Rig } from './kit/rig.ts';
import { grpcThrough, openWebSocket, STREAM_PORTS, say, startStreamApp, watch } from './kit/stream-app.ts';

const NET = 80;
const behaviour = behavioursOf(
  {
    net: NET,
    workloads: [eastern('reviews', 'v1', 21)],
    ports: {
      'bookinfo/reviews': [
        { name: 'http', port: 80, protocol: 'http' },
        { name: 'http2', port: 82, protocol: 'http2' },
        { name: 'grpc', port: 50051, protocol: 'http2', target: STREAM_PORTS.grpc },
        { name: 'grpc-web', port: 8081, protocol: 'http2', application: 'grpc-web', target: STREAM_PORTS.grpc },
        { name: 'ws', port: 8085, protocol: 'http', target: STREAM_PORTS.webSocket },
        { name: 'tcp', port: 5000, protocol: 'tcp' },
        { name: 'tls', port: 443, protocol: 'tcp', application: 'tls', target: APP_PORTS.tls },
        { port: 7000, protocol: 'http', application: 'auto', target: APP_PORTS.http },
      ],
    },
  },
  async () => void (await startStreamApp('reviews-v1', `127.81.${NET}.21`)),
);

const sidecar = (rig: Rig): string => `${rig.clientAddress()}:15001`;

behaviour('PR-001', 'http', 'HTTP/1.1 reaches an application of HTTP/1.1', async (rig) => {
  expect(await rig.call({ path: '/one', method: 'POST', body: 'text' })).toMatchObject({
    status: 200,
    got: { path: '/one', method: 'POST', body: 'text' },
  });
});

behaviour('PR-002', 'http', 'a caller may speak HTTP/2 to its sidecar, whatever the application speaks', async (rig) => {
  expect(await rig.call({ path: '/two', http2: true })).toMatchObject({ status: 200, got: { path: '/two' } });
});

behaviour('PR-003', 'http2, kubernetes.io/h2c', 'an application of HTTP/2 alone is called in HTTP/2, by callers of either', async (rig) => {
  const host = `${DEFAULT_HOST}:82`;
  expect(await rig.call({ host, http2: true })).toMatchObject({ status: 200, servedBy: 'reviews-v1' });
  expect(await rig.call({ host })).toMatchObject({ status: 200, servedBy: 'reviews-v1' });
});

behaviour('PR-004', 'grpc unary', 'a gRPC call is answered, and its status comes in trailers', async (rig) => {
  const client = grpcThrough(sidecar(rig), `${DEFAULT_HOST}:50051`);
  expect(await say(client, 'hello')).toBe('reviews-v1:hello');
  client.close();
});

behaviour('PR-005', 'grpc status', 'a gRPC call to a port that no service has gets a status, not a broken stream', async (rig) => {
  const client = grpcThrough(sidecar(rig), `${DEFAULT_HOST}:50052`);
  expect(await say(client, 'hello')).toBe('status 12');
  client.close();
});

behaviour('PR-006', 'grpc stream', 'messages of a gRPC stream come one by one while it stays open', async (rig) => {
  const client = grpcThrough(sidecar(rig), `${DEFAULT_HOST}:50051`);
  const stream = await watch(client);
  expect(stream.servedBy).toBe('reviews-v1');
  expect(await say(client, 'beside it')).toBe('reviews-v1:beside it');
  stream.close();
  client.close();
});

behaviour('PR-007', 'grpc-web', 'a browser’s gRPC-Web over HTTP/1.1 is translated for a gRPC application', async (rig) => {
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), Buffer.from('hi')]);
  const { status, type, body } = await post(rig, { path: '/echo.Echo/Say', host: `${DEFAULT_HOST}:8081`, body: message });
  expect([status, type]).toEqual([200, 'application/grpc-web+proto']);
  expect(body.subarray(5, 18).toString()).toBe('reviews-v1:hi');
  expect(body.toString()).toContain('grpc-status:0');
});

behaviour('PR-008', 'websocket', 'a WebSocket is opened, echoes and is closed, though sidecars speak HTTP/2 between them', async (rig) => {
  const socket = await openWebSocket(rig.clientAddress(), `${DEFAULT_HOST}:8085`);
  expect(await socket.next()).toBe('reviews-v1');
  socket.send('hello');
  expect(await socket.next()).toBe('hello');
  socket.close();
  expect(await socket.ended).toBeGreaterThan(0);
});

behaviour('PR-009', 'tcp', 'bytes go both ways, and the server may speak first', async (rig) => {
  const at = await rig.listener(`outbound_tcp|5000|${DEFAULT_HOST}`);
  expect(await callTcp(at ?? { address: '', port: 0 }, 'hello')).toEqual(['reviews-v1', 'hello']);
});

behaviour(
  'PR-010',
  'tls, https',
  'TLS passes through whole: the caller sees the application’s own certificate, and the server name it asked for arrives',
  async (rig) => {
    const at = await rig.listener(`outbound_tcp|443|${DEFAULT_HOST}`);
    expect(await callTcp(at ?? { address: '', port: 0 }, 'hello', { servername: DEFAULT_HOST })).toEqual(['reviews-v1', 'hello']);
    expect(await certificateAt(at ?? { address: '', port: 0 })).toContain('URI:spiffe://echo/app');
  },
);

behaviour('PR-011', 'auto', 'a port of which nobody says what it speaks is HTTP to those who call it so', async (rig) => {
  expect(await rig.call({ host: `${DEFAULT_HOST}:7000`, path: '/auto' })).toMatchObject({ status: 200, got: { path: '/auto' } });
});

interface Posted {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

function post(rig: Rig, { path, host, body }: { path: string; host: string; body: Buffer }): Promise<Posted> {
  const headers = { host, 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' };
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: rig.clientAddress(), port: 15001, method: 'POST', path, headers, agent: false, timeout: 10_000 },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), body: Buffer.concat(parts) }),
        );
      },
    );
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.end(body);
  });
}

function certificateAt({ address, port }: { address: string; port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: address, port, servername: DEFAULT_HOST, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
