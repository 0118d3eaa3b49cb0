/** `docs/behaviours.md` says what the tests of this folder show; `npm run golden -- test/behaviour/listing.test.ts` writes it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { behavioursDocument, declarations, declaredIn, problemsOf } from './kit/listing.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/behaviours.md');

test('the table of behaviours is current, and no id is used twice', () => {
  const all = declaredIn(import.meta.dirname);
  expect(problemsOf(all)).toEqual([]);
  const text = behavioursDocument(all);
  if (process.env['HAWSER_UPDATE_GOLDEN'] === '1') writeFileSync(DOCUMENT, text);
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(text);
});

test('reads declarations, and finds what is no literal, no id or used twice', () => {
  const [one] = declarations(`behaviour('VS-001', "http.match", 'it\\'s seen', async (rig) => {`, 'a.test.ts');
  expect(one).toEqual({ id: 'VS-001', field: 'http.match', seen: "it's seen", file: 'a.test.ts' });
  expect(() => declarations('behaviour(id, field, `seen`, show)', 'a.test.ts')).toThrow('1 behaviours, of which 0');
  const same = { id: 'VS-001', field: 'f', seen: 's', file: 'a.test.ts' };
  expect(problemsOf([same, { ...same, file: 'b.test.ts' }, { ...same, id: 'XX-1' }])).toEqual([
    'VS-001 is in a.test.ts and b.test.ts',
    'XX-1 is no id',
  ]);
});
