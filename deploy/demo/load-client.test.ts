/** The load client as its own process, against servers that answer, hang, break off, or are not there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { duplicates, failed, type LoadEntry, parseLoadLog } from './load-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-load-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the client against a server that answers like this; resolves with what it wrote and the ids of POSTs that arrived. */
async function load(
  listener: RequestListener | undefined,
  flags: Readonly<Record<string, string>>,
): Promise<{ entries: LoadEntry[]; posted: string[] }> {
  const posted: string[] = [];
  const server = createServer((incoming, outgoing) => {
    if (incoming.method === 'POST') posted.push(String(incoming.headers['x-post-id']));
    listener?.(incoming, outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (listener === undefined) server.close();
  const log = join(folder, `${port}.jsonl`);
  const args = Object.entries({ via: `127.0.0.1:${port}`, log, ...flags }).flatMap(([name, value]) => [`--${name}`, value]);
  const client = spawn(process.execPath, [join(import.meta.dirname, 'load-client.ts'), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(client, 'exit');
  server.close();
  server.closeAllConnections();
  return { entries: parseLoadLog(readFileSync(log, 'utf8')), posted };
}

test('every request is written once, and who answered it', async () => {
  const headers = { 'x-hawser-cluster': 'us-west', 'x-hawser-version': 'v2', 'x-hawser-instance': '127.0.0.9' };
  const { entries, posted } = await load((_, outgoing) => outgoing.writeHead(200, headers).end('ok'), {
    rate: '500',
    count: '200',
    'post-every': '20',
  });
  expect(entries).toHaveLength(200);
  expect(entries.filter(failed)).toEqual([]);
  expect(
    entries
      .filter(({ method }) => method === 'POST')
      .map(({ id }) => id)
      .sort(),
  ).toEqual([...posted].sort());
  expect(posted).toHaveLength(10);
  expect(entries[0]).toMatchObject({ cluster: 'us-west', version: 'v2', instance: '127.0.0.9' });
});

test('a connection that breaks off is a failure, and nothing is sent a second time', async () => {
  const { entries, posted } = await load((incoming) => incoming.socket.destroy(), { rate: '200', count: '40', 'post-every': '2' });
  expect(entries.filter(failed)).toHaveLength(40);
  expect(posted).toHaveLength(20);
  expect(duplicates(posted).size).toBe(0);
});

test('a server that hangs does not slow the client down: all is sent, and failed after 1 s', async () => {
  const { entries } = await load(() => {}, { rate: '200', count: '100', 'post-every': '0' });
  expect(entries.map(({ error }) => error)).toEqual(Array(100).fill('no answer in 1 s'));
  const due = entries.map(({ t }) => t).sort((a, b) => a - b);
  expect((due.at(-1) ?? 0) - (due[0] ?? 0)).toBe(495); // 99 intervals of 5 ms: the schedule, whatever the server does
});

test('a server that is not there is a failure each', async () => {
  const { entries } = await load(undefined, { rate: '200', count: '20', 'post-every': '0' });
  expect(entries.map(({ error }) => error)).toEqual(Array(20).fill('ECONNREFUSED'));
});
