import { expect, it } from 'vitest';
import { isAddressRange, isInRange } from './address-range.ts';

it.each(['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '1:2:3:4:5:6:7:8/128', '::'])('%s is a range', (text) => {
  expect(isAddressRange(text)).toBe(true);
});

it.each(['', '10.0.0', '10.0.0.256', '10.0.0.0/33', '1::2::3', '1:2:3', 'fd00::/129', 'x', '10.0.0.0/', '12345::'])(
  '%s is none',
  (text) => {
    expect(isAddressRange(text)).toBe(false);
  },
);

it.each<[string, string, boolean]>([
  ['10.1.2.3', '10.0.0.0/8', true],
  ['11.1.2.3', '10.0.0.0/8', false],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.4', '10.1.2.3', false],
  ['10.1.2.3', '0.0.0.0/0', true],
  ['fd00::1', 'fd00::/8', true],
  ['fe00::1', 'fd00::/8', false],
  ['fd00::1', '0.0.0.0/0', false],
  ['10.1.2.0/24', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.1.0.0/24', false],
])('%s in %s: %s', (address, range, expected) => {
  expect(isInRange(address, range)).toBe(expected);
});
