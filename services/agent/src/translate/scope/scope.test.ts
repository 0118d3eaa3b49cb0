/** Which callers a policy is for. */
import { describe, expect, test } from 'vitest';
import { isExportedTo, scopeOf, selects } from './scope.ts';

describe('a scope', () => {
  const proxy = { role: 'sidecar', address: '10.0.0.1', namespace: 'shop' } as const;

  test('is told apart by its namespace and by the labels that policy asks for alone', () => {
    const keys = new Set(['app']);
    const one = scopeOf(proxy, { app: 'a', version: 'v1' }, keys);
    expect(one).toEqual(scopeOf({ ...proxy, address: '10.0.0.2' }, { version: 'v2', app: 'a' }, keys));
    expect(one.id).not.toBe(scopeOf(proxy, { app: 'b' }, keys).id);
    expect(one.id).not.toBe(scopeOf({ ...proxy, namespace: 'other' }, { app: 'a' }, keys).id);
  });

  test('is selected by labels that it carries, and by no labels at all', () => {
    expect(selects({ app: 'a' }, { app: 'a', version: 'v1' })).toBe(true);
    expect(selects({ app: 'a' }, { app: 'b' })).toBe(false);
    expect(selects({}, {})).toBe(true);
  });
});

describe('exportTo', () => {
  test.each([
    [undefined, 'other', true],
    [[], 'other', true],
    [['*'], 'other', true],
    [['.'], 'shop', true],
    [['.'], 'other', false],
    [['~'], 'shop', false],
    [['other'], 'other', true],
    [['other', '.'], 'shop', true],
    [['other'], 'third', false],
    [['.'], '', false],
  ])('%j of shop, from "%s": %s', (exportTo, namespace, seen) => {
    expect(isExportedTo(exportTo, 'shop', namespace)).toBe(seen);
  });
});
