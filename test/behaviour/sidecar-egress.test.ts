/** Sidecar: addresses of their own for what a workload calls. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { eventually } from './kit/edge.ts';
import { BOOKINFO, type Layout } from './kit/layout.ts';
import { callOutside, type OutsideReply } from './kit/outside-client.ts';
import { policy, type Rig } from './kit/rig.ts';

const NET = 126;
/** An address at which nobody listens but by a Sidecar. */
const DOOR = `127.81.${NET}.41`;

const layout: Partial<Layout> = {
  workloads: [
    ...BOOKINFO.workloads,
    { name: 'cart-v1', service: 'shop/cart', cluster: 'east', labels: { app: 'cart', version: 'v1' }, at: 25 },
  ],
  clients: [{ name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11, labels: { app: 'productpage' } }],
  ports: { ...BOOKINFO.ports, 'shop/cart': [{ name: 'tcp', port: 7000, protocol: 'tcp', target: APP_PORTS.tcp }] },
};
const folder = mkdtempSync(join(tmpdir(), 'hawser-egress-'));
const behaviour = behavioursOf({ net: NET, ...layout });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HTTP = { number: 9100, protocol: 'HTTP', name: 'http' };
const TCP = { number: 7000, protocol: 'TCP', name: 'tcp' };

/** The only Sidecar, of the caller alone: with these listeners, and one for what the rig asks. */
async function listening(rig: Rig, ...egress: readonly object[]): Promise<void> {
  const all = [...egress, { hosts: ['*/probe.bookinfo.svc.cluster.local'] }];
  await rig.policies([policy('Sidecar', { workloadSelector: { labels: { app: 'productpage' } }, egress: all })]);
}

function called(address: string, host: string, wanted: Partial<OutsideReply>, port = HTTP.number): Promise<void> {
  return eventually(async () => expect(await callOutside({ address, port }, { host })).toMatchObject(wanted));
}

behaviour('SC-070', 'Sidecar.egress.bind', 'the sidecar takes calls at an address, for the hosts of that listener alone', async (rig) => {
  await listening(rig, { port: HTTP, bind: DOOR, hosts: ['./ratings.bookinfo.svc.cluster.local'] });
  await called(DOOR, `ratings.bookinfo.svc.clusterset.local:${HTTP.number}`, { status: 200, servedBy: 'ratings-v1' });
  await called(DOOR, 'ratings.bookinfo', { status: 200, servedBy: 'ratings-v1' });
  await called(DOOR, 'reviews.bookinfo', { status: 404, servedBy: '' });
  expect((await rig.call({ host: 'ratings.bookinfo' })).status).toBe(404);
});

behaviour('SC-071', 'Sidecar.egress.bind', 'a listener of TCP leads to the service that has its port', async (rig) => {
  await listening(rig, { port: TCP, bind: DOOR, hosts: ['shop/*'] });
  await eventually(async () => expect(await callTcp({ address: DOOR, port: 7000 }, 'hello')).toEqual(['cart-v1', 'hello']));
});

/** One request by a Unix domain socket. */
function byUnix(socketPath: string, host: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: '/', headers: { host }, agent: false, timeout: 10_000 }, (response) => {
      response.resume().on('end', () => resolve(String(response.headers['x-served-by'] ?? response.statusCode)));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', (error) => resolve(error.message)).end();
  });
}

behaviour('SC-072', 'Sidecar.egress.bind unix:///PATH', 'the sidecar takes HTTP at a Unix domain socket', async (rig) => {
  const path = join(folder, 'calls.sock');
  await listening(rig, { port: { protocol: 'HTTP', name: 'http' }, bind: `unix://${path}`, hosts: ['./*'] });
  await eventually(async () => expect(await byUnix(path, 'ratings.bookinfo')).toBe('ratings-v1'));
  expect(await byUnix(path, 'cart.shop')).toBe('404');
});

behaviour('SC-073', 'Sidecar.egress.bind unix://@NAME', 'or at an abstract one, for TCP', async (rig) => {
  const name = `hawser-egress-${process.pid}`;
  await listening(rig, { port: { protocol: 'TCP', name: 'tcp' }, bind: `unix://@${name}`, hosts: ['shop/*'] });
  await eventually(async () => expect(await greeting(`\0${name}`)).toBe('cart-v1\n'));
});

/** What a server says first. */
function greeting(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (part: Buffer) => {
      resolve(part.toString());
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed'));
  });
}

behaviour('SC-074', 'Sidecar.egress.captureMode', 'NONE takes calls on loopback, and IPTABLES only what the kernel leads', async (rig) => {
  const hosts = ['./ratings.bookinfo.svc.cluster.local'];
  await listening(rig, { port: HTTP, captureMode: 'NONE', hosts });
  await called(rig.clientAddress(), 'ratings.bookinfo', { status: 200, servedBy: 'ratings-v1' });
  await listening(rig, { port: HTTP, bind: DOOR, captureMode: 'IPTABLES', hosts });
  await called(rig.clientAddress(), 'ratings.bookinfo', { status: 0 });
  await called(DOOR, 'ratings.bookinfo', { status: 0 });
});
