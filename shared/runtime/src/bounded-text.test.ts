import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { boundedText, TooLong } from './bounded-text.ts';

it('reads a body of the limit whole, characters of several chunks too, and refuses a longer one', async () => {
  const body = Buffer.from('größer');
  const server = createServer((_, response) => {
    response.write(body.subarray(0, 3)); // in the midst of ö
    setImmediate(() => response.end(body.subarray(3)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }, resolve).on('error', reject);
    });
  expect(await boundedText(await ask(), body.length)).toBe('größer');
  await expect(boundedText(await ask(), body.length - 1)).rejects.toThrow(new TooLong(`the body is longer than ${body.length - 1} bytes`));
  server.close();
  await once(server, 'close');
});
