import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { regexProblem } from './regex.ts';

describe('regular expressions for RE2', () => {
  it.each([
    '/api/v[0-9]+/.*',
    '(?i)chrome.*',
    '(?P<id>\\d+)',
    '(?i:a)b',
    '[[:alpha:]]+\\.html',
    '^a\\\\$',
    '\\pL\\x41',
    'a{1,40}',
    'a{,3}',
  ])('%s is taken', (pattern) => {
    expect(regexProblem(pattern)).toBeUndefined();
  });

  it.each([
    ['', 'empty'],
    ['(', 'Unterminated'],
    ['[a', 'Unterminated'],
    ['a**', 'repeat'],
    ['(?=x)', 'lookaround'],
    ['(?<!x)y', 'lookaround'],
    ['(a)\\1', 'backreference'],
    ['\\y', '\\y'],
    ['a{1001}', '1000'],
    ['a{1,1000}', 'instructions'],
    ['a\\', 'backslash'],
    ['x'.repeat(2000), '1024'],
  ])('%s is refused', (pattern, words) => {
    expect(regexProblem(pattern)).toContain(words);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (pattern) => regexProblem(pattern) !== null));
  });
});
