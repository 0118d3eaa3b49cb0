import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSources } from './read-sources.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('reads a folder sorted, its YAML and JSON alone', async () => {
  for (const name of ['b.yml', 'a.yaml', 'c.json', 'notes.txt']) writeFileSync(join(folder, name), name);
  mkdirSync(join(folder, 'inner.yaml'));
  expect((await readSources([folder])).map(({ text }) => text)).toEqual(['a.yaml', 'b.yml', 'c.json']);
});

it('reads standard input', async () => {
  expect(await readSources(['-'], Readable.from(['a: ', '1']))).toEqual([{ file: '<stdin>', text: 'a: 1' }]);
});

it('names what is not there, and a folder without manifests', async () => {
  await expect(readSources([join(folder, 'gone.yaml')])).rejects.toThrow(/gone\.yaml: no such file or folder/);
  await expect(readSources([folder])).rejects.toThrow(/the folder holds no \.yaml/);
});
