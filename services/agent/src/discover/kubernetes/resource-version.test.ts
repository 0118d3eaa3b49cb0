import { describe, expect, it } from 'vitest';
import { isOlder, newest } from './resource-version.ts';

describe('versions of a store', () => {
  it.each([
    ['9', '10', true],
    ['10', '9', false],
    ['10', '10', false],
    ['0', '1', true],
    ['18446744073709551615', '18446744073709551616', true],
    ['9007199254740992', '9007199254740993', true],
    ['abc', '10', false],
    ['9', 'abc', false],
    ['9', undefined, false],
  ])('%s is older than %s: %s', (version, than, expected) => {
    expect(isOlder(version, than)).toBe(expected);
  });

  it('keeps the newer one', () => {
    expect([newest(undefined, '7'), newest('7', '12'), newest('12', '7'), newest('12', 'abc')]).toEqual(['7', '12', '12', 'abc']);
  });
});
