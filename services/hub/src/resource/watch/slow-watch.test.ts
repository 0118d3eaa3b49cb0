/** A watcher that does not read, on real sockets: it costs the hub one chunk, then it is cut off, and others notice nothing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../../test/kit/postgres.ts';
import { watchFrom } from './watch-client-fixture.ts';

const RULES = '/apis/networking.istio.io/v1/namespaces/slow/destinationrules';
const EVENT_BYTES = 250_000;
/** Together more than the socket buffers of both sides take in. */
const EVENTS = 80;

let postgres: TestPostgres;
let hub: TestHub;
let url: string;
const served = new Map<number, Socket>();

beforeAll(async () => {
  postgres = await startTestPostgres();
  hub = await startTestHub(await postgres.database(), { registry: createRegistry(), watchBounds: { slowMs: 1500 } });
  hub.core.app.server.on('connection', (socket: Socket) => served.set(socket.remotePort ?? 0, socket));
  url = await hub.core.listen();
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

async function cutOff(): Promise<number> {
  return Number(/^hub_watches_cut_off_total (\d+)$/m.exec((await hub.core.app.inject('/metrics')).body)?.[1]);
}

function rule(note: number): object {
  const metadata = { name: 'large', annotations: { note: String(note).padEnd(EVENT_BYTES, 'x') } };
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata, spec: { host: 'reviews' } };
}

it('is cut off, and never holds more than a chunk', async () => {
  expect((await hub.call('POST', RULES, rule(0))).code).toBe(201);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${RULES}?watch=true HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${hub.adminToken}\r\n\r\n`);
  const reader = await watchFrom(`${url}${RULES}?watch=true`, hub.adminToken);
  const own = served.get(socket.localPort ?? 0);
  let most = 0;
  const sampling = setInterval(() => {
    most = Math.max(most, own?.writableLength ?? 0);
  }, 5);
  for (let event = 1; event <= EVENTS; event += 1) {
    expect((await hub.call('PUT', `${RULES}/large`, rule(event))).code).toBe(200);
  }
  await expect.poll(cutOff, { timeout: 20_000 }).toBe(1);
  clearInterval(sampling);
  expect(own?.destroyed).toBe(true);
  // Something did wait for it, but no more than a chunk and the line that filled it.
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(3 * EVENT_BYTES);
  const note = () => reader.events.at(-1)?.object.metadata.annotations?.['note']?.slice(0, 3).replaceAll('x', '');
  await expect.poll(note, { timeout: 20_000 }).toBe(String(EVENTS));
  expect(reader.events.length).toBeGreaterThan(EVENTS);
  reader.cut();
  let text = '';
  socket.on('error', () => undefined).setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  await once(socket, 'close');
  // Not the end of an answer: it knows that it has not heard all, and resumes.
  expect(text.endsWith('0\r\n\r\n')).toBe(false);
  expect(text.length).toBeLessThan(EVENTS * EVENT_BYTES);
}, 90_000);
