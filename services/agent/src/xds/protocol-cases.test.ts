/** The numbered cases of the protocol (RELIABILITY.md 2.5) each have a test, here or beside. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const CASES = 36;

/** Case → files with a test whose name begins with `case N:`. */
function casesTested(folder: string): Map<number, Set<string>> {
  const found = new Map<number, Set<string>>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.ts'))) {
    for (const [, number] of readFileSync(join(folder, file), 'utf8').matchAll(/^\s*(?:test|it)\('case (\d+): /gm))
      found.set(Number(number), (found.get(Number(number)) ?? new Set()).add(file));
  }
  return found;
}

test(`each of the ${CASES} cases has a test of its number, and no number is made up`, () => {
  const numbers = [...casesTested(import.meta.dirname).keys()].sort((one, other) => one - other);
  expect(numbers).toEqual(Array.from({ length: CASES }, (_, index) => index + 1));
});
