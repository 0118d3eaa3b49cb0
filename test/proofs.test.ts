import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

interface Proof {
  readonly number: string;
  readonly file: string;
  readonly name: string;
}

/** The rows of the tables of `docs/proofs.md`. */
function proofs(): Proof[] {
  const rows = readFileSync(join(root, 'docs/proofs.md'), 'utf8').split('\n');
  const lines = rows.filter((line) => /^\| [A-Z]\d/.test(line));
  return lines.map((line) => {
    const [, number, file, name] = /^\| ([A-Z]\d+) \| .+ \| `([^`]+)`: (.+) \|$/.exec(line) ?? [];
    if (number === undefined || file === undefined || name === undefined) throw new Error(`docs/proofs.md: a row without a proof: ${line}`);
    return { number, file, name };
  });
}

/** Whether the file has a test of this name that runs. */
function isThere({ file, name }: Proof): boolean {
  const path = join(root, file);
  if (!existsSync(path)) return false;
  const source = readFileSync(path, 'utf8');
  const starts = ["'", '"', '`'].map((quote) => `${quote}${name.replaceAll("'", quote === "'" ? "\\'" : "'")}${quote}`);
  return starts.some((quoted) => /(\b(it|test)\(|\)\()\s*$/.test(source.slice(0, Math.max(0, source.indexOf(quoted)))));
}

it('each rule has a test, and each test that is named exists', () => {
  const all = proofs();
  expect(all.filter((proof) => !isThere(proof))).toEqual([]);
  for (const [letter, count] of [
    ['S', 10],
    ['D', 10],
    ['F', 11],
    ['B', 9],
  ] as const) {
    const numbers = new Set(all.map(({ number }) => number).filter((number) => number.startsWith(letter)));
    expect([...numbers]).toEqual(Array.from({ length: count }, (_, index) => `${letter}${index + 1}`));
  }
});

it('finds a test that is not there, or does not run', () => {
  const file = 'test/proofs.test.ts';
  expect(isThere({ number: 'S1', file, name: 'finds a test that is not there, or does not run' })).toBe(true);
  for (const name of ['nobody wrote this', 'test/proofs.test.ts']) expect(isThere({ number: 'S1', file, name })).toBe(false);
});
