import { once } from 'node:events';
import { connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeGracefully } from './graceful-close.ts';

let app: FastifyInstance;
let url: string;
let answer: PromiseWithResolvers<string>;
let begun: PromiseWithResolvers<void>;

beforeEach(async () => {
  app = fastify({ forceCloseConnections: 'idle', return503OnClosing: false });
  answer = Promise.withResolvers();
  begun = Promise.withResolvers();
  app.get('/late', () => {
    begun.resolve();
    return answer.promise;
  });
  app.get('/now', () => 'now');
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  answer.resolve('');
  await app.close();
});

it('takes no new connection, closes idle ones, and finishes what it has begun', async () => {
  const idle = connect(Number(new URL(url).port), '127.0.0.1');
  idle.write('GET /now HTTP/1.1\r\nhost: hub\r\n\r\n');
  await once(idle, 'data');
  const late = fetch(`${url}/late`);
  await begun.promise;
  const closed = closeGracefully(app, 60_000);
  await expect.poll(() => fetch(`${url}/now`).then(String, (error) => error.cause?.code), { timeout: 10_000 }).toBe('ECONNREFUSED');
  idle.resume();
  await once(idle, 'close');
  answer.resolve('late');
  expect(await (await late).text()).toBe('late');
  await closed;
});

it('cuts what has not come to its end when the time is over', async () => {
  const late = fetch(`${url}/late`);
  late.catch(() => undefined);
  await begun.promise;
  const started = performance.now();
  await closeGracefully(app, 300);
  expect(performance.now() - started).toBeGreaterThan(290);
  await expect(late).rejects.toThrow('fetch failed');
});
