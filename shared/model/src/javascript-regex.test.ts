import { expect, it } from 'vitest';
import { javaScriptRegex } from './javascript-regex.ts';

it.each([
  ['/a/.*', '/a/.*', ''],
  ['(?i)/A', '/A', 'i'],
  ['(?P<id>\\d+)', '(?<id>\\d+)', ''],
  ['\\Aa\\z', '^a$', ''],
  ['a\\\\A', 'a\\\\A', ''],
  ['(?iU:a)(?-s:b)(?U:c)', '(?i:a)(?-s:b)(?:c)', ''],
  ['[[:digit:]x]+', '[0-9x]+', ''],
])('%s means the same as %s', (pattern, source, flags) => {
  expect(javaScriptRegex(pattern)).toEqual({ source, flags, isSame: true });
  expect(() => new RegExp(source, flags)).not.toThrow();
});

it.each(['a(?i)b', '[[:^digit:]]', '[[:punct:]]', '\\Qa.b\\E', '\\pN'])('%s has the same structure alone', (pattern) => {
  const { source, flags, isSame } = javaScriptRegex(pattern);
  expect(isSame).toBe(false);
  expect(() => new RegExp(source, flags)).not.toThrow();
});
