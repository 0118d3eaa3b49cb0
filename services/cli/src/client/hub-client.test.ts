import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createHubClient } from './hub-client.ts';

/** A hub that answers in turn; the last answer is repeated. */
async function hubThat(...answers: readonly ((response: ServerResponse) => void)[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => answer?.(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: createHubClient({ url, token: 't' }), asked, close: () => server.close() };
}

const busy = (retryAfterSeconds?: number) => (response: ServerResponse) =>
  response.writeHead(429).end(JSON.stringify({ reason: 'TooManyRequests', message: 'busy', details: { retryAfterSeconds } }));

it('asks a busy hub again when that says, also to write: what was refused for want of room was not begun', async () => {
  const hub = await hubThat(busy(0.01), busy(0.01), (response) => response.end('{"ok":true}'));
  expect(await hub.client.send({ method: 'POST', path: '/x', body: {} })).toEqual({ ok: true });
  expect(hub.asked).toEqual(['POST /x', 'POST /x', 'POST /x']);
  hub.close();
});

it('gives up within its time, with what the hub said; without a word of when, at once', async () => {
  const hub = await hubThat(busy(0.05));
  await expect(hub.client.send({ path: '/x', timeoutMs: 200 })).rejects.toMatchObject({ message: expect.stringMatching(/busy|in time/) });
  expect(hub.asked.length).toBeGreaterThan(1);
  hub.close();
  const full = await hubThat(busy());
  await expect(full.client.send({ path: '/x' })).rejects.toMatchObject({ status: 429 });
  expect(full.asked).toHaveLength(1);
  full.close();
});
