import fc from 'fast-check';
import { expect, it } from 'vitest';
import { repeatedKeys } from './json-body.ts';

it.each([
  ['{"a":1,"a":2}', ['a']],
  ['{"a":{"b":1,"c":{},"b":{}}}', ['a.b']],
  ['{"spec":{"http":[{"x":1},{"x":1,"x":2}]}}', ['spec.http[1].x']],
  ['{"metadata":{"labels":{"a/b":"1","a/b":"2"}}}', ['metadata.labels["a/b"]']],
  [String.raw`{"a":1,"\u0061":2}`, ['a']],
  [String.raw`{"a":"\"a\":1,","b":["a","a",{"a":1}],"c":"}"}`, []],
  ['{"a":{"x":1},"b":{"x":1}}', []],
  ['[{"a":1},{"a":1}]', []],
  ['"a"', []],
])('finds in %s what is given twice', (text, expected) => {
  expect(repeatedKeys(text)).toEqual(expected);
});

it('finds nothing in what an object can be written as, and always the key that is added once more', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, at) => {
      const key = Object.keys(object)[at % Object.keys(object).length] ?? '';
      const text = JSON.stringify(object, null, at % 3);
      expect(repeatedKeys(text)).toEqual([]);
      expect(repeatedKeys(`{${JSON.stringify(key)}:0,${text.trim().slice(1)}`)).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});

it('refuses what is nested too deep before anything recurses over it', () => {
  expect(() => repeatedKeys(`${'['.repeat(600)}${']'.repeat(600)}`)).toThrow(/nested deeper than 500/);
});
