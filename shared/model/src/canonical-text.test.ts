import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalText } from './canonical-text.ts';

test('the example of RFC 8785 section 3.2.2', () => {
  const value: unknown = JSON.parse(
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
  );
  expect(canonicalText(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('the order of names is that of UTF-16 code units (section 3.2.3)', () => {
  const names = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
  const value = Object.fromEntries(names.map((name) => [name, 0]));
  const inOrder = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'];
  expect(canonicalText(value)).toBe(`{${inOrder.map((name) => `${JSON.stringify(name)}:0`).join(',')}}`);
  expect(canonicalText({ 9: 0, 10: 0 })).toBe('{"10":0,"9":0}');
});

test('what JSON has not got is refused', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 0, '\ud800', { '\ud800': 0 }, [undefined]])
    expect(() => canonicalText(value)).toThrow(TypeError);
  expect(canonicalText({ there: -0, gone: undefined })).toBe('{"there":0}');
});

test('a value that went through JSON has the same text, in whatever order its names stand', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalText(value);
      expect(canonicalText(JSON.parse(text))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonicalText(JSON.parse(JSON.stringify(value), reversed))).toBe(text);
    }),
  );
});

function reversed(_name: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).reverse());
}
