import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LONGEST, mixed } from './file-order.ts';

describe('the order of test files', () => {
  it('spreads long files, the longest first, and ends with short ones', () => {
    const short = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    expect(mixed([...short, 'long', 'longer'], ['longer', 'long', 'gone']).join('')).toBe('longerabclongdefghij');
  });

  it('loses no file, and runs none twice', () => {
    for (const files of [[], ['a'], ['long'], ['a', 'long'], ['a', 'b', 'c']])
      expect(mixed(files, ['long']).sort()).toEqual([...files].sort());
  });

  it.each(LONGEST)('knows %s', (file) => {
    expect(existsSync(join(import.meta.dirname, '../..', file))).toBe(true);
  });
});

it('files that may run at once have addresses of their own: no two of behaviours name one net', () => {
  const folder = join(import.meta.dirname, '../behaviour');
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'));
  const nets = files.flatMap((file) => /(?:NET = |net: )(\d+)/.exec(readFileSync(join(folder, file), 'utf8'))?.[1] ?? []);
  expect(nets.length).toBeGreaterThan(30);
  expect(nets.filter((net, index) => nets.indexOf(net) < index)).toEqual([]);
});
