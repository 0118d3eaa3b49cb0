import { expect, test } from 'vitest';
import { VersionTable } from './version-table.ts';

function tableOf(versions: Readonly<Record<string, string>>): VersionTable {
  const table = new VersionTable();
  for (const [name, version] of Object.entries(versions)) table.set(name, version);
  return table;
}

function contentOf(table: VersionTable): Record<string, string | undefined> {
  return Object.fromEntries([...table.keys()].sort().map((name) => [name, table.get(name)]));
}

test('a table over a base says what one of its own would say, and leaves the base alone', () => {
  const base = tableOf({ a: '1', b: '1', c: '1' });
  const before = base.digest;
  const table = new VersionTable();
  table.share(base);
  expect(table.ownSize).toBe(0);
  table.set('a', '2');
  table.set('b', undefined);
  table.set('d', '1');
  expect(contentOf(table)).toEqual({ a: '2', c: '1', d: '1' });
  expect(table.size).toBe(3);
  expect(table.digest).toBe(tableOf({ d: '1', c: '1', a: '2' }).digest);
  expect(base.digest).toBe(before);
  expect(contentOf(base)).toEqual({ a: '1', b: '1', c: '1' });
});

test('what is as in the base again is not kept', () => {
  const base = tableOf({ a: '1', b: '1' });
  const table = new VersionTable();
  table.share(base);
  for (const version of ['2', undefined, '1']) table.set('a', version);
  expect(table.ownSize).toBe(0);
  expect(table.digest).toBe(base.digest);
  table.set('b', undefined);
  table.set('a', undefined);
  expect(table.digest).toBe('');
});
