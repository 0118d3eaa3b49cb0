import { mkdtempSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { RevisionCounter } from './revision-counter.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-revision-counter-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const noError = (error: unknown): never => {
  throw error;
};

test('gives greater revisions after a restart, and after a crash within a block', async () => {
  const path = join(folder, 'restart');
  const first = await RevisionCounter.open(path, noError);
  const given = [first.next(), first.next()];
  const second = await RevisionCounter.open(path, noError);
  expect(given[1]).toBe((given[0] as number) + 1);
  expect(second.next()).toBeGreaterThan(given[1] as number);
});

test('a counter whose file is lost goes on above all that it gave', async () => {
  const path = join(folder, 'lost');
  const first = await RevisionCounter.open(path, noError);
  const given = first.next();
  await rm(path);
  while (Date.now() <= given) await new Promise((resolve) => setImmediate(resolve));
  const second = await RevisionCounter.open(path, noError);
  expect(second.next()).toBeGreaterThan(given);
});

test('a file that holds no revision is refused by name', async () => {
  const path = join(folder, 'garbled');
  await writeFile(path, 'many');
  await expect(RevisionCounter.open(path, noError)).rejects.toThrow(path);
});
