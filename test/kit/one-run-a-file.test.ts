/** What keeps runs of tests on one machine apart. */
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from './ports.ts';

function listen(at: { readonly port: number } | { readonly path: string }): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    onTestFinished(() => void server.close());
    server.once('error', reject).listen({ host: '127.0.0.1', ...at }, () => resolve(server));
  });
}

test.runIf(process.platform === 'linux')('a file is one run’s while its tests run', async () => {
  await expect(listen({ path: '\0hawser-test test/kit/one-run-a-file.test.ts' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await listen({ path: '\0hawser-test test/kit/no-such.test.ts' });
});

test('processes are given ports that no other is given', async () => {
  const mine = await Promise.all(Array.from({ length: 50 }, freePort));
  const program = `const { freePort } = await import(${JSON.stringify(join(import.meta.dirname, 'ports.ts'))});
    console.log(JSON.stringify(await Promise.all(Array.from({ length: 50 }, freePort))));
    await new Promise((resolve) => setTimeout(resolve, 1_000));`;
  const others = Array.from({ length: 3 }, () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]));
  const given = (await Promise.all(others)).map(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(given.map(({ length }) => length)).toEqual([50, 50, 50]);
  expect(new Set([...given.flat(), ...mine]).size).toBe(200);
});

test('a process that uses up its block is given another', async () => {
  const first = await freePort();
  for (let taken = 0; taken < 120; taken += 1) await listen({ port: await freePort() });
  expect(Math.floor((await freePort()) / 100)).not.toBe(Math.floor(first / 100));
});
