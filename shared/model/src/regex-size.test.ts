import { describe, expect, it } from 'vitest';
import { regexProblem } from './regex.ts';
import { leastProgramSize } from './regex-size.ts';

/** Sizes as Envoy 1.40 reports them for its limit. */
const MEASURED: readonly [string, number][] = [
  ['a', 5],
  ['^/a$', 4],
  ['/v[0-9]+/users/.*', 17],
  ['a{1,50}', 103],
  ['a{1,200}', 403],
  ['[a-z]{10}', 14],
  ['[a-z]{100}', 104],
  ['\\pL', 11],
  ['\\p{Lu}+', 8],
  ['(a|b|c)', 7],
  ['(foo|bar)+', 13],
  ['(abc|abd|abe)', 9],
  ['(ab|cd|ef|gh)', 14],
  ['(?i)abc', 7],
  ['(.*)(.*)(.*)(.*)', 20],
  ['/api/v1/(users|orders|items)/[^/]+/details', 42],
  ['x{0,50}y{0,50}', 204],
  ['.{20}', 44],
  ['[\\s\\S]', 5],
  ['\\bfoo\\b', 9],
  ['[^/]+', 7],
];

describe('leastProgramSize', () => {
  it.each(MEASURED)('of %s is no more than the real %i', (pattern, real) => {
    expect(leastProgramSize(pattern)).toBeLessThanOrEqual(real);
    expect(leastProgramSize(pattern)).toBeGreaterThanOrEqual(2);
  });

  it('is near the real one where repeats make it large', () => {
    expect(leastProgramSize('a{1,200}')).toBe(401);
    expect(leastProgramSize('x{0,50}y{0,50}')).toBe(202);
    expect(leastProgramSize('(a(bc){5}){10}')).toBe(112);
  });

  it('refuses what Envoy certainly would, and says the way out', () => {
    expect(regexProblem('a{1,200}')).toMatch(/at least 401 instructions, and Envoy takes 100/);
    expect(regexProblem('[a-z]{90}')).toBeUndefined();
    expect(regexProblem('/api/v1/(users|orders|items)/[^/]+/details')).toBeUndefined();
  });
});
